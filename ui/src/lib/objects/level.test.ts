import { expect, test } from 'vitest';
import { cut, fieldsOf, levelOf, passes } from './level';

test('levels are read as programs write them', () => {
  for (const [text, level] of [
    ['level=warn msg="slow"', 'warn'],
    ['{"severity":"ERROR","message":"x"}', 'error'],
    ['E0102 10:00:00.1 1 main.go:1] x', 'error'],
    ['2026-11-26 10:00:00 [INFO] started', 'info'],
    ['TRACE: x', 'debug'],
    ['an error is no level here', null],
    ['level=strange', null],
    ['', null],
  ] as const) expect(levelOf(text), text).toBe(level);
  expect([passes('error', 'warn'), passes('info', 'warn'), passes(null, 'warn'), passes(null, '')]).toEqual([true, false, false, true]);
});

test('a JSON line is its message and its fields', () => {
  expect(fieldsOf('{"level":"info","msg":"served","took":3,"to":{"a":[1]}}')).toEqual({ message: 'served', fields: [['level', 'info'], ['took', '3'], ['to', '{"a":[1]}']] });
  expect(fieldsOf('{"a":1')).toBeNull();
  expect(fieldsOf('[1]')).toBeNull();
  expect(fieldsOf(`{"a":"${'x'.repeat(20_000)}"}`)).toBeNull();
});

test('matches are every second part', () => {
  expect(cut('abcd', [[1, 2], [3, 4]])).toEqual(['a', 'b', 'c', 'd', '']);
  expect(cut('ab', [[0, 9]])).toEqual(['ab']);
  expect(cut('ab', [])).toEqual(['ab']);
});
