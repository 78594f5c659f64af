// What happened at a time: vertical marks over a graph. It does not know where they come from.
export interface Mark {
  at: number;
  label: string;
  level: 'bad' | 'warn' | 'calm';
  /** Where more is told of it, below the dashboard's root. */
  page?: string;
}

/** Marks within a few pixels of one another are one, named by the worst and how many. */
export function gathered(marks: Mark[], distance: number): (Mark & { count: number })[] {
  const sorted = [...marks].sort((a, b) => a.at - b.at);
  const found: (Mark & { count: number })[] = [];
  const RANK = { bad: 2, warn: 1, calm: 0 };
  for (const mark of sorted) {
    const last = found.at(-1);
    if (last && mark.at - last.at < distance) {
      last.count += 1;
      if (RANK[mark.level] > RANK[last.level]) Object.assign(last, { label: mark.label, level: mark.level });
    } else found.push({ ...mark, count: 1 });
  }
  return found;
}

/** Times at which a count grew. */
export function steps(timestamps: readonly number[], values: readonly (number | null)[]): { at: number; by: number }[] {
  const found: { at: number; by: number }[] = [];
  let before: number | null = null;
  timestamps.forEach((at, index) => {
    const value = values[index] ?? null;
    if (value === null) return;
    if (before !== null && value > before) found.push({ at, by: value - before });
    before = value;
  });
  return found;
}
