// Asks Prometheus' HTTP API, which the server has at `api/v1/`.
import { base } from '../base';
import { refusal } from '../promql/refusal';
import { received } from './client';

/** The server ends a query after two minutes. */
const TIMEOUT_MS = 125_000;

/** Longer addresses are refused by some proxies; the form is sent as a body instead. */
const LONGEST_ADDRESS = 2_000;

export type Labels = Record<string, string>;

/** Seconds since the epoch, and the value as Prometheus writes it: `1`, `NaN`, `+Inf`. */
export type Sample = [number, string];

export interface Series {
  metric: Labels;
  values: Sample[];
}

export type Result =
  | { resultType: 'vector'; result: { metric: Labels; value: Sample }[] }
  | { resultType: 'matrix'; result: Series[] }
  | { resultType: 'scalar' | 'string'; result: Sample };

export interface Metadata {
  type: string;
  help: string;
  unit: string;
}

async function ask<T>(path: string, fields: Record<string, string>, signal?: AbortSignal): Promise<T> {
  const url = new URL(`api/v1/${path}`, base);
  const form = new URLSearchParams(fields);
  const long = form.toString().length > LONGEST_ADDRESS;
  if (!long) url.search = form.toString();
  const { data } = await received<{ data: T }>(url, long ? { method: 'POST', body: form } : {}, signal, TIMEOUT_MS, refusal);
  return data;
}

const seconds = (milliseconds: number): string => String(milliseconds / 1000);

export const prometheus = {
  query: (query: string, time: number, signal?: AbortSignal) => ask<Result>('query', { query, time: seconds(time) }, signal),
  range: (query: string, start: number, end: number, step: number, signal?: AbortSignal) =>
    ask<{ resultType: 'matrix'; result: Series[] }>('query_range', { query, start: seconds(start), end: seconds(end), step: seconds(step) }, signal),
  metadata: (signal?: AbortSignal) => ask<Record<string, Metadata[]>>('metadata', {}, signal),
  metrics: (signal?: AbortSignal) => ask<string[]>('label/__name__/values', {}, signal),
  labels: (metric: string, signal?: AbortSignal) => ask<string[]>('labels', metric ? { 'match[]': metric } : {}, signal),
  values: (label: string, metric: string, signal?: AbortSignal) => ask<string[]>(`label/${encodeURIComponent(label)}/values`, metric ? { 'match[]': metric } : {}, signal),
};
