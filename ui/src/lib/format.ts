// Numbers for people: three significant digits, IEC bytes, cores, spans and clock times.
// It does not know where the numbers come from.
import { t } from './text/text';
import { partsOf, utc } from './zone';

export type Unit = 'millicores' | 'bytes' | 'bytesPerSecond' | 'count' | 'percent' | 'number';

/** A value that may be absent. */
export type Maybe = number | null | undefined;

const LANGUAGE = t.language;
const IEC = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

const absent = (value: Maybe): value is null | undefined => value === null || value === undefined || !Number.isFinite(value);

/** Three significant digits, never an exponent; zeros stay, so that columns align. */
function significant(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** Millicores as Kubernetes writes them below one core, cores above. */
export function cores(millicores: Maybe): string {
  if (absent(millicores)) return t.none;
  if (millicores === 0) return '0';
  if (Math.abs(millicores) < 9.95) return `${Number(millicores.toFixed(1))}m`;
  if (Math.abs(millicores) < 999.5) return `${Math.round(millicores)}m`;
  return grouped(millicores / 1000);
}

function grouped(value: number): string {
  return Math.abs(value) < 9999.5 ? significant(value) : count(value);
}

export function bytes(value: Maybe): string {
  if (absent(value)) return t.none;
  let scaled = value;
  let power = 0;
  while (Math.abs(scaled) >= 999.5 && power < IEC.length - 1) {
    scaled /= 1024;
    power += 1;
  }
  return `${power === 0 ? Math.round(scaled) : significant(scaled)} ${IEC[power]}`;
}

export function rate(value: Maybe): string {
  return absent(value) ? t.none : bytes(value) + t.units.perSecond;
}

const whole = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 });

export function count(value: Maybe): string {
  return absent(value) ? t.none : whole.format(value);
}

/** `part` of `all` in percent; null where there is nothing to compare with. */
export function percentOf(part: Maybe, all: Maybe): number | null {
  return absent(part) || absent(all) || all <= 0 ? null : (part / all) * 100;
}

export function percent(value: Maybe): string {
  if (absent(value)) return t.none;
  return `${Math.abs(value) < 9.95 ? Number(value.toFixed(1)) : Math.round(value)}%`;
}

const SI = ['', ' k', ' M', ' G', ' T', ' P', ' E'] as const;

/** A number of any size and sign: `0.00123`, `12.3`, `4.56 M`. */
export function plainNumber(value: Maybe): string {
  if (absent(value)) return t.none;
  const size = Math.abs(value);
  if (size < 1_000) return Number.isInteger(value) ? String(value) : size < 1e-6 && size > 0 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  const power = Math.min(SI.length - 1, Math.floor(Math.log10(size) / 3));
  const scaled = Number((value / 1000 ** power).toPrecision(4));
  return `${scaled}${SI[power]}`;
}

export function quantity(value: Maybe, unit: Unit): string {
  switch (unit) {
    case 'millicores':
      return cores(value);
    case 'bytes':
      return bytes(value);
    case 'bytesPerSecond':
      return rate(value);
    case 'percent':
      return percent(value);
    case 'number':
      return plainNumber(value);
    default:
      return count(value);
  }
}

const STEPS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A span in its two largest units: `2d 3h`, `4m 10s`; below a second in milliseconds. */
export function span(milliseconds: Maybe): string {
  if (absent(milliseconds)) return t.none;
  if (Math.abs(milliseconds) < 1000) return `${Math.round(milliseconds)}ms`;
  let rest = Math.round(Math.abs(milliseconds) / 1000) * 1000;
  const first = STEPS.findIndex(([, size]) => rest >= size);
  const parts: string[] = [];
  for (const [name, size] of STEPS.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount}${name}`);
  }
  return (milliseconds < 0 ? '-' : '') + parts.join(' ');
}

/** A span in its largest unit only: `15m`, `3h`. For ages that must not flicker. */
export function age(milliseconds: Maybe): string {
  if (absent(milliseconds)) return t.none;
  return span(milliseconds).split(' ')[0] ?? '';
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Wall-clock time with seconds, in the chosen zone. */
export function clock(timestamp: Maybe): string {
  if (absent(timestamp)) return t.none;
  const [, , , hour, minute, second] = partsOf(timestamp);
  return `${two(hour)}:${two(minute)}:${two(second)}`;
}

const shortDay = new Intl.DateTimeFormat(LANGUAGE, { day: 'numeric', month: 'short', ...(utc ? { timeZone: 'UTC' } : {}) });

/** Time in the chosen zone, with the day where it is not that of `now`. */
export function moment(timestamp: Maybe, now: number): string {
  if (absent(timestamp)) return t.none;
  const day = (time: number): string => partsOf(time).slice(0, 3).join();
  return day(timestamp) === day(now) ? clock(timestamp) : `${shortDay.format(timestamp)} ${clock(timestamp)}`;
}

/** A tick of a time axis `step` milliseconds apart; the first of a day names the day. */
export function axisTime(timestamp: number, step: number): string {
  const [, , , hour, minute, second] = partsOf(timestamp);
  if (hour === 0 && minute === 0 && second === 0 && step >= 60_000) return shortDay.format(timestamp);
  return step < 60_000 ? clock(timestamp) : `${two(hour)}:${two(minute)}`;
}

/** What every tick of one axis is divided by and named with, chosen by the axis' largest value. */
export interface Scale {
  divisor: number;
  suffix: string;
}

export function axisScale(largest: number, unit: Unit): Scale {
  if (unit === 'millicores') return largest >= 1000 ? { divisor: 1000, suffix: '' } : { divisor: 1, suffix: 'm' };
  if (unit === 'percent') return { divisor: 1, suffix: '%' };
  if (unit === 'count') return { divisor: 1, suffix: '' };
  if (unit === 'number') {
    const power = largest >= 1_000 ? Math.min(SI.length - 1, Math.floor(Math.log10(largest) / 3)) : 0;
    return { divisor: 1000 ** power, suffix: SI[power] ?? '' };
  }
  let divisor = 1;
  let power = 0;
  while (largest / divisor >= 1000 && power < IEC.length - 1) {
    divisor *= 1024;
    power += 1;
  }
  return { divisor, suffix: ` ${IEC[power]}${unit === 'bytesPerSecond' ? t.units.perSecond : ''}` };
}

export function axisValue(value: number, scale: Scale): string {
  if (value === 0) return '0';
  const scaled = Number((value / scale.divisor).toPrecision(6));
  return `${scaled}${scale.suffix}`;
}

/** Distances between ticks that read well in `unit`. */
export function axisSteps(unit: Unit): number[] {
  const steps: number[] = [];
  if (unit === 'bytes' || unit === 'bytesPerSecond') {
    for (let power = 0; power < 60; power += 1) steps.push(2 ** power);
  } else {
    for (let power = unit === 'number' ? -12 : -1; power < 18; power += 1) for (const digit of [1, 2, 2.5, 5]) steps.push(digit * 10 ** power);
  }
  return steps;
}
