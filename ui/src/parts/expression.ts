// The PromQL expression that draws what a graph of ours draws. It fetches nothing.
import type { Selector } from '../lib/api/types';
import type { Graph } from './graphs';

/** What the server calls a metric of the catalog in base units, behind `taffrail_<kind>_`. */
const NAMES: Record<string, string> = {
  'cpu/usage_rate': 'cpu_usage_rate_cores',
  'cpu/request': 'cpu_request_cores',
  'cpu/limit': 'cpu_limit_cores',
  'cpu/node_allocatable': 'cpu_node_allocatable_cores',
  'cpu/cfs_periods': 'cpu_cfs_periods_total',
  'cpu/cfs_throttled_periods': 'cpu_cfs_throttled_periods_total',
  'memory/working_set': 'memory_working_set_bytes',
  'memory/usage': 'memory_usage_bytes',
  'memory/rss': 'memory_rss_bytes',
  'memory/cache': 'memory_cache_bytes',
  'memory/request': 'memory_request_bytes',
  'memory/limit': 'memory_limit_bytes',
  'memory/node_allocatable': 'memory_node_allocatable_bytes',
  'network/rx_rate': 'network_rx_rate_bytes_per_second',
  'network/tx_rate': 'network_tx_rate_bytes_per_second',
  'ephemeral_storage/usage': 'ephemeral_storage_usage_bytes',
  'filesystem/usage': 'filesystem_usage_bytes',
  'filesystem/limit': 'filesystem_limit_bytes',
  'filesystem/inodes': 'filesystem_inodes',
  'filesystem/inodes_free': 'filesystem_inodes_free',
  restart_count: 'restart_count',
  pods: 'pods',
};

function labelsOf(selector: Selector): [string, string][] {
  switch (selector.kind) {
    case 'cluster':
      return [];
    case 'node':
    case 'namespace':
      return [[selector.kind, selector.name]];
    case 'pod':
      return [['namespace', selector.namespace], ['pod', selector.name]];
    case 'container':
    case 'volume':
      return [['namespace', selector.namespace], ['pod', selector.pod], [selector.kind, selector.name]];
    case 'workload':
      return [['namespace', selector.namespace], ['workload_type', selector.workloadKind], ['workload', selector.name]];
    case 'system_container':
      return [['node', selector.node], ['container', selector.name]];
    default:
      return [['node', selector.node], ['device', selector.name]];
  }
}

const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
const unique = (texts: string[]): string[] => [...new Set(texts)];

/** `name="a"`, or `name=~"a|b"` for several. */
function matcher(name: string, values: string[]): string {
  const [first = ''] = values;
  return values.length === 1 ? `${name}=${JSON.stringify(first)}` : `${name}=~${JSON.stringify(values.map(literal).join('|'))}`;
}

function selection(names: string[], selectors: Selector[]): string {
  const labels = selectors.map(labelsOf);
  const keys = unique(labels.flatMap((pairs) => pairs.map(([name]) => name)));
  const matchers = keys.map((key) => matcher(key, unique(labels.flatMap((pairs) => pairs.filter(([name]) => name === key).map(([, value]) => value)))));
  const all = names.length === 1 ? matchers : [matcher('__name__', names), ...matchers];
  return `${names.length === 1 ? names[0] : ''}${all.length > 0 ? `{${all.join(', ')}}` : ''}`;
}

/** Null where a metric of the graph has no name there. */
export function expressionOf(graph: Graph): string | null {
  const folded = graph.lines.find((line) => line.fold);
  const selectors = folded ? folded.series : graph.lines.filter((line) => !line.off).flatMap((line) => line.series);
  const names = selectors.map(({ kind, metric }) => (NAMES[metric] ? `taffrail_${kind}_${NAMES[metric]}` : null));
  if (names.length === 0 || names.includes(null) || unique(selectors.map(({ kind }) => kind)).length > 1) return null;
  if (!folded) return selection(unique(names as string[]), selectors);
  const [hit, all] = folded.series.map((selector, index) => `increase(${selection([names[index] ?? ''], [selector])}[5m])`);
  return `100 * ${hit} / ${all}`;
}
