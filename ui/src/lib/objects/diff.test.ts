import { describe, expect, test } from 'vitest';
import { changed } from './diff';

const signs = (before: string[], after: string[]): string[] => changed(before.join('\n'), after.join('\n')).map(({ sign, text }) => sign + text);

describe('changed', () => {
  test('same texts have no changes', () => expect(signs(['a', 'b'], ['a', 'b'])).toEqual([]));
  test('a changed line stands with those around it', () =>
    expect(signs(['1', '2', '3', '4', '5', '6', '7', '8', '9'], ['1', '2', '3', '4', 'x', '6', '7', '8', '9'])).toEqual([' 2', ' 3', ' 4', '-5', '+x', ' 6', ' 7', ' 8']));
  test('added and removed lines', () => {
    expect(signs(['a', 'c'], ['a', 'b', 'c'])).toEqual([' a', '+b', ' c']);
    expect(signs(['a', 'b', 'c', 'd'], ['b', 'x', 'd'])).toEqual(['-a', ' b', '-c', '+x', ' d']);
  });
  test('very long texts are bounded', () => {
    const many = (word: string): string[] => Array.from({ length: 3000 }, (_, index) => `${word}${index}`);
    expect(signs(many('a'), many('b')).length).toBe(6000);
  });
});
