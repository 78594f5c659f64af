// What the process tells of itself beside its status: history on disk, sinks, replicas.
import { ask } from './client';

export interface StoreLevel {
  /** Null for raw values. */
  resolutionMs: number | null;
  from: number;
  to: number;
  blocks: number;
  bytes: number;
  samples: number;
}

export interface StoreFacts {
  dir: string;
  temporary: boolean;
  from: number | null;
  to: number | null;
  bytes: number;
  logBytes: number;
  eventBytes: number;
  events: number;
  memoryBytes: number;
  entities: number;
  retentionMs: number;
  retentionBytes: number | null;
  eventRetentionMs: number;
  levels: StoreLevel[];
  damaged: number;
  /** Why nothing is written. */
  stopped: string | null;
}

export interface SinkFacts {
  name: string;
  to: string;
  onDisk: boolean;
  circuit: 'closed' | 'open' | 'half-open';
  failure: string | null;
  queued: number;
  sent: number;
  retried: number;
  dropped: Record<string, number>;
  waitingPoints: number;
  waitingBytes: number;
}

export interface ReplicaFacts {
  name: string;
  address: string;
  me: boolean;
  feeds: boolean;
  missing: string | null;
}

export interface Holdings {
  store: StoreFacts | null;
  sinks: SinkFacts[];
  replicas: ReplicaFacts[];
}

/** All three at once, for the page that shows them. */
export async function holdings(signal?: AbortSignal): Promise<Holdings> {
  const [{ store }, sinks, replicas] = await Promise.all([
    ask<{ store: StoreFacts | null }>('store', signal),
    ask<{ items: SinkFacts[] }>('sinks', signal),
    ask<{ items: ReplicaFacts[] }>('replicas', signal),
  ]);
  return { store, sinks: sinks.items, replicas: replicas.items };
}
