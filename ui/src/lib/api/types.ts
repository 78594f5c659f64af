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
  /** Which way kubelets are asked, and why; null where there are none. */
  kubelets?: { way: 'direct' | 'proxy' | 'both' | 'none'; why: string; direct: number; proxied: number; failed: number } | null;
  history: { from: number; to: number } | null;
  problems: StatusProblem[];
  /** Which Kubernetes Dashboards asked last. */
  dashboards?: { heapsterHost: Caller | null; sidecarHost: Caller | null };
}

export interface Caller {
  requests: number;
  userAgent: string;
  at: number | null;
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
  workloads: Num;
  volumes: Num;
  /** Volumes with a claim that are nearly full. */
  volumesFull: Num;
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
  /** How its certificate was verified; `api-server` where that asked for us. */
  verified?: string | null;
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
  workload: Named | null;
  containers: Num;
  ready: Num;
  restarts: Num;
  /** How a container of it ended last. */
  last: End | null;
  started: Num;
  cpu: Cpu;
  memory: Memory;
  network: Network;
}

/** A pod that does not run as it should. */
export interface ProblemItem {
  namespace: string;
  name: string;
  node: string | null;
  workload: Named | null;
  problem: string;
  container: string | null;
  reason: string;
  last: End | null;
  share: Num;
  since: Num;
  restarts: Num;
}

export interface Problems extends List<ProblemItem> {
  /** Pods by problem, on all pages. */
  counts: Record<string, number>;
}

/** How many pods a workload wanted, had, and had ready. */
export interface ReplicaHistory {
  timestamps: number[];
  stepMs: number;
  wanted: Num[];
  present: Num[];
  ready: Num[];
  /** Bounds of its autoscalers; null while it had none. */
  atLeast: Num[];
  atMost: Num[];
}

export interface List<Item> {
  timestamp: Num;
  total: number;
  items: Item[];
}

export const SORTS = [
  'name',
  'namespace',
  'node',
  'kind',
  'cpu',
  'cpuShare',
  'memory',
  'memoryShare',
  'network',
  'filesystem',
  'fill',
  'restarts',
  'pods',
  'ready',
  'started',
] as const;

export type SortKey = (typeof SORTS)[number];

export interface ListQuery {
  sort?: SortKey;
  order?: 'asc' | 'desc';
  limit?: number;
  offset?: number;
  search?: string;
  namespace?: string[];
  node?: string;
  pod?: string;
  phase?: string;
  kind?: string;
  /** `key=value`: all have to be there. */
  label?: string[];
  /** `Kind/name`. */
  workload?: string;
}

export interface Named {
  kind: string;
  name: string;
}

export interface End {
  reason: string;
  exitCode: number;
  finished: Num;
}

export interface ContainerItem {
  namespace: string;
  pod: string;
  name: string;
  node: string | null;
  workload: Named | null;
  image: string | null;
  state: 'running' | 'waiting' | 'terminated' | null;
  reason: string;
  started: Num;
  ready: boolean | null;
  restarts: Num;
  last: End | null;
  cpu: Cpu;
  memory: Memory;
}

export interface VolumeItem {
  namespace: string;
  pod: string;
  name: string;
  id: string;
  claim: string | null;
  node: string | null;
  usage: Num;
  limit: Num;
  available: Num;
  inodes: Num;
  inodesFree: Num;
}

export interface WorkloadItem {
  namespace: string;
  kind: string;
  name: string;
  owner: Named | null;
  desired: Num;
  ready: Num;
  pods: Num;
  restarts: Num;
  cpu: Cpu;
  memory: Memory;
  network: Network;
}

export interface NamespaceItem {
  name: string;
  pods: Num;
  restarts: Num;
  cpu: Cpu;
  memory: Memory;
  network: Network;
}

export type Pair = [string, string];

export interface Condition {
  name: string;
  status: 'True' | 'False' | 'Unknown';
  good: boolean;
  reason: string;
}

interface Detail<Item> {
  timestamp: Num;
  item: Item;
}

export interface NodeDetail extends Detail<NodeItem> {
  labels: Pair[];
  addresses: Pair[];
  conditions: Condition[];
}

export interface NamespaceDetail extends Detail<NamespaceItem> {
  labels: Pair[];
  phase: string;
}

export interface WorkloadDetail extends Detail<WorkloadItem> {
  owners: Named[];
  owned: (Named & { desired: Num; ready: Num })[];
}

export interface PodDetail extends Detail<PodItem> {
  uid: string;
  labels: Pair[];
  created: Num;
  deleted: Num;
  hostNetwork: boolean;
  owners: Named[];
  conditions: Condition[];
  containers: ContainerItem[];
}

export interface FoundItem {
  kind: 'node' | 'namespace' | 'workload' | 'pod';
  name: string;
  namespace: string | null;
  workloadKind: string | null;
}

export interface EventItem {
  uid: string;
  namespace: string | null;
  kind: string;
  name: string;
  reason: string;
  type: string;
  message: string;
  source: string | null;
  count: number;
  firstSeen: number;
  lastSeen: number;
}

export interface EventQuery {
  from?: number;
  to?: number;
  namespace?: string | string[];
  kind?: string;
  name?: string;
  reason?: string;
  type?: string;
  text?: string;
  limit?: number;
  offset?: number;
  buckets?: number;
}

export interface Events {
  from: number;
  to: number;
  total: number;
  capped: boolean;
  items: EventItem[];
  histogram: { stepMs: number; timestamps: number[]; normal: number[]; warning: number[] };
}

export type Risk = 'none' | 'noLimit' | 'noRequest' | 'overRequest' | 'nearLimit';

export interface SizedResource {
  p50: Num;
  p95: Num;
  max: Num;
  request: Num;
  limit: Num;
  waste: Num;
  nearLimitHours: Num;
  suggestedRequest: Num;
  suggestedLimit: Num;
  risk: Risk;
}

export interface SizedItem {
  namespace: string;
  kind: string;
  workload: string;
  container: string;
  pods: number;
  restarts: number;
  oomKilled: number;
  cpu: SizedResource;
  memory: SizedResource;
  risk: Risk;
}

interface Committed {
  request: Num;
  limit: Num;
  used: Num;
  allocatable: Num;
}

export interface Sizing {
  timestamp: Num;
  from: Num;
  days: number;
  total: number;
  waste: { cpu: number; memory: number };
  cluster: { cpu: Committed; memory: Committed };
  items: SizedItem[];
}

export interface SizingQuery {
  days: number;
  sort: string;
  search: string;
  limit: number;
  offset: number;
  namespace: string[];
}

export interface Check {
  name: string;
  about: string;
  outcome: 'pass' | 'warn' | 'fail' | 'skip';
  evidence: string;
  change: string;
}

export interface Diagnosis {
  timestamp: number;
  tookMs: number;
  outcome: Check['outcome'];
  firstChange: string | null;
  checks: Check[];
}

export interface Why {
  value: Num;
  timestamp: Num;
  reason: string;
  sentence: string;
  advice: string;
  evidence: string[];
}

/** What `/why` can be asked about. */
export interface Subject {
  kind: 'pod' | 'container' | 'workload' | 'volume' | 'node' | 'namespace' | 'cluster';
  namespace?: string;
  /** A workload's kind. */
  workload?: string;
  pod?: string;
  name?: string;
}

export type Selector =
  | { kind: 'cluster'; metric: string }
  | { kind: 'node' | 'namespace'; name: string; metric: string }
  | { kind: 'pod'; namespace: string; name: string; metric: string }
  | { kind: 'container' | 'volume'; namespace: string; pod: string; name: string; metric: string }
  | { kind: 'filesystem' | 'disk' | 'system_container'; node: string; name: string; metric: string }
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
