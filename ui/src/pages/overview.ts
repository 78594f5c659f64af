// Which series the overview draws, and how they look. It fetches nothing.
import type { NodeItem, PodItem, Selector } from '../lib/api/types';
import { DASHES, type Line } from '../lib/chart/lines';
import type { Unit } from '../lib/format';
import type { Column, Frame } from '../lib/frame';
import { t } from '../lib/text/text';

interface Drawn extends Omit<Line, 'column'> {
  metric: string;
}

export interface Graph {
  id: string;
  title: string;
  unit: Unit;
  lines: Drawn[];
}

const limits = (resource: 'cpu' | 'memory'): Drawn[] => [
  { key: 'requests', label: t.graphs.requests, metric: `${resource}/request`, colour: '--line-green', dash: DASHES.long, kind: 'reference' },
  { key: 'limits', label: t.graphs.limits, metric: `${resource}/limit`, colour: '--line-red', dash: DASHES.short, kind: 'reference' },
  { key: 'allocatable', label: t.graphs.allocatable, metric: `${resource}/node_allocatable`, colour: '--line-grey', dash: DASHES.mixed, kind: 'reference' },
];

export const GRAPHS: Graph[] = [
  {
    id: 'cpu',
    title: t.graphs.cpu,
    unit: 'millicores',
    lines: [{ key: 'usage', label: t.graphs.usage, metric: 'cpu/usage_rate', colour: '--line-blue', dash: DASHES.solid, kind: 'measure' }, ...limits('cpu')],
  },
  {
    id: 'memory',
    title: t.graphs.memory,
    unit: 'bytes',
    lines: [
      { key: 'workingSet', label: t.graphs.workingSet, metric: 'memory/working_set', colour: '--line-blue', dash: DASHES.solid, kind: 'measure' },
      { key: 'usage', label: t.graphs.usageWithCache, metric: 'memory/usage', colour: '--line-purple', dash: DASHES.medium, kind: 'measure', off: true },
      ...limits('memory'),
    ],
  },
  {
    id: 'network',
    title: t.graphs.network,
    unit: 'bytesPerSecond',
    lines: [
      { key: 'received', label: t.graphs.received, metric: 'network/rx_rate', colour: '--line-blue', dash: DASHES.solid, kind: 'measure' },
      { key: 'sent', label: t.graphs.sent, metric: 'network/tx_rate', colour: '--line-amber', dash: DASHES.medium, kind: 'measure' },
    ],
  },
];

export const SERIES: Selector[] = GRAPHS.flatMap((graph) => graph.lines.map(({ metric }) => ({ kind: 'cluster' as const, metric })));

const NOTHING: Column = { unit: '', avg: [], min: null, max: null };

/** The lines of `graph` with their columns of the frame that answered `SERIES`. */
export function linesOf(graph: Graph, frame: Frame | null): Line[] {
  const before = GRAPHS.slice(0, GRAPHS.indexOf(graph)).reduce((sum, { lines }) => sum + lines.length, 0);
  return graph.lines.map(({ metric: _metric, ...looks }, index) => ({ ...looks, column: frame?.series[before + index] ?? NOTHING }));
}

/** CPU and memory of every row, for the small lines in tables. */
export const nodeSeries = (nodes: NodeItem[]): Selector[] =>
  nodes.flatMap(({ name }) => ['cpu/usage_rate', 'memory/working_set'].map((metric) => ({ kind: 'node' as const, name, metric })));

export const podSeries = (pods: PodItem[]): Selector[] =>
  pods.flatMap(({ namespace, name }) => ['cpu/usage_rate', 'memory/working_set'].map((metric) => ({ kind: 'pod' as const, namespace, name, metric })));
