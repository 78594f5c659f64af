// Local time or UTC: chosen by the person, remembered by the browser, fixed while the page is open.
const KEY = 'taffrail.zone';

function stored(): boolean {
  try {
    return globalThis.localStorage?.getItem(KEY) === 'utc';
  } catch {
    return false;
  }
}

export const utc: boolean = stored();

/** Remembers the choice and starts the dashboard anew with it. */
export function chooseZone(zone: 'local' | 'utc'): void {
  try {
    localStorage.setItem(KEY, zone);
  } catch {
    return;
  }
  location.reload();
}

/** Year, month (from 0), day, hour, minute, second. */
export type Parts = [number, number, number, number, number, number];

export function partsOf(time: number, inUtc = utc): Parts {
  const date = new Date(time);
  return inUtc
    ? [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
}

/** The time of these parts; days beyond the month's go on into the next. */
export function timeOf([year, month, day, hour, minute, second]: Parts, inUtc = utc): number {
  return inUtc ? Date.UTC(year, month, day, hour, minute, second) : new Date(year, month, day, hour, minute, second).getTime();
}
