// What leaves a graph: its picture, its points, its address. It knows no metrics.
import { download } from '../download';
import type { Frame } from '../frame';
import { lowerBound } from '../frame';
import type { Interval } from '../range';
import type { Line } from './lines';

const LINE_HEIGHT = 18;
const MARGIN = 12;

/** The graph's canvas under its title and above its legend, as PNG. */
export function savePicture(canvas: HTMLCanvasElement, name: string, title: string, legend: { colour: string; text: string }[]): void {
  const style = getComputedStyle(document.documentElement);
  const token = (key: string): string => style.getPropertyValue(key).trim();
  const ratio = devicePixelRatio;
  const picture = document.createElement('canvas');
  const head = 28 * ratio;
  picture.width = canvas.width + 2 * MARGIN * ratio;
  picture.height = canvas.height + head + (legend.length * LINE_HEIGHT + 2 * MARGIN) * ratio;
  const context = picture.getContext('2d');
  if (!context) return;
  context.fillStyle = token('--card');
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(canvas, MARGIN * ratio, head);
  context.fillStyle = token('--text');
  context.font = `600 ${14 * ratio}px system-ui, sans-serif`;
  context.fillText(title, MARGIN * ratio, 20 * ratio);
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  legend.forEach(({ colour, text }, index) => {
    const y = head + canvas.height + (MARGIN + index * LINE_HEIGHT + 10) * ratio;
    context.fillStyle = token(colour);
    context.fillRect(MARGIN * ratio, y - 5 * ratio, 16 * ratio, 3 * ratio);
    context.fillStyle = token('--text');
    context.fillText(text, (MARGIN + 24) * ratio, y);
  });
  picture.toBlob((blob) => {
    if (blob) download(blob, `${name}.png`);
  }, 'image/png');
}

/** A field as RFC 4180 has it; what a spreadsheet would take for a formula is defused. */
export function field(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function pointsAsCsv(frame: Frame, lines: Line[], view: Interval): string {
  const head = ['time', ...lines.flatMap((line) => (line.column.min && line.column.max ? [line.label, `${line.label} min`, `${line.label} max`] : [line.label]))];
  const rows = [head.map(field).join(',')];
  for (let at = lowerBound(frame.timestamps, view.from); at < frame.timestamps.length; at += 1) {
    const time = frame.timestamps[at] ?? 0;
    if (time > view.to) break;
    const values = lines.flatMap(({ column }) => (column.min && column.max ? [column.avg[at], column.min[at], column.max[at]] : [column.avg[at]]));
    rows.push([new Date(time).toISOString(), ...values.map(field)].join(','));
  }
  return `${rows.join('\r\n')}\r\n`;
}
