// Options and drawing of one uPlot graph. It knows lines and time, neither metrics nor the page.
import uPlot from 'uplot';
import { axisScale, axisSteps, axisTime, axisValue, clock, type Unit } from '../format';
import { pauses, withGaps, type Frame } from '../frame';
import type { Interval } from '../range';
import { t } from '../text/text';
import { utc } from '../zone';
import type { Line } from './lines';
import { gathered, type Mark } from './marks';

/** The top of an axis over nothing but zeros, so that noise does not look like a mountain. */
const LEAST_TOP: Record<Unit, number> = { millicores: 10, bytes: 1 << 20, bytesPerSecond: 1024, count: 1, percent: 1, number: 0 };

/** Room at the right for the names of lines, where the graph is wide enough. */
const GUTTER = 78;
const NARROW = 460;
const LABEL_HEIGHT = 13;
/** Beyond this many lines they have no names at their ends, no dashes, and are thin. */
const MOST_NAMED = 8;
const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif';

export interface PlotInput {
  frame: Frame;
  lines: Line[];
  shown: ReadonlySet<string>;
  view: Interval;
  unit: Unit;
  /** First point of the history; time before it is hatched. */
  first: number | null;
  /** What happened: vertical marks. */
  marks: Mark[];
  /** Measured lines upon one another. */
  stacked?: boolean;
}

/** Indices of one line's columns in the plot: average, and the band's edges. */
export interface Place {
  avg: number;
  max: number | null;
  min: number | null;
}

export function places(lines: Line[]): Place[] {
  let next = 1;
  return lines.map((line) => {
    const banded = line.column.min !== null && line.column.max !== null && line.kind === 'measure';
    const place = { avg: next, max: banded ? next + 1 : null, min: banded ? next + 2 : null };
    next += banded ? 3 : 1;
    return place;
  });
}

/** Each shown measured line upon those before it; where it has no value it adds nothing. */
export function heaped(lines: Line[], shown: ReadonlySet<string>): Line[] {
  let below: (number | null)[] = [];
  return lines.map((line) => {
    if (line.kind !== 'measure' || !shown.has(line.key)) return line.kind === 'measure' ? { ...line, column: { ...line.column, min: null, max: null } } : line;
    const avg = line.column.avg.map((value, index) => {
      const under = below[index] ?? null;
      return value === null ? under : value + (under ?? 0);
    });
    below = avg;
    return { ...line, column: { ...line.column, avg, min: null, max: null } };
  });
}

/** The plot's columns; a pause becomes an empty row. */
export function plotData(frame: Frame, given: Line[], stacked: ReadonlySet<string> | null = null): uPlot.AlignedData {
  const lines = stacked ? heaped(given, stacked) : given;
  const whole = withGaps({ ...frame, series: lines.map((line) => line.column) });
  const columns: (number | null)[][] = [];
  lines.forEach((line, index) => {
    const column = whole.series[index];
    if (!column) return;
    columns.push(column.avg);
    if (line.kind === 'measure' && column.min && column.max) columns.push(column.max, column.min);
  });
  return [whole.timestamps, ...columns];
}

let tokens = new Map<string, string>();
let tokensOf = '';

/** A custom property of the theme in use; reading styles anew for each line would be slow. */
function token(name: string): string {
  const theme = document.documentElement.dataset['theme'] ?? '';
  if (theme !== tokensOf) {
    tokens = new Map();
    tokensOf = theme;
  }
  let value = tokens.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    tokens.set(name, value);
  }
  return value;
}

/** Points with an empty neighbour on both sides: no line shows them. */
function lonely(plot: uPlot, seriesIndex: number): number[] {
  const values = plot.data[seriesIndex] ?? [];
  const found: number[] = [];
  values.forEach((value, index) => {
    if (value !== null && value !== undefined && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null) found.push(index);
  });
  return found;
}

function seriesOptions(lines: Line[], shown: ReadonlySet<string>, stacked: boolean): { series: uPlot.Series[]; bands: uPlot.Band[] } {
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  const measures = lines.filter((line) => line.kind === 'measure').length;
  const all = places(lines);
  let below: number | null = null;
  lines.forEach((line, index) => {
    const colour = token(line.colour);
    const place = all[index];
    const show = shown.has(line.key);
    series.push({
      label: line.label,
      show,
      stroke: colour,
      width: line.kind === 'measure' ? (measures > MOST_NAMED ? 1 : 2) : 1.5,
      // A tangle of dashes is slow to paint and tells no line from another: the legend isolates.
      dash: measures > MOST_NAMED ? [] : line.dash,
      spanGaps: false,
      ...(line.kind === 'measure' && (measures === 1 || (stacked && show && below === null)) ? { fill: `${colour}${stacked ? '66' : '1f'}` } : {}),
      points: { show: (plot, at) => lonely(plot, at).length > 0, filter: (plot, at) => lonely(plot, at), size: 5, fill: colour, width: 0 },
    });
    if (stacked && place && show && line.kind === 'measure') {
      if (below !== null) bands.push({ series: [place.avg, below], fill: `${colour}66` });
      below = place.avg;
    }
    if (place?.max && place.min) {
      const edge: uPlot.Series = { show, stroke: 'transparent', width: 0, points: { show: false }, spanGaps: false };
      series.push({ ...edge, label: `${line.label} max` }, { ...edge, label: `${line.label} min` });
      bands.push({ series: [place.max, place.min], fill: `${colour}38` });
    }
  });
  return { series, bands };
}

/** The lines as the plot's columns hold them: a stacked one has no band. */
const drawn = ({ lines, shown, stacked }: PlotInput): Line[] => (stacked ? heaped(lines, shown) : lines);

/** From zero, or from the least value below it; never empty. */
export function extent(min: number, max: number, least: number): [number, number] {
  const [low, high] = [Math.min(0, min * 1.06), Math.max(0, max * 1.06, least)];
  return high > low ? [low, high] : [0, 1];
}

export interface PlotEvents {
  /** The crosshair moved to a row of the frame, or left. */
  onCursor(index: number | null, left: number): void;
  onZoom(from: number, to: number): void;
  onZoomOut(): void;
}

export function plotOptions(input: () => PlotInput, size: { width: number; height: number }, group: string, events: PlotEvents): uPlot.Options {
  const { shown, unit } = input();
  const lines = drawn(input());
  const { series, bands } = seriesOptions(lines, shown, input().stacked ?? false);
  const gutter = size.width < NARROW ? 8 : GUTTER;
  const grid = { stroke: token('--grid'), width: 1 };
  return {
    ...size,
    ms: 1,
    ...(utc ? { tzDate: (time: number) => uPlot.tzDate(new Date(time), 'Etc/UTC') } : {}),
    padding: [10, gutter, 0, 0],
    legend: { show: false },
    cursor: {
      // Others follow the crosshair; a drag or click is this graph's own.
      sync: { key: group, setSeries: false, scales: ['x', null], filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave', sub: () => true } },
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      bind: {
        dblclick: () => () => {
          events.onZoomOut();
          return null;
        },
      },
    },
    scales: {
      x: { time: true, range: () => [input().view.from, input().view.to] },
      y: { range: (_plot, min, max) => extent(min ?? 0, max ?? 0, LEAST_TOP[unit]) },
    },
    axes: [
      {
        stroke: token('--muted'),
        font: FONT,
        grid,
        ticks: { ...grid, size: 4 },
        space: 72,
        size: 26,
        gap: 4,
        values: (_plot, splits, _axis, _space, step) => splits.map((split) => axisTime(split, step)),
      },
      {
        stroke: token('--muted'),
        font: FONT,
        grid,
        ticks: { show: false },
        size: unit === 'bytesPerSecond' ? 70 : 60,
        gap: 6,
        space: size.height < 180 ? 22 : 32,
        incrs: axisSteps(unit),
        values: (plot, splits) => {
          const scale = axisScale(Math.max(plot.scales['y']?.max ?? 0, -(plot.scales['y']?.min ?? 0)), unit);
          return splits.map((split) => axisValue(split, scale));
        },
      },
    ],
    series,
    bands,
    hooks: {
      drawClear: [(plot) => hatch(plot, input())],
      draw: [(plot) => nameLines(plot, input(), size.width >= NARROW), (plot) => drawMarks(plot, input())],
      setCursor: [(plot) => events.onCursor(plot.cursor.idx ?? null, plot.cursor.left ?? -1)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          events.onZoom(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** Slanted lines over time without samples: before the first point, and while nothing was collected. */
function hatch(plot: uPlot, { frame, first, view }: PlotInput): void {
  const empty = pauses(frame).filter(([, after]) => after > view.from);
  if (first !== null && first > view.from) empty.push([view.from, Math.min(first, view.to)]);
  if (empty.length === 0) return;
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.strokeStyle = token('--hatch');
  ctx.lineWidth = ratio;
  for (const [from, to] of empty) {
    const left = Math.max(plot.valToPos(from, 'x', true), bbox.left);
    const right = Math.min(plot.valToPos(to, 'x', true), bbox.left + bbox.width);
    if (right - left < 2) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.beginPath();
    for (let x = left - bbox.height; x < right; x += 8 * ratio) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  if (first !== null && first > view.from) {
    const text = t.graphs.collectingSince(clock(first));
    const left = bbox.left + 8 * ratio;
    const right = plot.valToPos(Math.min(first, view.to), 'x', true);
    ctx.font = scaled(ratio);
    if (right - left > ctx.measureText(text).width + 8 * ratio) write(ctx, text, left, bbox.top + 14 * ratio, token('--muted'), ratio);
  }
  ctx.restore();
}

/** Pixels within which marks are drawn as one. */
const MARK_WIDTH = 7;
const MARK_COLOURS = { bad: '--bad', warn: '--warn', calm: '--muted' };
const MARK_SIGNS = { bad: '■', warn: '▲', calm: '◆' };

/** Dashed verticals with a sign on top; words are in the tooltip and the list below. */
function drawMarks(plot: uPlot, { marks, view }: PlotInput): void {
  const visible = marks.filter(({ at }) => at >= view.from && at <= view.to);
  if (visible.length === 0) return;
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.font = scaled(ratio);
  ctx.textAlign = 'center';
  ctx.textBaseline = 'top';
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  for (const mark of gathered(visible, ((view.to - view.from) * MARK_WIDTH) / plot.over.clientWidth)) {
    const x = Math.round(plot.valToPos(mark.at, 'x', true));
    ctx.strokeStyle = token(MARK_COLOURS[mark.level]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + 10 * ratio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillStyle = token(MARK_COLOURS[mark.level]);
    ctx.fillText(MARK_SIGNS[mark.level], x, bbox.top - 2 * ratio);
  }
  ctx.restore();
}

const scaled = (ratio: number): string => FONT.replace('11px', `${11 * ratio}px`);

function write(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, colour: string, ratio: number): void {
  ctx.lineWidth = 3 * ratio;
  ctx.lineJoin = 'round';
  ctx.strokeStyle = token('--card');
  ctx.strokeText(text, x, y);
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

/** The name of every shown line at its right end, moved apart where they would overlap. */
function nameLines(plot: uPlot, input: PlotInput, outside: boolean): void {
  const lines = drawn(input);
  const { shown } = input;
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  const all = places(lines);
  // Names of many lines would be a heap of words: the legend has them.
  const named = lines.filter(({ key }) => shown.has(key)).length <= MOST_NAMED ? lines : [];
  const labels = named.flatMap((line, index) => {
    if (!shown.has(line.key) || (!outside && line.kind === 'measure')) return [];
    const values = plot.data[all[index]?.avg ?? 0] ?? [];
    for (let at = values.length - 1; at >= 0; at -= 1) {
      const value = values[at];
      if (value !== null && value !== undefined) return [{ line, y: plot.valToPos(value, 'y', true) - (outside ? 0 : 7 * ratio) }];
    }
    return [];
  });
  labels.sort((a, b) => b.y - a.y);
  const height = LABEL_HEIGHT * ratio;
  let limit = bbox.top + bbox.height;
  for (const label of labels) {
    label.y = Math.min(label.y, limit);
    limit = label.y - height;
  }
  limit = bbox.top;
  for (const label of labels.reverse()) {
    label.y = Math.max(label.y, limit);
    limit = label.y + height;
  }
  ctx.save();
  ctx.font = scaled(ratio);
  ctx.textBaseline = 'middle';
  ctx.textAlign = outside ? 'left' : 'right';
  const x = bbox.left + bbox.width + (outside ? 6 : -4) * ratio;
  for (const { line, y } of labels) write(ctx, line.label, x, y, token(line.colour), ratio);
  ctx.restore();
}
