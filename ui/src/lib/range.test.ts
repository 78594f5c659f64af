import { expect, test } from 'vitest';
import { DEFAULT, formatSpan, interval, parseRange, parseSpan, rangeQuery, visible, widened, type Range } from './range';

const NOW = 1_795_425_600_000;
const MINUTE = 60_000;

test.each([
  ['90m', 90 * MINUTE],
  ['1h', 60 * MINUTE],
  ['2d', 2880 * MINUTE],
  ['5s', 5000],
  ['1s', null],
  ['h', null],
  ['-5m', null],
  ['5 m', null],
  ['', null],
])('span %s', (text, length) => expect(parseSpan(text)).toBe(length));

test.each([
  [15 * MINUTE, '15m'],
  [60 * MINUTE, '1h'],
  [1440 * MINUTE, '1d'],
  [90_000, '90s'],
])('%s ms written', (length, text) => {
  expect(formatSpan(length)).toBe(text);
  expect(parseSpan(text)).toBe(length);
});

test.each<[string, Range]>([
  ['', DEFAULT],
  ['range=1h', { kind: 'live', length: 60 * MINUTE }],
  ['range=nonsense', DEFAULT],
  [`from=${NOW - MINUTE}&to=${NOW}`, { kind: 'fixed', from: NOW - MINUTE, to: NOW }],
  [`from=${NOW}&to=${NOW - MINUTE}`, DEFAULT],
  [`from=${NOW}`, DEFAULT],
  [`from=1&to=2`, DEFAULT],
  [`range=5m&from=${NOW - MINUTE}&to=${NOW}`, { kind: 'fixed', from: NOW - MINUTE, to: NOW }],
])('query %s', (query, range) => expect(parseRange(new URLSearchParams(query))).toEqual(range));

test('a range survives the URL', () => {
  for (const range of [DEFAULT, { kind: 'live', length: 30 * MINUTE }, { kind: 'fixed', from: NOW - MINUTE, to: NOW }] as Range[]) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(rangeQuery(range))) if (value !== null) query.set(name, value);
    expect(parseRange(query)).toEqual(range);
  }
});

test('a live range follows the present', () => {
  expect(interval(DEFAULT, NOW)).toEqual({ from: NOW - 15 * MINUTE, to: NOW });
  expect(interval({ kind: 'fixed', from: 1, to: 2 }, NOW)).toEqual({ from: 1, to: 2 });
});

test('a young history is drawn from its beginning', () => {
  expect(visible(DEFAULT, NOW, null)).toEqual({ from: NOW - 15 * MINUTE, to: NOW });
  expect(visible(DEFAULT, NOW, NOW - 60 * MINUTE)).toEqual({ from: NOW - 15 * MINUTE, to: NOW });
  expect(visible(DEFAULT, NOW, NOW - 5 * MINUTE)).toEqual({ from: NOW - 5 * MINUTE, to: NOW });
  expect(visible(DEFAULT, NOW, NOW - 10_000)).toEqual({ from: NOW - 10_000, to: NOW + 110_000 });
  expect(visible({ kind: 'fixed', from: 1, to: 2 }, NOW, NOW)).toEqual({ from: 1, to: 2 });
});

test('zooming out doubles and stays before now', () => {
  expect(widened({ from: NOW - 40 * MINUTE, to: NOW - 20 * MINUTE }, NOW)).toEqual({ from: NOW - 50 * MINUTE, to: NOW - 10 * MINUTE });
  expect(widened({ from: NOW - 20 * MINUTE, to: NOW }, NOW)).toEqual({ from: NOW - 40 * MINUTE, to: NOW });
});
