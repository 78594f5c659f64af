import { expect, test } from 'vitest';
import { gathered, steps } from './marks';
import { looksOf } from './palette';
import { extent, heaped } from './plot';
import { field } from './save';

test('marks that overlap are one, named by the worst', () => {
  const mark = (at: number, level: 'bad' | 'warn' | 'calm') => ({ at, level, label: `${level} ${at}` });
  expect(gathered([mark(9, 'calm'), mark(0, 'calm'), mark(1, 'bad'), mark(2, 'warn')], 5)).toEqual([
    { at: 0, level: 'bad', label: 'bad 1', count: 3 },
    { at: 9, level: 'calm', label: 'calm 9', count: 1 },
  ]);
});

test('a count that grows is a step; gaps are bridged, falls are not steps', () => {
  expect(steps([1, 2, 3, 4, 5], [1, null, 3, 0, 1])).toEqual([{ at: 3, by: 2 }, { at: 5, by: 1 }]);
});

test('every line of a graph looks different, and the same next time', () => {
  const names = Array.from({ length: 35 }, (_, index) => `pod-${index}`);
  const looks = looksOf(names).map((look) => JSON.stringify(look));
  expect(new Set(looks).size).toBe(35);
  expect(looksOf(names.slice(0, 1))[0]).toEqual(JSON.parse(looks[0] ?? ''));
});

test('CSV fields are quoted, and formulas are defused', () => {
  expect(['a,b', 'say "x"', '=1+1', '-x', 'two\nlines', 5, null].map(field)).toEqual(['"a,b"', '"say ""x"""', "'=1+1", "'-x", '"two\nlines"', '5', '']);
});

test('stacked lines stand upon those before them; hidden ones and gaps add nothing', () => {
  const line = (key: string, avg: (number | null)[], kind: 'measure' | 'reference' = 'measure') => ({ key, label: key, colour: '', dash: [], kind, column: { unit: '', avg, min: null, max: null } });
  const lines = [line('a', [1, 2, null]), line('hidden', [9, 9, 9]), line('b', [10, null, 30]), line('limit', [5, 5, 5], 'reference')];
  expect(heaped(lines, new Set(['a', 'b', 'limit'])).map(({ column }) => column.avg)).toEqual([[1, 2, null], [9, 9, 9], [11, 2, 30], [5, 5, 5]]);
});

test('an axis begins at zero, or below it where values are', () => {
  expect([extent(3, 10, 1), extent(0, 0, 10), extent(-5, 5, 0), extent(0, 0, 0)]).toEqual([[0, 10.600000000000001], [0, 10], [-5.300000000000001, 5.300000000000001], [0, 1]]);
});
