// What a table shows: columns with their cells, and how it is sorted and paged. It knows no rows.
import type { Snippet } from 'svelte';
import { SORTS, type SortKey } from '../api/types';
import type { Past } from './past';

export interface Column<Row> {
  key: string;
  label: string;
  /** Longer words for the head's tooltip. */
  title?: string;
  /** The server's name for this order; without one the column is not sortable. */
  sort?: SortKey;
  /** What a first click asks for: numbers are read from the largest. */
  first?: 'asc' | 'desc';
  align?: 'start' | 'end';
  /** 1 is always there; 2 goes below 760 px, 3 below 1,150 px of the table’s width. */
  priority?: 1 | 2 | 3;
  /** Draws the row's cell; `past` gives the row's small lines. */
  cell: Snippet<[Row, (column: 0 | 1) => Past | null]>;
  /** The cell as text, for CSV. */
  text?: (row: Row) => string | number | null | undefined;
}

export interface TableState {
  sort: SortKey;
  order: 'asc' | 'desc';
  search: string;
  /** Zero-based. */
  page: number;
}

const NAMES: readonly string[] = SORTS;

/** The state below `name` in the URL: `pods=-cpu`, `pods.q=web`, `pods.page=2`. */
export function parseState(query: URLSearchParams, name: string, initial: TableState): TableState {
  const given = query.get(name) ?? '';
  const sort = given.replace(/^-/, '');
  const page = Number(query.get(`${name}.page`) ?? '1');
  return {
    ...(NAMES.includes(sort) ? { sort: sort as SortKey, order: given.startsWith('-') ? 'desc' : 'asc' } : { sort: initial.sort, order: initial.order }),
    search: query.get(`${name}.q`) ?? '',
    page: Number.isInteger(page) && page >= 1 ? page - 1 : 0,
  };
}

export function stateQuery(state: TableState, name: string, initial: TableState): Record<string, string | null> {
  const standard = state.sort === initial.sort && state.order === initial.order;
  return {
    [name]: standard ? null : `${state.order === 'desc' ? '-' : ''}${state.sort}`,
    [`${name}.q`]: state.search || null,
    [`${name}.page`]: state.page > 0 ? String(state.page + 1) : null,
  };
}
