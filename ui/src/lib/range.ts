// The time range as the URL holds it: `range=15m` follows the present, `from=…&to=…` stays.
// It does not know what is drawn in it.

export type Range = { kind: 'live'; length: number } | { kind: 'fixed'; from: number; to: number };

/** An interval in milliseconds since the Unix epoch. */
export interface Interval {
  from: number;
  to: number;
}

export const PRESETS = ['5m', '15m', '30m', '1h'] as const;

export const DEFAULT = { kind: 'live', length: 15 * 60_000 } as const satisfies Range;

/** Nobody reads less, and a drag this short was a click. */
export const SHORTEST = 5_000;

/** A live range never shows less than this, however young the history is. */
const YOUNGEST = 120_000;

const SIZES: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `2h`, `1d` in milliseconds; null for anything else. */
export function parseSpan(text: string): number | null {
  const match = /^(\d{1,6})([smhd])$/.exec(text.trim());
  if (!match) return null;
  const length = Number(match[1]) * (SIZES[match[2] ?? ''] ?? 0);
  return length >= SHORTEST ? length : null;
}

export function formatSpan(length: number): string {
  for (const name of ['d', 'h', 'm']) {
    const size = SIZES[name] ?? 1;
    if (length >= size && length % size === 0) return `${length / size}${name}`;
  }
  return `${Math.round(length / 1000)}s`;
}

export function parseRange(query: URLSearchParams): Range {
  const from = timestamp(query.get('from'));
  const to = timestamp(query.get('to'));
  if (from !== null && to !== null && to - from >= SHORTEST) return { kind: 'fixed', from, to };
  const length = parseSpan(query.get('range') ?? '');
  return length === null ? DEFAULT : { kind: 'live', length };
}

function timestamp(text: string | null): number | null {
  return text !== null && /^\d{12,14}$/.test(text) ? Number(text) : null;
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
