import { expect, test } from 'vitest';
import { parseState, stateQuery, type TableState } from './columns';

const INITIAL: TableState = { sort: 'cpu', order: 'desc', search: '', page: 0 };
const parse = (query: string): TableState => parseState(new URLSearchParams(query), 'pods', INITIAL);

test('a table’s state in the URL', () => {
  expect(parse('')).toEqual(INITIAL);
  expect(parse('pods=memory&pods.q=web&pods.page=3')).toEqual({ sort: 'memory', order: 'asc', search: 'web', page: 2 });
  expect(parse('pods=-name')).toEqual({ ...INITIAL, sort: 'name' });
  expect(parse('pods=nonsense&pods.page=-1')).toEqual(INITIAL);
  expect(parse('pods.page=x')).toEqual(INITIAL);
});

test('the first state leaves no trace', () => {
  expect(stateQuery(INITIAL, 'pods', INITIAL)).toEqual({ pods: null, 'pods.q': null, 'pods.page': null });
  expect(stateQuery({ sort: 'name', order: 'desc', search: 'a', page: 1 }, 'pods', INITIAL)).toEqual({ pods: '-name', 'pods.q': 'a', 'pods.page': '2' });
});
