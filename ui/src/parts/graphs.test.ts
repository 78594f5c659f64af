import { expect, test } from 'vitest';
import type { Column } from '../lib/frame';
import { linesOf, manyGraph, remainder, seriesOf, together, type Owner } from './graphs';

const column = (...avg: (number | null)[]): Column => ({ unit: 'bytes', avg, min: null, max: null });
const pod = (name: string): Owner => ({ kind: 'pod', namespace: 'web', name });

test('what is left of a whole is never negative, and unknown where the whole is', () => {
  expect(remainder([column(10, 10, null, 3), column(4, null, 1, 4), column(1, 2, 1, 0)]).avg).toEqual([5, 8, null, 0]);
  expect(together([column(1, null, null), column(2, 3, null)]).avg).toEqual([3, 3, null]);
});

test('a series is asked for once, however many lines are made of it', () => {
  const owners: [string, Owner, string?][] = [['a', pod('a'), 'pods/web/a'], ['b', pod('b')]];
  const graphs = [manyGraph('cpu', 'CPU', 'millicores', 'cpu/usage_rate', owners, { label: '3 others', whole: { kind: 'node', name: 'n' } })];
  expect(seriesOf(graphs).map((one) => ('name' in one ? one.name : ''))).toEqual(['a', 'b', 'n']);
  const [lines = []] = linesOf(graphs, { timestamps: [1], stepMs: 1, series: [column(2), column(3), column(9)] });
  expect(lines.map(({ key, label, page, column }) => [key, label, page, column.avg])).toEqual([
    ['a', 'a', 'pods/web/a', [2]],
    ['b', 'b', undefined, [3]],
    ['other', '3 others', undefined, [4]],
  ]);
});
