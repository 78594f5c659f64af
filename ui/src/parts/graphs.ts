// Which series the pages draw, and how they look. It fetches nothing.
import type { Selector } from '../lib/api/types';
import { DASHES, type Line } from '../lib/chart/lines';
import { looksOf } from '../lib/chart/palette';
import type { Unit } from '../lib/format';
import type { Column, Frame, Value } from '../lib/frame';
import { t } from '../lib/text/text';

/** A metric's owner, without the metric. */
type Without<T> = T extends unknown ? Omit<T, 'metric'> : never;
export type Owner = Without<Selector>;

export interface Drawn extends Omit<Line, 'column'> {
  series: Selector[];
  /** Makes one column of those of the series; the first one as it is without. */
  fold?: (columns: Column[]) => Column;
}

export interface Graph {
  id: string;
  title: string;
  unit: Unit;
  lines: Drawn[];
  /** What `/why` is asked where there is nothing to draw. */
  metric: string;
  wide?: boolean;
  height?: number;
  /** Lines stand upon one another until somebody sets them side by side. */
  stacked?: boolean;
}

const of = (owner: Owner, metric: string): Selector => ({ ...owner, metric }) as Selector;

const NOTHING: Column = { unit: '', avg: [], min: null, max: null };

const named = (selector: Selector): string => JSON.stringify(selector);

/** What is asked for: each series once, however many lines are made of it. */
export const seriesOf = (graphs: Graph[]): Selector[] => [...new Map(graphs.flatMap((graph) => graph.lines.flatMap((line) => line.series)).map((one) => [named(one), one])).values()];

/** The lines of every graph with their columns of the frame that answered `seriesOf(graphs)`. */
export function linesOf(graphs: Graph[], frame: Frame | null): Line[][] {
  const places = new Map(seriesOf(graphs).map((one, index) => [named(one), index]));
  return graphs.map((graph) =>
    graph.lines.map(({ series, fold, ...looks }) => {
      const columns = series.map((one) => frame?.series[places.get(named(one)) ?? -1] ?? NOTHING);
      return { ...looks, column: fold && frame ? fold(columns) : (columns[0] ?? NOTHING) };
    }),
  );
}

const measure = (owner: Owner, key: string, label: string, metric: string, colour: string, dash: number[] = DASHES.solid): Drawn => ({
  key,
  label,
  colour,
  dash,
  kind: 'measure',
  series: [of(owner, metric)],
});

const reference = (owner: Owner, key: string, label: string, metric: string, colour: string, dash: number[]): Drawn => ({
  ...measure(owner, key, label, metric, colour, dash),
  kind: 'reference',
});

const bounds = (owner: Owner, resource: 'cpu' | 'memory', names: [string, string], allocatable: boolean): Drawn[] => [
  reference(owner, 'requests', names[0], `${resource}/request`, '--line-green', DASHES.long),
  reference(owner, 'limits', names[1], `${resource}/limit`, '--line-red', DASHES.short),
  ...(allocatable ? [reference(owner, 'allocatable', t.graphs.allocatable, `${resource}/node_allocatable`, '--line-grey', DASHES.mixed)] : []),
];

const plural = (): [string, string] => [t.graphs.requests, t.graphs.limits];
const singular = (): [string, string] => [t.pods.request, t.pods.limit];

/** Share of periods in which the limit throttled, between neighbouring points of two counters. */
export function throttled([hit, all]: Column[]): Column {
  const avg: Value[] = (hit?.avg ?? []).map((value, index) => {
    const [before, total, first] = [hit?.avg[index - 1], all?.avg[index], all?.avg[index - 1]];
    if (value === null || before === null || before === undefined || total === null || total === undefined || first === null || first === undefined) return null;
    const [part, whole] = [value - before, total - first];
    return part < 0 || whole <= 0 ? null : Math.min(100, (part / whole) * 100);
  });
  return { unit: 'percent', avg, min: null, max: null };
}

export function cpuGraph(owner: Owner, allocatable = false, one = false): Graph {
  return { id: 'cpu', title: t.graphs.cpu, unit: 'millicores', metric: 'cpu/usage_rate', lines: [measure(owner, 'usage', t.graphs.usage, 'cpu/usage_rate', '--line-blue'), ...bounds(owner, 'cpu', one ? singular() : plural(), allocatable)] };
}

export function memoryGraph(owner: Owner, allocatable = false, one = false): Graph {
  return {
    id: 'memory',
    title: t.graphs.memory,
    unit: 'bytes',
    metric: 'memory/working_set',
    lines: [
      measure(owner, 'workingSet', t.graphs.workingSet, 'memory/working_set', '--line-blue'),
      { ...measure(owner, 'usage', t.graphs.usageWithCache, 'memory/usage', '--line-purple', DASHES.medium), off: true },
      { ...measure(owner, 'rss', t.graphs.rss, 'memory/rss', '--line-amber', DASHES.mixed), off: true },
      ...bounds(owner, 'memory', one ? singular() : plural(), allocatable),
    ],
  };
}

export function networkGraph(owner: Owner, wide = false): Graph {
  return {
    id: 'network',
    title: t.graphs.network,
    unit: 'bytesPerSecond',
    metric: 'network/rx_rate',
    wide,
    ...(wide ? { height: 150 } : {}),
    lines: [measure(owner, 'received', t.graphs.received, 'network/rx_rate', '--line-blue'), measure(owner, 'sent', t.graphs.sent, 'network/tx_rate', '--line-amber', DASHES.medium)],
  };
}

export function storageGraph(owner: Owner): Graph {
  return { id: 'storage', title: t.graphs.storage, unit: 'bytes', metric: 'ephemeral_storage/usage', lines: [measure(owner, 'usage', t.graphs.usage, 'ephemeral_storage/usage', '--line-blue')] };
}

export function restartsGraph(owner: Owner): Graph {
  return { id: 'restarts', title: t.pods.restarts, unit: 'count', metric: 'restart_count', lines: [measure(owner, 'restarts', t.pods.restarts, 'restart_count', '--line-red')] };
}

export function podsGraph(owner: Owner): Graph {
  return { id: 'pods-count', title: t.graphs.podCount, unit: 'count', metric: 'pods', lines: [measure(owner, 'pods', t.graphs.podCount, 'pods', '--line-blue')] };
}

export function throttlingGraph(owner: Owner): Graph {
  const line = measure(owner, 'throttled', t.graphs.throttled, 'cpu/cfs_throttled_periods', '--line-red');
  return { id: 'throttling', title: t.graphs.throttling, unit: 'percent', metric: 'cpu/cfs_throttled_periods', lines: [{ ...line, series: [...line.series, of(owner, 'cpu/cfs_periods')], fold: throttled }] };
}

export function filesystemGraph(owner: Owner, title = t.graphs.filesystem): Graph {
  return {
    id: 'filesystem',
    title,
    unit: 'bytes',
    metric: 'filesystem/usage',
    lines: [measure(owner, 'usage', t.graphs.usage, 'filesystem/usage', '--line-blue'), reference(owner, 'size', t.volumes.size, 'filesystem/limit', '--line-grey', DASHES.mixed)],
  };
}

export function inodesGraph(owner: Owner): Graph {
  return {
    id: 'inodes',
    title: t.volumes.inodes,
    unit: 'count',
    metric: 'filesystem/inodes_free',
    lines: [measure(owner, 'free', t.volumes.inodesFree, 'filesystem/inodes_free', '--line-blue'), reference(owner, 'all', t.volumes.inodesAll, 'filesystem/inodes', '--line-grey', DASHES.mixed)],
  };
}

/** More lines than this are drawn without dashes. */
const MOST_DASHED = 8;
/** More lines than this are a tangle; what is left is one line. */
export const MOST_LINES = 20;

/** What is left of a whole without its largest parts. Where the whole was not measured, nothing is known. */
export function remainder([whole, ...parts]: Column[]): Column {
  const avg = (whole?.avg ?? []).map((value, index): Value => (value === null ? null : Math.max(0, parts.reduce((left, part) => left - (part.avg[index] ?? 0), value))));
  return { unit: whole?.unit ?? '', avg, min: null, max: null };
}

/** Several things together; where none was measured, nothing is known. */
export function together(parts: Column[]): Column {
  const avg = (parts[0]?.avg ?? []).map((_, index): Value => parts.reduce((sum: Value, { avg }) => (avg[index] === null || avg[index] === undefined ? sum : (sum ?? 0) + avg[index]), null));
  return { unit: parts[0]?.unit ?? '', avg, min: null, max: null };
}

/** What is drawn beside the owners that have a line each: the rest of `whole`, or those named. */
export interface Rest {
  label: string;
  whole?: Owner;
  parts?: Owner[];
}

/** One line for each owner: the same metric side by side. An owner may have a page. */
export function manyGraph(id: string, title: string, unit: Unit, metric: string, owners: [string, Owner, string?][], rest: Rest | null = null): Graph {
  const looks = looksOf(owners.map(([name]) => name));
  const lines = owners.map(([name, owner, page], index): Drawn => ({
    ...measure(owner, name, name, metric, '--line-blue'),
    ...(looks[index] ?? {}),
    ...(owners.length > MOST_DASHED ? { dash: DASHES.solid } : {}),
    ...(page === undefined ? {} : { page }),
  }));
  if (rest && owners.length > 0) {
    const { label, whole, parts = [] } = rest;
    const series = (whole ? [whole, ...owners.map(([, owner]) => owner)] : parts).map((owner) => of(owner, metric));
    lines.push({ key: 'other', label, colour: '--line-grey', dash: DASHES.solid, kind: 'measure', series, fold: whole ? remainder : together });
  }
  return { id, title, unit, metric, lines };
}

/** CPU and memory of several things side by side. */
export function usageOf(owners: [string, Owner, string?][], rest: Rest | null): Graph[] {
  return [manyGraph('cpu', t.graphs.cpu, 'millicores', 'cpu/usage_rate', owners, rest), manyGraph('memory', t.graphs.memory, 'bytes', 'memory/working_set', owners, rest)];
}
