// Columns of samples with shared timestamps: joining, cutting, gaps, statistics.
// It knows neither units nor drawing.

export type Value = number | null;

export interface Column {
  unit: string;
  avg: Value[];
  /** Null where nothing was downsampled. */
  min: Value[] | null;
  max: Value[] | null;
}

export interface Frame {
  timestamps: number[];
  stepMs: number;
  series: Column[];
}

/** More than this many steps without a sample is a gap. */
const GAP = 1.5;

/** Whether the frame holds samples as they were measured. */
export function raw(frame: Frame): boolean {
  return frame.series.every((column) => column.min === null && column.max === null);
}

/** The first index whose timestamp is not before `timestamp`. */
export function lowerBound(timestamps: readonly number[], timestamp: number): number {
  let low = 0;
  let high = timestamps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timestamps[middle] ?? Infinity) < timestamp) low = middle + 1;
    else high = middle;
  }
  return low;
}

function cut(frame: Frame, start: number, end: number): Frame {
  const part = (values: Value[] | null): Value[] | null => values && values.slice(start, end);
  return {
    stepMs: frame.stepMs,
    timestamps: frame.timestamps.slice(start, end),
    series: frame.series.map((column) => ({ unit: column.unit, avg: column.avg.slice(start, end), min: part(column.min), max: part(column.max) })),
  };
}

/** The samples from `from` on. */
export function since(frame: Frame, from: number): Frame {
  return cut(frame, lowerBound(frame.timestamps, from), frame.timestamps.length);
}

/** `frame` with `tail` behind it; where both have a timestamp, the tail's samples hold. */
export function joined(frame: Frame, tail: Frame): Frame {
  const first = tail.timestamps[0];
  if (first === undefined) return frame;
  const head = cut(frame, 0, lowerBound(frame.timestamps, first));
  const both = (a: Value[] | null, b: Value[] | null): Value[] | null => a && b && a.concat(b);
  return {
    stepMs: frame.stepMs,
    timestamps: head.timestamps.concat(tail.timestamps),
    series: head.series.map((column, index) => {
      const more = tail.series[index] ?? { unit: column.unit, avg: tail.timestamps.map(() => null), min: null, max: null };
      return { unit: more.unit, avg: column.avg.concat(more.avg), min: both(column.min, more.min), max: both(column.max, more.max) };
    }),
  };
}

/** Pauses between neighbouring timestamps that are too long for a line, as `[before, after]`. */
export function gaps(timestamps: readonly number[], stepMs: number): [number, number][] {
  const found: [number, number][] = [];
  for (let index = 1; index < timestamps.length; index += 1) {
    const before = timestamps[index - 1] ?? 0;
    const after = timestamps[index] ?? 0;
    if (stepMs > 0 && after - before > stepMs * GAP) found.push([before, after]);
  }
  return found;
}

/** Like `gaps`, where rows without any value count as missing too. */
export function pauses(frame: Frame): [number, number][] {
  const filled = frame.timestamps.filter((_, index) => frame.series.some((column) => (column.avg[index] ?? null) !== null));
  return gaps(filled, frame.stepMs);
}

/** The frame with an empty row inside every pause, so that no line bridges it. */
export function withGaps(frame: Frame): Frame {
  const missing = gaps(frame.timestamps, frame.stepMs);
  if (missing.length === 0) return frame;
  const sources: number[] = [];
  const timestamps: number[] = [];
  let next = 0;
  frame.timestamps.forEach((timestamp, index) => {
    const pause = missing[next];
    if (pause && pause[1] === timestamp) {
      sources.push(-1);
      timestamps.push(pause[0] + frame.stepMs);
      next += 1;
    }
    sources.push(index);
    timestamps.push(timestamp);
  });
  const spread = (values: Value[]): Value[] => sources.map((source) => (source < 0 ? null : (values[source] ?? null)));
  return {
    stepMs: frame.stepMs,
    timestamps,
    series: frame.series.map((column) => ({
      unit: column.unit,
      avg: spread(column.avg),
      min: column.min && spread(column.min),
      max: column.max && spread(column.max),
    })),
  };
}

export interface Statistics {
  points: number;
  last: Value;
  min: Value;
  avg: Value;
  max: Value;
}

/** Over the samples in `[from, to]`; the last one is the newest that has a value. */
export function statistics(timestamps: readonly number[], column: Column, from: number, to: number): Statistics {
  let points = 0;
  let sum = 0;
  let last: Value = null;
  let min = Infinity;
  let max = -Infinity;
  for (let index = lowerBound(timestamps, from); index < timestamps.length && (timestamps[index] ?? Infinity) <= to; index += 1) {
    const value = column.avg[index];
    if (value === null || value === undefined) continue;
    points += 1;
    sum += value;
    last = value;
    min = Math.min(min, column.min?.[index] ?? value);
    max = Math.max(max, column.max?.[index] ?? value);
  }
  if (points === 0) return { points, last: null, min: null, avg: null, max: null };
  return { points, last, min, avg: sum / points, max };
}
