import { expect, test } from 'vitest';
import { partsOf, timeOf } from './zone';

test('a time is taken apart and put together in either zone', () => {
  const time = Date.UTC(2026, 10, 30, 23, 59, 58);
  expect(partsOf(time, true)).toEqual([2026, 10, 30, 23, 59, 58]);
  for (const inUtc of [true, false]) expect(timeOf(partsOf(time, inUtc), inUtc)).toBe(time);
  expect(timeOf([2026, 10, 31, 0, 0, 0], true)).toBe(Date.UTC(2026, 11, 1));
});
