import { expect, test } from 'vitest';
import { gaps, joined, lowerBound, pauses, raw, since, statistics, withGaps, type Column, type Frame, type Value } from './frame';

const column = (avg: Value[], min: Value[] | null = null, max: Value[] | null = null): Column => ({ unit: 'millicores', avg, min, max });
const frame = (timestamps: number[], ...avg: Value[][]): Frame => ({ timestamps, stepMs: 10, series: avg.map((values) => column(values)) });

test('lower bound', () => {
  expect(lowerBound([], 5)).toBe(0);
  expect(lowerBound([10, 20, 30], 20)).toBe(1);
  expect(lowerBound([10, 20, 30], 21)).toBe(2);
  expect(lowerBound([10, 20, 30], 99)).toBe(3);
});

test('a tail extends, and replaces where both have a sample', () => {
  const whole = joined(frame([10, 20, 30], [1, 2, 3]), frame([30, 40], [9, 4]));
  expect(whole.timestamps).toEqual([10, 20, 30, 40]);
  expect(whole.series[0]?.avg).toEqual([1, 2, 9, 4]);
  expect(joined(whole, frame([], []))).toBe(whole);
});

test('what left the range is cut off', () => {
  const rest = since(frame([10, 20, 30], [1, 2, 3], [4, 5, 6]), 15);
  expect(rest.timestamps).toEqual([20, 30]);
  expect(rest.series.map(({ avg }) => avg)).toEqual([[2, 3], [5, 6]]);
});

test('a pause is longer than one and a half steps', () => {
  expect(gaps([10, 20, 35, 60], 10)).toEqual([[35, 60]]);
  expect(gaps([10, 20, 30], 10)).toEqual([]);
  expect(gaps([10, 500], 0)).toEqual([]);
  expect(pauses(frame([10, 20, 30, 40], [1, null, null, 4], [1, null, null, null]))).toEqual([[10, 40]]);
});

test('no line bridges a pause', () => {
  const spread = withGaps(frame([10, 20, 60, 70, 100], [1, 2, 6, 7, 10]));
  expect(spread.timestamps).toEqual([10, 20, 30, 60, 70, 80, 100]);
  expect(spread.series[0]?.avg).toEqual([1, 2, null, 6, 7, null, 10]);
  const whole = frame([10, 20], [1, null]);
  expect(withGaps(whole)).toBe(whole);
});

test('statistics over what is visible', () => {
  const times = [10, 20, 30, 40];
  expect(statistics(times, column([1, 2, 3, 10]), 20, 30)).toEqual({ points: 2, last: 3, min: 2, avg: 2.5, max: 3 });
  expect(statistics(times, column([1, null, 3, null]), 0, 99)).toEqual({ points: 2, last: 3, min: 1, avg: 2, max: 3 });
  expect(statistics(times, column([null, null, null, null]), 0, 99)).toEqual({ points: 0, last: null, min: null, avg: null, max: null });
  expect(statistics(times, column([5, 5, 5, 5], [1, 2, 3, 4], [9, 8, 7, 6]), 20, 99)).toEqual({ points: 3, last: 5, min: 2, avg: 5, max: 8 });
});

test('raw frames have no bands', () => {
  expect(raw(frame([1], [1]))).toBe(true);
  expect(raw({ ...frame([1]), series: [column([1], [1], [1])] })).toBe(false);
});
