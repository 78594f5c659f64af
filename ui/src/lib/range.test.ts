import { expect, test } from 'vitest';
import { DEFAULT, formatSpan, interval, moved, parseFree, parseRange, parseSpan, rangeQuery, visible, widened, type Range } from './range';

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
  [`from=${NOW - MINUTE}`, { kind: 'fixed', from: NOW - MINUTE, to: NOW }],
  [`from=now-6h&to=now`, { kind: 'live', length: 360 * MINUTE }],
  [`from=1&to=2`, DEFAULT],
  [`range=5m&from=${NOW - MINUTE}&to=${NOW}`, { kind: 'fixed', from: NOW - MINUTE, to: NOW }],
])('query %s', (query, range) => expect(parseRange(new URLSearchParams(query), NOW)).toEqual(range));

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

const at = (text: string): number => new Date(text).getTime();
const DAY = new Date(new Date(NOW).getFullYear(), new Date(NOW).getMonth(), new Date(NOW).getDate()).getTime();
const live = (minutes: number): Range => ({ kind: 'live', length: minutes * MINUTE });
const fixed = (from: number, to: number): Range => ({ kind: 'fixed', from, to });

test.each([
  ['90m', live(90)],
  ['last 2 days', live(2880)],
  ['Last hour', live(60)],
  ['past 3 hours', live(180)],
  ['最近2天', live(2880)],
  ['now-6h', live(360)],
  ['now-2h to now-1h', fixed(NOW - 120 * MINUTE, NOW - 60 * MINUTE)],
  ['today', fixed(DAY, NOW)],
  ['yesterday', fixed(at(new Date(DAY - 12 * 60 * MINUTE).toDateString()), DAY)],
  ['2026-11-20', fixed(at('2026-11-20T00:00'), at('2026-11-21T00:00'))],
  ['2026-11-20 14:00 – 2026-11-20 15:30', fixed(at('2026-11-20T14:00'), at('2026-11-20T15:30'))],
  ['2026-11-20..2026-11-21', fixed(at('2026-11-20T00:00'), at('2026-11-22T00:00'))],
  ['1795420000 - 1795425000', fixed(1_795_420_000_000, 1_795_425_000_000)],
  ['2026-13-01', null],
  ['tomorrow', null],
  ['', null],
  ['now-6h to now-7h', null],
  ['99999999999999999999h', null],
])('typed %s', (text, range) => expect(parseFree(text, NOW)).toEqual(range));

test('a range moves by half, never past now', () => {
  expect(moved({ from: 0, to: 100 }, -1, 1000)).toEqual({ from: -50, to: 50 });
  expect(moved({ from: 0, to: 100 }, 1, 120)).toEqual({ from: 20, to: 120 });
});
