// How grave a log line says it is, and what a structured one says.

export const LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type Level = (typeof LEVELS)[number];

const WORDS: Record<string, Level> = {
  fatal: 'error', panic: 'error', critical: 'error', crit: 'error', alert: 'error', emerg: 'error', error: 'error', err: 'error', severe: 'error', e: 'error', f: 'error',
  warning: 'warn', warn: 'warn', w: 'warn',
  notice: 'info', info: 'info', information: 'info', i: 'info',
  debug: 'debug', trace: 'debug', verbose: 'debug', d: 'debug',
};
/** What is looked at: levels stand at the beginning. */
const LOOKED_AT = 400;
const NAMED = /["']?(?:level|lvl|severity)["']?\s*[=:]\s*["']?([a-z]+)/i;
const KLOG = /^([IWEF])\d{4} /;
const SHOUTED = /(?:^|[\s[(])(FATAL|PANIC|CRITICAL|ERROR|ERR|WARNING|WARN|NOTICE|INFO|DEBUG|TRACE)(?:[\s\]):]|$)/;

/** Null where it does not say. */
export function levelOf(text: string): Level | null {
  const start = text.slice(0, LOOKED_AT);
  const word = KLOG.exec(start)?.[1] ?? NAMED.exec(start)?.[1] ?? SHOUTED.exec(start)?.[1];
  return word === undefined ? null : (WORDS[word.toLowerCase()] ?? null);
}

/** Whether a line is at least as grave as `least`; one that does not say passes only where all do. */
export const passes = (level: Level | null, least: Level | ''): boolean => least === '' || (level !== null && LEVELS.indexOf(level) <= LEVELS.indexOf(least));

/** Longest line that is read as JSON. */
const LONGEST = 16_384;
const MESSAGES = ['message', 'msg', 'log', 'text'];

/** The message of a JSON line and its other fields, in their order; null for other lines. */
export function fieldsOf(text: string): { message: string; fields: [string, string][] } | null {
  if (!text.startsWith('{') || text.length > LONGEST) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  const words = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  const all = Object.entries(parsed).map(([key, value]): [string, string] => [key, words(value)]);
  const name = MESSAGES.find((one) => all.some(([key]) => key === one));
  return { message: all.find(([key]) => key === name)?.[1] ?? '', fields: all.filter(([key]) => key !== name) };
}

/** A text cut where its matches begin and end: every second part is a match. */
export function cut(text: string, matches: [number, number][]): string[] {
  const parts: string[] = [];
  let at = 0;
  for (const [start, end] of matches) {
    if (start < at || end > text.length) break;
    parts.push(text.slice(at, start), text.slice(start, end));
    at = end;
  }
  return [...parts, text.slice(at)];
}
