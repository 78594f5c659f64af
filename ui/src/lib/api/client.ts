// Asks Taffrail's API, relative to the address the page came from. Every failure is an ApiError
// with a reason and, where something helps, an advice.
import { base } from '../base';
import { t } from '../text/text';
import { ApiError } from './error';
import { pathOf } from '../path';
import type {
  Answer,
  ContainerItem,
  Diagnosis,
  EventQuery,
  Events,
  FoundItem,
  List,
  ListQuery,
  NamespaceDetail,
  NamespaceItem,
  NodeDetail,
  NodeItem,
  Overview,
  PodDetail,
  PodItem,
  Problems,
  Query,
  ReplicaHistory,
  Sizing,
  SizingQuery,
  Status,
  Subject,
  TargetItem,
  VolumeItem,
  Why,
  WorkloadDetail,
  WorkloadItem,
} from './types';

export const PREFIX = 'api/taffrail/v1/';

/** No answer of ours takes this long; a proxy that swallows the request does. */
const TIMEOUT_MS = 20_000;

export const streamUrl = (): URL => new URL(`${PREFIX}stream`, base);

export interface Asked {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** How long an answer may take, in milliseconds. */
  patience?: number;
}

/** Told when the server does not know who asks; what it wants to see with every change. */
export const door: { closed: () => void; csrf: string } = { closed: () => undefined, csrf: '' };

/** The headers of whatever changes something: other sites' pages cannot send them. */
export const guarded = (): Record<string, string> => (door.csrf ? { 'x-taffrail-csrf': door.csrf } : {});

/** Asks Taffrail's own API; a `body` is posted. */
export const ask = <T>(path: string, signal?: AbortSignal, body?: unknown): Promise<T> => request<T>(path, { signal, body, method: body === undefined ? 'GET' : 'POST' });

export function request<T>(path: string, { method = 'GET', body, headers = {}, signal, patience = TIMEOUT_MS }: Asked): Promise<T> {
  const init: RequestInit = { method, headers: { ...headers, ...(method === 'GET' ? {} : guarded()), ...(body === undefined ? {} : { 'content-type': 'application/json' }) } };
  if (body !== undefined) init.body = JSON.stringify(body);
  return received(new URL(PREFIX + path, base), init, signal, patience, refusal);
}

/** The JSON that `url` answers; `refused` reads why where it does not. */
export async function received<T>(url: URL, init: RequestInit, signal: AbortSignal | undefined, timeout: number, refused: (status: number, answer: unknown) => ApiError): Promise<T> {
  // AbortSignal.timeout and any would hold on to every request until its time is up.
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = setTimeout(end, timeout);
  signal?.addEventListener('abort', end);
  try {
    return await answered<T>(url, { ...init, signal: ending.signal, headers: { accept: 'application/json', ...init.headers } }, signal, refused);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}

async function answered<T>(url: URL, init: RequestInit, signal: AbortSignal | undefined, refused: (status: number, answer: unknown) => ApiError): Promise<T> {
  let response: Response;
  try {
    signal?.throwIfAborted();
    response = await fetch(url, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(t.errors.network, t.errors.networkAdvice);
  }
  if (response.status === 401 && !url.pathname.endsWith('/session')) door.closed();
  if (response.status === 204) return null as T;
  const answer: unknown = await response.json().catch(() => {
    if (signal?.aborted) throw signal.reason;
    return null;
  });
  if (!response.ok) throw refused(response.status, answer);
  if (answer === null || typeof answer !== 'object') throw new ApiError(t.errors.notJson, t.errors.notJsonAdvice, response.status);
  return answer as T;
}

export function refusal(status: number, answer: unknown): ApiError {
  const error = (answer as { error?: { reason?: unknown; advice?: unknown } } | null)?.error;
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return new ApiError(text(error?.reason) || t.errors.status(status), text(error?.advice), status);
}

export function list(path: string, query: object): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== '') parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

/** Where events are saved from. */
export const eventsFile = (query: EventQuery, format: 'csv' | 'ndjson'): string => new URL(PREFIX + list('events/export', { ...query, format }), base).href;

export const api = {
  status: (signal?: AbortSignal) => ask<Status>('status', signal),
  overview: (signal?: AbortSignal) => ask<Overview>('overview', signal),
  node: (name: string, signal?: AbortSignal) => ask<NodeDetail>(pathOf('nodes', name), signal),
  namespace: (name: string, signal?: AbortSignal) => ask<NamespaceDetail>(pathOf('namespaces', name), signal),
  pod: (namespace: string, name: string, signal?: AbortSignal) => ask<PodDetail>(pathOf('pods', namespace, name), signal),
  workload: (namespace: string, kind: string, name: string, signal?: AbortSignal) => ask<WorkloadDetail>(pathOf('workloads', namespace, kind, name), signal),
  replicas: (namespace: string, kind: string, name: string, asked: { start: number; end: number; points: number }, signal?: AbortSignal) => ask<ReplicaHistory>(list(`${pathOf('workloads', namespace, kind, name)}/replicas`, asked), signal),
  problems: (query: ListQuery, signal?: AbortSignal) => ask<Problems>(list('problems', query), signal),
  namespaces: (query: ListQuery, signal?: AbortSignal) => ask<List<NamespaceItem>>(list('namespaces', query), signal),
  workloads: (query: ListQuery, signal?: AbortSignal) => ask<List<WorkloadItem>>(list('workloads', query), signal),
  containers: (query: ListQuery, signal?: AbortSignal) => ask<List<ContainerItem>>(list('containers', query), signal),
  volumes: (query: ListQuery, signal?: AbortSignal) => ask<List<VolumeItem>>(list('volumes', query), signal),
  search: (q: string, limit: number, signal?: AbortSignal) => ask<{ total: number; items: FoundItem[] }>(list('search', { q, limit }), signal),
  events: (query: EventQuery, signal?: AbortSignal) => ask<Events>(list('events', query), signal),
  sizing: (query: SizingQuery, signal?: AbortSignal) => ask<Sizing>(list('sizing', query), signal),
  diagnosis: (signal?: AbortSignal) => ask<Diagnosis>('diagnosis', signal),
  why: (subject: Subject, metric: string, signal?: AbortSignal) => ask<Why>(list('why', { ...subject, metric }), signal),
  nodes: (query: ListQuery, signal?: AbortSignal) => ask<List<NodeItem>>(list('nodes', query), signal),
  pods: (query: ListQuery, signal?: AbortSignal) => ask<List<PodItem>>(list('pods', query), signal),
  targets: (signal?: AbortSignal) => ask<{ timestamp: number | null; items: TargetItem[] }>('targets', signal),
  query: (query: Query, signal?: AbortSignal) => ask<Answer>('query', signal, query),
};
