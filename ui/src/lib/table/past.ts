// The small lines of a table's rows, out of one frame with two columns for each row.
import type { Frame, Value } from '../frame';

export interface Past {
  frame: Frame;
  values: Value[];
  from: number;
  to: number;
  colour: string;
}

const COLOURS = ['--line-blue', '--line-purple'];

/** CPU is column 0 of a row, memory column 1; null while the frame belongs to other rows. */
export function pastOf(frame: Frame | null, rows: number, from: number, to: number): (row: number | undefined, column: 0 | 1) => Past | null {
  return (row, column) => {
    if (!frame || row === undefined || frame.series.length !== rows * COLOURS.length) return null;
    const values = frame.series[row * COLOURS.length + column]?.avg;
    return values ? { frame, values, from, to, colour: COLOURS[column] ?? '' } : null;
  };
}
