// The page for PromQL: completion by keyboard, graph and table against the API, errors with their place.
import assert from 'node:assert/strict';
import { eventually } from '../browser.mjs';

export function explore({ test, go, page, url }) {
  const ask = async (path, fields) => {
    const response = await fetch(new URL(`api/v1/${path}?${new URLSearchParams(fields)}`, url));
    return (await response.json()).data;
  };
  const at = (expression, rest = '') => `explore?q=${encodeURIComponent(expression)}${rest}`;
  const EXPRESSION = 'sum by (namespace) (container_memory_working_set_bytes{namespace!=""})';

  test('an expression is completed by keyboard, and kept in the address', async () => {
    await go('explore');
    const box = page().locator('#query-1');
    await box.click();
    await page().keyboard.type('kube_pod_inf');
    await page().locator('[data-suggestion=kube_pod_info]').waitFor();
    await page().keyboard.press('Tab');
    assert.equal(await box.inputValue(), 'kube_pod_info');
    await page().keyboard.type('{namesp');
    await page().locator('[data-suggestion=namespace]').waitFor();
    await page().keyboard.press('ArrowDown');
    await page().keyboard.press('Enter');
    const [first] = (await ask('label/namespace/values', { 'match[]': 'kube_pod_info' })).toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
    await page().locator(`[data-suggestion="${first}"]`).waitFor();
    await page().keyboard.press('Tab');
    await page().keyboard.type('}');
    const expression = `kube_pod_info{namespace="${first}"}`;
    assert.equal(await box.inputValue(), expression);
    await page().keyboard.press('Escape');
    await page().keyboard.press('Enter');
    await eventually(async () => assert.equal(new URL(page().url()).searchParams.get('q'), expression));
    await eventually(async () => {
      const { result } = await ask('query', { query: expression });
      // Over the range there may have been more than there are now.
      assert.ok(Number(await page().locator(`[data-query="1"]`).getAttribute('data-series')) >= result.length && result.length > 0);
    });
    await page().goBack();
    await eventually(async () => assert.equal(await box.inputValue(), ''));
  });

  test('a graph of an expression draws the API’s samples', async () => {
    await go(at(EXPRESSION, '&range=5m'));
    const graph = page().locator('[data-graph=query-1-graph]');
    await graph.locator('canvas').waitFor();
    await eventually(async () => {
      const shown = await graph.locator('[data-series]').evaluateAll((rows) => rows.map(({ dataset }) => [JSON.parse(dataset.series).namespace, Number(dataset.last), Number(dataset.max)]));
      const step = Number(await page().locator('[data-query="1"]').getAttribute('data-step')) / 1000;
      const { from, to } = await graph.evaluate(({ dataset }) => ({ from: Number(dataset.from), to: Number(dataset.to) }));
      const { result } = await ask('query_range', { query: EXPRESSION, start: Math.ceil(from / 1000 / step) * step, end: Math.floor(to / 1000 / step) * step, step });
      const values = (series) => series.values.map(([, value]) => Number(value));
      assert.ok(result.length > 0);
      assert.deepEqual(shown, result.map((series) => [series.metric.namespace, values(series).at(-1), Math.max(...values(series))]));
    });
  });

  test('a table of an expression holds the API’s values', async () => {
    await go(at(EXPRESSION, '&view=table'));
    await eventually(async () => {
      const { result } = await ask('query', { query: EXPRESSION });
      assert.equal(Number(await page().locator('table[data-rows]').getAttribute('data-rows')), result.length);
      const shown = await page().locator('[data-value]').evaluateAll((cells) => cells.map(({ dataset }) => dataset.value));
      assert.deepEqual(shown, result.map(({ value }) => value[1]));
    });
  });

  test('an error stands below its expression, others go on', async () => {
    await go(at('sum(rate(up', `&q2=${encodeURIComponent('count(up)')}`));
    await page().locator('#query-1-error').waitFor();
    const [line, column] = (await page().locator('#query-1-error').getAttribute('data-error-at')).split(':').map(Number);
    assert.equal(line, 1);
    assert.ok(column >= 9 && column <= 12, String(column));
    await page().locator('[data-graph=query-2-graph] canvas').waitFor();
    await page().locator('#query-1').fill('no_such_name');
    await page().locator('#query-1').press('Enter');
    await page().getByText('No series is named “no_such_name”').waitFor();
    await page().getByRole('button', { name: 'Remove expression 1' }).click();
    await eventually(async () => assert.equal(new URL(page().url()).searchParams.get('q'), 'count(up)'));
  });

  test('a graph of a page leads to its expression', async () => {
    await go('nodes?range=5m');
    await page().locator('[data-graph=cpu] canvas').waitFor();
    await page().getByRole('button', { name: 'More for CPU' }).click();
    await page().getByRole('link', { name: 'Explore this' }).click();
    await page().locator('[data-graph=query-1-graph] canvas').waitFor();
    assert.equal(new URL(page().url()).searchParams.get('range'), '5m');
    assert.equal(await page().locator('[data-query="1"]').getAttribute('data-series'), '4');
  });
}
