import { expect, test } from 'vitest';
import { age, axisScale, axisSteps, axisTime, axisValue, bytes, clock, cores, count, moment, percent, percentOf, plainNumber, quantity, rate, span } from './format';

const GIB = 2 ** 30;

test.each([
  [null, '–'],
  [undefined, '–'],
  [NaN, '–'],
  [0, '0'],
  [0.44, '0.4m'],
  [1, '1m'],
  [250, '250m'],
  [999.4, '999m'],
  [999.6, '1.00'],
  [1250, '1.25'],
  [44_000, '44.0'],
  [250_400, '250'],
  [12_345_678, '12,346'],
])('cores of %s', (value, text) => expect(cores(value)).toBe(text));

test.each([
  [null, '–'],
  [0, '0 B'],
  [999, '999 B'],
  [1000, '0.98 KiB'],
  [1024, '1.00 KiB'],
  [1536 * 1024, '1.50 MiB'],
  [15 * GIB, '15.0 GiB'],
  [180 * GIB, '180 GiB'],
  [1023.9 * GIB, '1.00 TiB'],
])('bytes of %s', (value, text) => expect(bytes(value)).toBe(text));

test('rates, counts, percents', () => {
  expect(rate(1536)).toBe('1.50 KiB/s');
  expect(rate(null)).toBe('–');
  expect(count(12_345)).toBe('12,345');
  expect(percent(0.44)).toBe('0.4%');
  expect(percent(56.3)).toBe('56%');
  expect(percent(null)).toBe('–');
  expect(percentOf(1, 4)).toBe(25);
  expect(percentOf(1, 0)).toBeNull();
  expect(percentOf(null, 4)).toBeNull();
  expect(quantity(1250, 'millicores')).toBe('1.25');
  expect(quantity(2, 'count')).toBe('2');
});

test.each([
  [null, '–'],
  [132, '132ms'],
  [5_000, '5s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h'],
  [3_661_000, '1h 1m'],
  [183_600_000, '2d 3h'],
])('span of %s', (value, text) => expect(span(value)).toBe(text));

test('age is the largest unit alone', () => {
  expect(age(3_661_000)).toBe('1h');
  expect(age(null)).toBe('–');
});

test('clock times are local, and name the day where it is another', () => {
  const now = new Date(2026, 10, 23, 18, 42, 5).getTime();
  expect(clock(now)).toBe('18:42:05');
  expect(moment(now - 1000, now)).toBe('18:42:04');
  expect(moment(now - 86_400_000, now)).toContain('22');
  expect(axisTime(now, 5_000)).toBe('18:42:05');
  expect(axisTime(now, 60_000)).toBe('18:42');
  expect(axisTime(new Date(2026, 10, 23).getTime(), 3_600_000)).toContain('23');
});

test('one axis has one unit', () => {
  const small = axisScale(800, 'millicores');
  expect(axisValue(250, small)).toBe('250m');
  const large = axisScale(4000, 'millicores');
  expect(axisValue(250, large)).toBe('0.25');
  expect(axisValue(0, large)).toBe('0');
  const memory = axisScale(15 * GIB, 'bytes');
  expect(axisValue(GIB / 2, memory)).toBe('0.5 GiB');
  expect(axisValue(1024, axisScale(4096, 'bytesPerSecond'))).toBe('1 KiB/s');
  expect(axisSteps('bytes')).toContain(2 ** 20);
  expect(axisSteps('millicores')).toContain(250);
});

test('numbers of any size', () => {
  expect([0, 1, 0.00123456, -12.34567, 999, 1234567, 3e-9, null].map(plainNumber)).toEqual(['0', '1', '0.001235', '-12.35', '999', '1.235 M', '3.00e-9', '–']);
  expect(axisScale(2_500_000, 'number')).toEqual({ divisor: 1_000_000, suffix: ' M' });
  expect(axisScale(0.3, 'number')).toEqual({ divisor: 1, suffix: '' });
});
