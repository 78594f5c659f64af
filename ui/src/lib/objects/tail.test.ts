import { describe, expect, test } from 'vitest';
import { Tail } from './tail';

const line = (time: string, text: string) => ({ source: 'a/b', place: 0, time, text });

describe('Tail', () => {
  test('lines stand in the order of their times, equal ones as they came', () => {
    const tail = new Tail();
    for (const [time, text] of [['2', 'b'], ['3', 'c'], ['1', 'a'], ['2', 'B']] as const) tail.add(line(time, text));
    expect(tail.lines().map(({ text }) => text)).toEqual(['a', 'b', 'B', 'c']);
  });
  test('a line knows how grave it says it is', () => {
    const tail = new Tail();
    for (const text of ['level=warn slow', 'slow']) tail.add(line('1', text));
    expect(tail.lines().map(({ level }) => level)).toEqual(['warn', null]);
  });
  test('it holds a bounded number of lines and characters', () => {
    const tail = new Tail();
    for (let index = 0; index < 6000; index += 1) tail.add(line(String(index).padStart(5, '0'), 'x'));
    expect(tail.lines().length).toBe(5000);
    expect(tail.dropped).toBe(1000);
    for (let index = 0; index < 600; index += 1) tail.add(line('9', 'y'.repeat(20_000)));
    expect(tail.lines().reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(8_000_000);
  });
});
