import { expect, test } from 'vitest';
import { ApiError } from '../lib/api/error';
import type { Overview, TargetItem } from '../lib/api/types';
import { problems } from './problems';

const target = (node: string, change: Partial<TargetItem> = {}): TargetItem => ({
  node,
  state: 'failed',
  hop: 'connect',
  reason: `10.0.0.${node}:10250: connection refused`,
  advice: 'Start the kubelet',
  since: Number(node) * 1000,
  lastSuccess: null,
  tookMs: null,
  url: null,
  bodyBytes: null,
  ...change,
});

const none = { overview: null, targets: [], own: [], errors: [], overdue: null };
const notReady = (...names: string[]): Overview => ({ nodes: { total: 3, ready: 3 - names.length, notReady: names } }) as unknown as Overview;

test('nothing wrong, nothing shown', () => {
  expect(problems(none)).toEqual([]);
  expect(problems({ ...none, overview: notReady(), targets: [target('1', { state: 'up' })] })).toEqual([]);
});

test('targets that failed alike are one problem, since the longest', () => {
  const found = problems({ ...none, targets: [target('2'), target('1'), target('3', { hop: 'tls', reason: 'unknown authority' })] });
  expect(found.map(({ hop, names, since }) => ({ hop, names, since }))).toEqual([
    { hop: 'connect', names: ['2', '1'], since: 1000 },
    { hop: 'tls', names: ['3'], since: 3000 },
  ]);
  expect(found[0]?.advice).toBe('Start the kubelet');
});

test('a node that is not ready is a warning where its target already tells why', () => {
  expect(problems({ ...none, overview: notReady('1') })[0]?.level).toBe('bad');
  const both = problems({ ...none, overview: notReady('1'), targets: [target('1')] });
  expect(both.map(({ level }) => level)).toEqual(['bad', 'warn']);
});

test('a problem of the whole process comes first', () => {
  const own = [{ about: 'API server', hop: 'connect', reason: 'connection refused', advice: 'Start the cluster', since: 5 }];
  const [first] = problems({ ...none, own, targets: [target('1')] });
  expect(first).toMatchObject({ title: 'API server: not reached', hop: 'connect', advice: 'Start the cluster', since: 5 });
});

test('skipped nodes, failed requests and overdue batches are told', () => {
  const error = new ApiError('Taffrail does not answer', 'Start it');
  const found = problems({ ...none, targets: [target('1', { state: 'skipped', hop: null, reason: 'not ready' })], errors: [null, error, error], overdue: { age: '40s', interval: '5s' } });
  expect(found.map(({ level }) => level)).toEqual(['bad', 'bad', 'warn']);
  expect(found[0]?.advice).toBe('Start it');
  expect(found[1]?.reason).toContain('40s');
});
