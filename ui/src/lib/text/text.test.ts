import { expect, test } from 'vitest';
import { en } from './en';
import { zh } from './zh';

/** Words that are the same in every language: names, units, patterns. */
const SAME = /^[\s\d\p{P}\p{S}]*$|^(zh|en|Taffrail|UTC|CPU|RSS|UID|Pod|YAML|PromQL|CSV|PNG|p50|p95|Kubelet|inode|HPA|OTLP|\/s)$/u;

function walk(a: unknown, b: unknown, path: string): void {
  expect(typeof b, path).toBe(typeof a);
  if (typeof a === 'function' && typeof b === 'function') {
    expect(b.length, `${path}: parameters`).toBeLessThanOrEqual(a.length);
    const given = Array.from({ length: a.length }, (_, index) => `A${index}Z`);
    const [left, right] = [String(a(...given)), String(b(...given))];
    // What goes into the one sentence goes into the other.
    for (const value of given) if (left.includes(value)) expect(right, `${path} leaves out ${value}`).toContain(value);
    if (/[a-z]{3}/.test(left)) expect(right, path).toMatch(/[^\x00-\x7f]/);
  } else if (typeof a === 'object' && a !== null && typeof b === 'object' && b !== null) {
    expect(Object.keys(b).sort(), path).toEqual(Object.keys(a).sort());
    for (const [key, value] of Object.entries(a)) walk(value, (b as Record<string, unknown>)[key], `${path}.${key}`);
  } else if (typeof a === 'string' && typeof b === 'string') {
    expect(b.trim().length > 0, `${path} is empty`).toBe(a.trim().length > 0);
    if (a === b && !SAME.test(a)) untranslated.push(path);
  }
}

const untranslated: string[] = [];

test('the Chinese catalogue says all that the English one does', () => {
  walk(en, zh, 't');
  // Keys, commands, examples and values of the API stand as they are.
  const literal = /\.(keys\.list|logs\.ages)\.\d+\.0$|\.(hint|title|freeHint)$|callers|kinds|explore\.hint/;
  expect(untranslated.filter((path) => !literal.test(path))).toEqual([]);
});
