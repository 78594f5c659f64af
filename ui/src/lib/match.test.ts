import { expect, test } from 'vitest';
import { match } from './match';

test.each([
  ['', '', {}],
  ['nodes', 'nodes', {}],
  ['nodes', 'pods', null],
  ['nodes/:name', 'nodes/a', { name: 'a' }],
  ['nodes/:name', 'nodes', null],
  ['pods/:namespace/:name', 'pods/web/web-1', { namespace: 'web', name: 'web-1' }],
  ['pods/:namespace/:name', 'pods//web-1', null],
])('%s against %s', (pattern, path, values) => expect(match(pattern, path)).toEqual(values));
