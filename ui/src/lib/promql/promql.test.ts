import { expect, test } from 'vitest';
import { namesIn, placeAt } from './place';
import { accepted, suggestions, type Known } from './suggest';

/** The place at the bar. */
const at = (text: string) => placeAt(text.replace('|', ''), text.indexOf('|'));

test('the place tells what may be typed there', () => {
  const kind = (text: string) => at(text).kind;
  expect(['|', 'ra|', 'sum(ra|', 'up + u|', 'rate(up[|', 'up offset |', 'sum by (|', 'sum by (a, |) (up)', 'up{|', 'up{job="a", |', 'up{job=|', 'up{job="|', 'up{job=~"a|"}', 'up{job="a"} |'].map(kind)).toEqual([
    'metric', 'metric', 'metric', 'metric', 'duration', 'duration', 'grouping', 'grouping', 'label', 'label', 'value', 'value', 'value', 'metric',
  ]);
  expect(['# not h|', '5|', 'label_replace(up, "x|', 'up{}|'].map(kind)).toEqual(['none', 'none', 'none', 'none']);
});

test('a place knows its metric, its label and what it replaces', () => {
  expect(at('sum(rate(kube_pod_info{namespace="a}", pod!~"we|b"}[5m]))')).toMatchObject({ kind: 'value', metric: 'kube_pod_info', label: 'pod', typed: 'we', from: 45, to: 48, quote: '"' });
  expect(at('sum(ra|te)')).toMatchObject({ typed: 'ra', from: 4, to: 8 });
});

const known: Known = { metrics: new Map([['node_cpu', 'CPU'], ['up', 'reached']]), labels: ['namespace', 'pod'], values: ['web', 'say "x"\\'] };

test('words that begin with what was typed come first', () => {
  const names = (text: string) => suggestions(at(text), known).map(({ text }) => text);
  expect(names('no|')[0]).toBe('node_cpu');
  expect(names('cpu|')).toEqual(['node_cpu']);
  expect(names('up{na|')).toEqual(['namespace']);
  expect(names('up{pod="|')).toEqual(['web', 'say "x"\\']);
  expect(names('xyzzy|')).toEqual([]);
});

test('what is accepted leaves the caret where one goes on', () => {
  const take = (text: string, name: string) => {
    const place = at(text);
    const suggestion = suggestions(place, known).find((one) => one.text === name);
    if (!suggestion) throw new Error(name);
    const { text: next, caret } = accepted(text.replace('|', ''), place, suggestion);
    return `${next.slice(0, caret)}|${next.slice(caret)}`;
  };
  expect(take('su|', 'sum')).toBe('sum(|');
  expect(take('sum by (na|) (up)', 'namespace')).toBe('sum by (namespace|) (up)');
  expect(take('up{po|', 'pod')).toBe('up{pod="|');
  expect(take('up{po|="x"}', 'pod')).toBe('up{pod|="x"}');
  expect(take('up{pod="w|"}', 'web')).toBe('up{pod="web"|}');
  expect(take('up{pod=|', 'say "x"\\')).toBe('up{pod="say \\"x\\"\\\\"|');
});

test('names in an expression, without strings, labels and ranges', () => {
  expect(namesIn('sum by (pod) (rate(node_cpu{mode="idle"}[5m])) / on(x) up # no')).toEqual(['sum', 'by', 'pod', 'rate', 'node_cpu', 'on', 'x', 'up']);
});
