// The answers of docs/API.md. Times are milliseconds since the Unix epoch, CPU is in millicores,
// memory in bytes, rates in bytes per second; null is absent.
import type { Frame } from '../frame';

export type Num = number | null;

export interface TargetCounts {
  up: number;
  failed: number;
  skipped: number;
}

/** What keeps the process from seeing its cluster, beyond single targets. */
export interface StatusProblem {
  about: string;
  hop: string | null;
  reason: string | null;
  advice: string | null;
  since: Num;
}

export interface Status {
  version: string;
  source: string;
  cluster: { name: string; url: string | null; kubernetesVersion: string | null } | null;
  now: number;
  startedAt: number;
  resolutionMs: number;
  lastBatch: { timestamp: number; tookMs: number; rows: number } | null;
  targets: TargetCounts;
  history: { from: number; to: number } | null;
  problems: StatusProblem[];
}

export interface Cpu {
  usage: Num;
  request: Num;
  limit: Num;
}

export interface Memory {
  workingSet: Num;
  usage: Num;
  rss: Num;
  request: Num;
  limit: Num;
}

export interface Supply {
  allocatable: Num;
  capacity: Num;
}

export interface Network {
  rxRate: Num;
  txRate: Num;
}

export interface Filesystem {
  usage: Num;
  limit: Num;
}

export interface Overview {
  timestamp: Num;
  nodes: { total: Num; ready: Num; notReady: string[] | null };
  pods: { total: Num; byPhase: Record<string, number> | null };
  namespaces: Num;
  containers: Num;
  restarts: Num;
  cpu: Cpu & Supply;
  memory: Memory & Supply;
  network: Network;
  filesystem: Filesystem;
}

export type TargetState = 'up' | 'failed' | 'skipped';

export interface Target {
  state: TargetState;
  hop: string | null;
  reason: string | null;
  advice: string | null;
  since: Num;
  lastSuccess: Num;
  tookMs: Num;
  url: string | null;
}

export interface TargetItem extends Target {
  node: string;
  bodyBytes: Num;
}

export interface NodeItem {
  name: string;
  ready: boolean | null;
  unschedulable: boolean | null;
  pressures: string[] | null;
  created: Num;
  kubeletVersion: string | null;
  pods: Num;
  podCapacity: Num;
  cpu: Cpu & Supply;
  memory: Memory & Supply;
  network: Network;
  filesystem: Filesystem;
  uptimeMs: Num;
  target: Target | null;
}

export interface PodItem {
  namespace: string;
  name: string;
  node: string | null;
  phase: string | null;
  reason: string | null;
  workload: { kind: string; name: string } | null;
  containers: Num;
  ready: Num;
  restarts: Num;
  started: Num;
  cpu: Cpu;
  memory: Memory;
  network: Network;
}

export interface List<Item> {
  timestamp: Num;
  total: number;
  items: Item[];
}

export type SortKey = 'name' | 'cpu' | 'memory' | 'network' | 'filesystem' | 'restarts' | 'pods' | 'started';

export interface ListQuery {
  sort?: SortKey;
  order?: 'asc' | 'desc';
  limit?: number;
  offset?: number;
  search?: string;
  namespace?: string;
  node?: string;
}

export type Selector =
  | { kind: 'cluster'; metric: string }
  | { kind: 'node' | 'namespace'; name: string; metric: string }
  | { kind: 'pod'; namespace: string; name: string; metric: string }
  | { kind: 'container'; namespace: string; pod: string; name: string; metric: string }
  | { kind: 'workload'; namespace: string; workloadKind: string; name: string; metric: string };

export interface Query {
  start: number;
  end: number;
  points: number;
  series: Selector[];
}

export type Answer = Frame;

export interface BatchEvent {
  timestamp: number;
  tookMs: number;
  targets: TargetCounts;
}
