// Objects of the cluster and what is done with them, asked for with the signed-in person's rights.
import { base } from '../base';
import { pathOf } from '../path';
import { PREFIX, request } from './client';

export interface KindAddress {
  /** Empty for the core group. */
  group: string;
  version: string;
  plural: string;
}

export interface Kind extends KindAddress {
  kind: string;
  namespaced: boolean;
  verbs: string[];
  short: string[];
  subresources: string[];
}

export interface ObjectColumn {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
}

export interface ObjectRow {
  namespace: string;
  name: string;
  uid: string;
  created: string;
  cells: unknown[];
  deleting: boolean;
}

export interface ObjectPage {
  columns: ObjectColumn[];
  total: number;
  items: ObjectRow[];
  loaded: boolean;
  live: boolean;
  capped: boolean;
  trouble: { reason: string; advice: string } | null;
}

/** An object as JSON: any fields. */
export type Thing = Record<string, any>;

export interface Owner {
  group?: string;
  version?: string;
  plural?: string;
  kind: string;
  namespace: string;
  name: string;
}

export interface One {
  object: Thing;
  masked: boolean;
  owners: Owner[];
}

export interface ObjectEvent {
  type: string;
  reason: string;
  message: string;
  count: number | null;
  first: string | null;
  last: string | null;
  source: string | null;
}

export interface Revision {
  revision: number;
  created: string | null;
  current: boolean;
  images: string[];
}

/** The HorizontalPodAutoscaler of a workload. */
export interface Scaler {
  name: string;
  min: number;
  max: number | null;
  current: number | null;
  wanted: number | null;
  created: number | null;
  metrics: { name: string; target: string; current: string | null }[];
}

export interface Place extends KindAddress {
  /** Empty for what is in none. */
  namespace: string;
  name: string;
}

export interface Applied {
  before: Thing | null;
  object: Thing;
  address: KindAddress;
  namespace: string;
  name: string;
}

const kindPath = ({ group, version, plural }: KindAddress): string => pathOf(group || 'core', version, plural);
const placePath = (place: Place): string => `${kindPath(place)}/${pathOf(place.namespace || '-', place.name)}`;

/** The page of a kind's list, of an object and of its logs, below the dashboard's root. */
export const objectPage = {
  list: (kind: KindAddress): string => `objects/${kindPath(kind)}`,
  one: (place: Place): string => `objects/${placePath(place)}`,
  logs: ({ namespace, plural, name }: Pick<Place, 'namespace' | 'plural' | 'name'>): string => `logs/${pathOf(namespace, plural, name)}`,
};

/** Group and plural of the kinds that are measured. */
export const PLURALS: Record<string, [string, string]> = {
  Pod: ['', 'pods'],
  Node: ['', 'nodes'],
  Namespace: ['', 'namespaces'],
  Deployment: ['apps', 'deployments'],
  StatefulSet: ['apps', 'statefulsets'],
  DaemonSet: ['apps', 'daemonsets'],
  ReplicaSet: ['apps', 'replicasets'],
  ReplicationController: ['', 'replicationcontrollers'],
  Job: ['batch', 'jobs'],
  CronJob: ['batch', 'cronjobs'],
};

/** Kinds that run pods and select them by labels. */
export const SELECTING = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'];

/** The page of the logs of a thing; null where its kind has none. */
export function logsPage(kind: string, namespace: string, name: string): string | null {
  const plural = kind === 'Pod' || SELECTING.includes(kind) ? PLURALS[kind]?.[1] : undefined;
  return plural === undefined ? null : objectPage.logs({ namespace, plural, name });
}

/** As an address writes it. */
export const placeOf = (group: string, version: string, plural: string, namespace: string, name: string): Place => ({
  group: group === 'core' ? '' : group,
  version,
  plural,
  namespace: namespace === '-' ? '' : namespace,
  name,
});

export function objectsUrl(way: 'list' | 'stream', kind: KindAddress, query: Record<string, string>): URL {
  const url = new URL(`${PREFIX}objects/${way}/${kindPath(kind)}`, base);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  return url;
}

/** A key that makes an action happen once, however often it is asked for. */
export const newKey = (): string => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

const post = <T>(path: string, body: unknown, key: string): Promise<T> => request<T>(path, { method: 'POST', body, headers: key ? { 'idempotency-key': key } : {}, patience: 90_000 });

export const objects = {
  kinds: (signal?: AbortSignal) => request<{ kinds: Kind[]; failed: Record<string, string> }>('objects/kinds', { signal }),
  one: (place: Place, reveal: boolean, signal?: AbortSignal) => request<One>(`objects/one/${placePath(place)}${reveal ? '?reveal=true' : ''}`, { signal }),
  events: (namespace: string, uid: string, signal?: AbortSignal) => request<{ items: ObjectEvent[] }>(`objects/events/${pathOf(namespace || '-', uid)}`, { signal }),
  rights: (place: Place, signal?: AbortSignal) => request<{ actions: Record<string, boolean> }>(`objects/rights/${placePath(place)}`, { signal }),
  revisions: (place: Place, signal?: AbortSignal) => request<{ items: Revision[] }>(`objects/revisions/${placePath(place)}`, { signal }),
  scaler: (place: Place, signal?: AbortSignal) => request<{ scaler: Scaler | null }>(`objects/scaler/${placePath(place)}`, { signal }),
  act: (place: Place, action: string, body: unknown, key: string) => post<{ object?: Thing }>(`objects/act/${placePath(place)}/${action}`, body, key),
  apply: (body: { object: Thing; namespace: string; dryRun: boolean; force: boolean }, key: string) => post<Applied>('objects/apply', body, key),
};

/** Reads JSON lines as they come; a line is what stands between two breaks. */
export async function lines(response: Response, take: (line: any) => void): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part) take(JSON.parse(part));
  }
}
