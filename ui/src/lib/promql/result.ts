// Answers of Prometheus' API as frames to draw and rows to read.
import type { Labels, Result, Sample, Series } from '../api/prometheus';
import type { Column, Frame, Value } from '../frame';

/** Steps that read well; a step between them shifts with every pixel of the page's width. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400].map((seconds) => seconds * 1_000);

/** The step at which `length` milliseconds have at most `points` points, not below `resolution`. */
export function stepFor(length: number, points: number, resolution: number): number {
  const least = Math.max(length / points, resolution, 1_000);
  return STEPS.find((step) => step >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000;
}

export function numberOf(sample: Sample | undefined): Value {
  if (!sample) return null;
  const value = Number(sample[1]);
  return Number.isFinite(value) ? value : null;
}

/** Series over one grid of times; where one has no sample, or one that is no number, is a gap. */
export function frameOf(series: Series[], start: number, end: number, step: number): Frame {
  const timestamps: number[] = [];
  for (let at = start; at <= end; at += step) timestamps.push(at);
  const columns = series.map(({ values }): Column => {
    const avg: Value[] = timestamps.map(() => null);
    for (const sample of values) {
      const index = Math.round((sample[0] * 1000 - start) / step);
      if (index >= 0 && index < avg.length) avg[index] = numberOf(sample);
    }
    return { unit: '', avg, min: null, max: null };
  });
  return { timestamps, stepMs: step, series: columns };
}

/** Labels that not all share, sorted; the name first where it differs. */
export function varying(all: Labels[]): string[] {
  const names = new Set(all.flatMap(Object.keys));
  return [...names].filter((name) => all.some((labels) => labels[name] !== all[0]?.[name])).sort();
}

/** Labels that all share, as in `namespace="web"`. */
export function common(all: Labels[]): [string, string][] {
  const different = new Set(varying(all));
  return Object.entries(all[0] ?? {}).filter(([name]) => !different.has(name)).sort();
}

/** What tells each from the others: `node-1`, or `{node="node-1",pod="a"}` where more labels differ. */
export function titles(all: Labels[], alone: string): string[] {
  const names = varying(all);
  return all.map((labels) => {
    if (names.length === 0) return labels['__name__'] ?? alone;
    if (names.length === 1) return labels[names[0] ?? ''] || '""';
    const head = names.includes('__name__') ? (labels['__name__'] ?? '') : '';
    const pairs = names.filter((name) => name !== '__name__' && labels[name] !== undefined).map((name) => `${name}=${JSON.stringify(labels[name])}`);
    return `${head}{${pairs.join(', ')}}`;
  });
}

export interface ResultRow {
  labels: Labels;
  value: string;
  at: number;
}

/** One row for each sample of an answer of any type. */
export function rowsOf({ resultType, result }: Result): ResultRow[] {
  if (resultType === 'vector') return result.map(({ metric, value }) => ({ labels: metric, value: value[1], at: value[0] * 1000 }));
  if (resultType === 'matrix') return result.flatMap(({ metric, values }) => values.map(([at, value]) => ({ labels: metric, value, at: at * 1000 })));
  return [{ labels: {}, value: result[1], at: result[0] * 1000 }];
}

/** The unit of an expression's values, as far as the names in it tell. */
export function unitOf(expression: string): 'bytes' | 'bytesPerSecond' | 'number' {
  const rated = /\b(i?rate|deriv)\s*\(/.test(expression) || /_bytes_per_second\b/.test(expression);
  if (/\s[/]\s|\bcount(_over_time)?\b|==|>|</.test(expression) || !/_bytes(_total|_per_second)?\b/.test(expression)) return 'number';
  return rated ? 'bytesPerSecond' : 'bytes';
}
