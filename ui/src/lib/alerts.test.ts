import { expect, test, vi } from 'vitest';
import { alertMarks, alertPage, concerns, levelOf, matchersOf, readMatchers, writtenMatcher } from './alerts';
import type { Change } from './api/alerts';

vi.stubGlobal('document', { documentElement: {} });

test('an alert concerns what its labels name', () => {
  const labels = { namespace: 'web', pod: 'a', node: 'n' };
  expect(concerns(labels, { kind: 'pod', namespace: 'web', name: 'a' })).toBe(true);
  expect(concerns(labels, { kind: 'pod', namespace: 'web', name: 'b' })).toBe(false);
  expect(concerns(labels, { kind: 'container', namespace: 'web', pod: 'a', name: 'c' })).toBe(true);
  expect(concerns({ ...labels, container: 'd' }, { kind: 'container', namespace: 'web', pod: 'a', name: 'c' })).toBe(false);
  expect(concerns(labels, { kind: 'cluster' })).toBe(false);
  expect(concerns({ node: 'n' }, { kind: 'cluster' })).toBe(true);
  expect([alertPage(labels), alertPage({ node: 'n' }), alertPage({ severity: 'x' }), alertPage({ namespace: 'web', deployment: 'd' })]).toEqual(['pods/web/a', 'nodes/n', null, 'workloads/web/Deployment/d']);
});

test('graphs are marked where an alert began and ended', () => {
  const change = (at: number, state: Change['state']): Change => ({ at, id: '1', name: 'Down', state, severity: 'critical', labels: { node: 'n' }, value: 1, summary: '', silenced: false });
  const marks = alertMarks([change(1, 'pending'), change(2, 'firing'), change(3, 'resolved'), change(4, 'dropped')], { kind: 'node', name: 'n' }, ({ name }) => name);
  expect(marks).toEqual([
    { at: 2, label: 'Down', level: 'bad' },
    { at: 3, label: 'Down', level: 'calm' },
  ]);
  expect([levelOf('critical'), levelOf('warning'), levelOf('info'), levelOf('critical', 'resolved')]).toEqual(['bad', 'warn', 'calm', 'good']);
});

test('matchers are read as they are written', () => {
  const matchers = [...matchersOf({ alertname: 'a "b"', node: 'x\\y' }), { name: 'pod', value: 'web-.*', isRegex: true, isEqual: false }];
  expect(readMatchers(matchers.map(writtenMatcher).join('\n'))).toEqual(matchers);
  expect(readMatchers('{node=n1, pod=~"a,b"}')).toEqual([
    { name: 'node', value: 'n1', isRegex: false, isEqual: true },
    { name: 'pod', value: 'a,b', isRegex: true, isEqual: true },
  ]);
  expect(['', 'nonsense', 'a=', 'a="b" c="d"', '1a="b"'].map(readMatchers)).toEqual([null, null, null, null, null]);
});
