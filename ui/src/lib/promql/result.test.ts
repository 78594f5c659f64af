import { expect, test } from 'vitest';
import { QueryRefusal, refusal } from './refusal';
import { common, frameOf, rowsOf, stepFor, titles, unitOf } from './result';

test('a refusal names the place', () => {
  const error = refusal(400, { error: 'invalid parameter "query": 2:3: parse error: unexpected end of input' });
  expect(error).toBeInstanceOf(QueryRefusal);
  expect(error).toMatchObject({ line: 2, column: 3, reason: 'unexpected end of input', status: 400 });
  expect(refusal(422, { error: 'query needs more than the allowed 5 series' })).not.toBeInstanceOf(QueryRefusal);
});

test('samples stand at their step; what is missing or no number is a gap', () => {
  const frame = frameOf([{ metric: {}, values: [[10, '1'], [20, 'NaN'], [40, '4']] }], 10_000, 40_000, 10_000);
  expect(frame.timestamps).toEqual([10_000, 20_000, 30_000, 40_000]);
  expect(frame.series[0]?.avg).toEqual([1, null, null, 4]);
});

test('series are named by what tells them apart', () => {
  const pods = [{ __name__: 'up', job: 'x', pod: 'a' }, { __name__: 'up', job: 'x', pod: 'b' }];
  expect(titles(pods, 'value')).toEqual(['a', 'b']);
  expect(common(pods)).toEqual([['__name__', 'up'], ['job', 'x']]);
  expect(titles([{ a: '1', b: '"' }, { a: '2' }], '')).toEqual(['{a="1", b="\\""}', '{a="2"}']);
  expect(titles([{}], 'value')).toEqual(['value']);
});

test('a step is round, and not finer than samples are', () => {
  expect([stepFor(900_000, 600, 5_000), stepFor(86_400_000, 600, 5_000), stepFor(30 * 86_400_000, 1000, 5_000)]).toEqual([5_000, 300_000, 3_600_000]);
});

test('answers of every type are rows', () => {
  expect(rowsOf({ resultType: 'scalar', result: [5, '2'] })).toEqual([{ labels: {}, value: '2', at: 5000 }]);
  expect(rowsOf({ resultType: 'matrix', result: [{ metric: { a: 'b' }, values: [[1, '1'], [2, '2']] }] })).toHaveLength(2);
});

test('units are read from names only where nothing changes them', () => {
  expect(['a_bytes', 'sum(rate(a_bytes_total[5m]))', 'a_bytes / b_bytes', 'count(a_bytes)', 'up'].map(unitOf)).toEqual(['bytes', 'bytesPerSecond', 'number', 'number', 'number']);
});
