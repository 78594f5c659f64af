// What a graph draws: one line for each column of a frame, with its looks. It knows no metrics.
import type { Column } from '../frame';

export type LineKind = 'measure' | 'reference';

export interface Line {
  /** Unique within the graph; `data-series` in the page. */
  key: string;
  label: string;
  /** Custom property that holds the colour. */
  colour: string;
  /** A second mark besides colour. */
  dash: number[];
  kind: LineKind;
  column: Column;
  /** Not shown until the legend is clicked. */
  off?: boolean;
  /** Where the thing of this line is shown, below the dashboard's root. */
  page?: string;
}

/** Measured lines are filled towards zero where there is just one of them. */
export const DASHES = { solid: [], long: [8, 4], short: [2, 3], mixed: [9, 3, 2, 3], medium: [5, 4] };
