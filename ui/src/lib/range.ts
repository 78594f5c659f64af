// The time range as the URL holds it: `range=15m` follows the present, `from=…&to=…` stays.
// It does not know what is drawn in it.
import { partsOf, timeOf, utc } from './zone';

export type Range = { kind: 'live'; length: number } | { kind: 'fixed'; from: number; to: number };

/** An interval in milliseconds since the Unix epoch. */
export interface Interval {
  from: number;
  to: number;
}

export const PRESETS = ['5m', '15m', '30m', '1h', '3h', '6h', '12h', '24h', '2d', '7d', '14d', '30d'] as const;

export const DEFAULT = { kind: 'live', length: 15 * 60_000 } as const satisfies Range;

/** Nobody reads less, and a drag this short was a click. */
export const SHORTEST = 5_000;

/** A live range never shows less than this, however young the history is. */
const YOUNGEST = 120_000;

const SIZES: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Longer than any retention. */
const LONGEST = 10 * 366 * 86_400_000;

/** `90m`, `2h`, `1d` in milliseconds; null for anything else. */
export function parseSpan(text: string): number | null {
  const match = /^(\d{1,6})([smhdw])$/.exec(text.trim());
  if (!match) return null;
  const length = Number(match[1]) * (SIZES[match[2] ?? ''] ?? 0);
  return length >= SHORTEST && length <= LONGEST ? length : null;
}

export function formatSpan(length: number): string {
  for (const name of ['d', 'h', 'm']) {
    const size = SIZES[name] ?? 1;
    if (length >= size && length % size === 0) return `${length / size}${name}`;
  }
  return `${Math.round(length / 1000)}s`;
}

export function parseRange(query: URLSearchParams, now: number = Date.now()): Range {
  const [from, to] = [query.get('from'), query.get('to')];
  if (from !== null) return fromTo(from, to ?? 'now', now) ?? DEFAULT;
  const length = parseSpan(query.get('range') ?? '');
  return length === null ? DEFAULT : { kind: 'live', length };
}

function fromTo(from: string, to: string, now: number): Range | null {
  const [start, end] = [parseTime(from, now, false), parseTime(to, now, true)];
  if (start === null || end === null || end - start < SHORTEST || end - start > LONGEST) return null;
  return to.trim().toLowerCase() === 'now' && /^now-/i.test(from.trim()) ? { kind: 'live', length: end - start } : { kind: 'fixed', from: start, to: end };
}

const day = (time: number, shift: number): number => {
  const [year, month, date] = partsOf(time);
  return timeOf([year, month, date + shift, 0, 0, 0]);
};

/** `now-6h`, `today`, `2026-11-20 14:00`, Unix seconds or milliseconds; `end` takes the end of a day. */
export function parseTime(text: string, now: number, end: boolean): number | null {
  const word = text.trim().toLowerCase();
  if (word === 'now' || word === '现在') return now;
  const back = /^now\s*-\s*(\d{1,6}[smhdw])$/.exec(word);
  if (back) {
    const length = parseSpan(back[1] ?? '');
    return length === null ? null : now - length;
  }
  if (word === 'today' || word === '今天') return end ? now : day(now, 0);
  if (word === 'yesterday' || word === '昨天') return day(now, end ? 0 : -1);
  if (/^\d{9,10}$/.test(word)) return Number(word) * 1000;
  if (/^\d{12,14}$/.test(word)) return Number(word);
  const date = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[t ]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?(z)?$/.exec(word);
  if (!date) return null;
  const [year, month, number, hour, minute, second] = date.slice(1, 7).map((part) => Number(part ?? 0)) as [number, number, number, number, number, number];
  if (month < 1 || month > 12 || number < 1 || number > 31 || hour > 24 || minute > 59 || second > 59) return null;
  const whole = date[4] === undefined ? (end ? 1 : 0) : 0;
  return timeOf([year, month - 1, number + whole, hour, minute, second], date[7] ? true : utc);
}

const UNITS: [RegExp, string][] = [
  [/^(s|sec|secs|seconds?|秒)$/, 's'],
  [/^(m|min|mins|minutes?|分|分钟)$/, 'm'],
  [/^(h|hr|hrs|hours?|小时)$/, 'h'],
  [/^(d|days?|天|日)$/, 'd'],
  [/^(w|weeks?|周)$/, 'w'],
];

/** What a person types: `90m`, `last 2 days`, `now-6h`, `yesterday`, `2026-11-20 – 2026-11-22`; null if not understood. */
export function parseFree(text: string, now: number): Range | null {
  const plain = text.trim().toLowerCase().replaceAll(/\s+/g, ' ');
  const last = /^(?:last |past |最近 ?|过去 ?)?(\d{0,6}) ?([a-z\u4e00-\u9fff]+)$/.exec(plain);
  const unit = last && UNITS.find(([form]) => form.test(last[2] ?? ''))?.[1];
  if (last && unit) {
    const length = parseSpan(`${last[1] || '1'}${unit}`);
    if (length !== null) return { kind: 'live', length };
  }
  const parts = plain.split(/ to | – | — | - |\.\.|至|到/);
  if (parts.length === 2) return fromTo(parts[0] ?? '', parts[1] ?? '', now);
  if (parts.length !== 1) return null;
  if (plain === 'today' || plain === '今天') return fromTo('today', 'now', now);
  if (plain === 'yesterday' || plain === '昨天' || /^\d{4}-\d{1,2}-\d{1,2}$/.test(plain)) return fromTo(plain, plain, now);
  return fromTo(plain, 'now', now);
}

/** The URL parameters of a range; null removes one. */
export function rangeQuery(range: Range): Record<string, string | null> {
  if (range.kind === 'fixed') return { from: String(Math.round(range.from)), to: String(Math.round(range.to)), range: null };
  return { from: null, to: null, range: range.length === DEFAULT.length ? null : formatSpan(range.length) };
}

/** What is asked of the server. */
export function interval(range: Range, now: number): Interval {
  return range.kind === 'fixed' ? { from: range.from, to: range.to } : { from: now - range.length, to: now };
}

/** What is drawn: a live range that reaches before the first point begins at that point. */
export function visible(range: Range, now: number, first: number | null): Interval {
  const whole = interval(range, now);
  if (range.kind === 'fixed' || first === null || first <= whole.from) return whole;
  return { from: first, to: Math.max(whole.to, first + Math.min(range.length, YOUNGEST)) };
}

/** Twice the interval around its middle, never past `now`. */
export function widened({ from, to }: Interval, now: number): Interval {
  const half = (to - from) / 2;
  const end = Math.min(to + half, Math.max(now, to));
  return { from: Math.round(end - 4 * half), to: Math.round(end) };
}

/** The interval moved by half its length; never past `now`. */
export function moved({ from, to }: Interval, direction: -1 | 1, now: number): Interval {
  const half = (to - from) / 2;
  const shift = direction < 0 ? -half : Math.min(half, Math.max(0, now - to));
  return { from: Math.round(from + shift), to: Math.round(to + shift) };
}
