// A list as CSV: every field that the API answers for a row, raw, under its path. It knows no rows.
import { field } from '../chart/save';

type Cells = Map<string, string | number | null>;

/** `{cpu: {usage: 5}}` as `cpu.usage`: 5; arrays as text. */
function flat(value: unknown, path: string, into: Cells): void {
  if (Array.isArray(value)) into.set(path, value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one))).join(' '));
  else if (value !== null && typeof value === 'object') for (const [key, inner] of Object.entries(value)) flat(inner, path ? `${path}.${key}` : key, into);
  else if (typeof value === 'boolean') into.set(path, String(value));
  else into.set(path, value as string | number | null);
}

export function rowsAsCsv(rows: readonly unknown[]): string {
  const cells = rows.map((row) => {
    const into: Cells = new Map();
    flat(row, '', into);
    return into;
  });
  // A parent that is null in one row and an object in another is its fields' columns only.
  const heads = [...new Set(cells.flatMap((one) => [...one.keys()]))];
  const kept = heads.filter((head) => !heads.some((other) => other.startsWith(`${head}.`)));
  const lines = [kept.map(field), ...cells.map((one) => kept.map((head) => field(one.get(head))))];
  return `${lines.map((line) => line.join(',')).join('\r\n')}\r\n`;
}
