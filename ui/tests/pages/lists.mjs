// What lists offer beside rows: columns to choose, the whole list as CSV, namespaces of events.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventually } from '../browser.mjs';

export function lists({ test, go, page, api }) {
  test('columns are chosen for each list, and remembered', async () => {
    await go('pods');
    await page().locator('[data-table=pods] tr[data-row]').first().waitFor();
    const heads = () => page().locator('[data-table=pods] thead th').allInnerTexts();
    assert.ok((await heads()).some((head) => head.startsWith('Network')));
    await page().locator('[data-table=pods] summary').click();
    await page().getByRole('checkbox', { name: 'Network' }).uncheck();
    await eventually(async () => assert.ok(!(await heads()).some((head) => head.startsWith('Network'))));
    await page().reload();
    await page().locator('[data-table=pods] tr[data-row]').first().waitFor();
    assert.ok(!(await heads()).some((head) => head.startsWith('Network')));
    await page().evaluate(() => localStorage.removeItem('taffrail.columns.pods'));
  });

  test('a list is saved whole, with the API’s numbers', async () => {
    await go('nodes?nodes=name');
    await page().locator('[data-table=nodes] tr[data-row]').first().waitFor();
    const [file] = await Promise.all([page().waitForEvent('download'), page().getByRole('button', { name: 'Save all nodes' }).click()]);
    const [head, ...rows] = readFileSync(await file.path(), 'utf8').trim().split('\r\n').map((line) => line.split(','));
    const { items } = await api('nodes?sort=name&order=asc&limit=1000');
    assert.deepEqual(rows.map((row) => row[head.indexOf('name')]), items.map(({ name }) => name));
    assert.deepEqual(rows.map((row) => Number(row[head.indexOf('cpu.allocatable')])), items.map(({ cpu }) => cpu.allocatable));
    await go('pods');
    await page().locator('[data-table=pods] tr[data-row]').first().waitFor();
    const [pods] = await Promise.all([page().waitForEvent('download'), page().getByRole('button', { name: 'Save all pods' }).click()]);
    const { total } = await api('pods?limit=1');
    const saved = readFileSync(await pods.path(), 'utf8').trim().split('\r\n').length - 1;
    assert.ok(Math.abs(saved - total) <= 5, `${saved} of ${total}`);
  });

  test('pods are narrowed by labels and node', async () => {
    const [pod] = (await api('pods?sort=cpu&limit=1')).items;
    const [key, value] = (await api(`pods/${pod.namespace}/${pod.name}`)).labels[0];
    await go('pods');
    await page().getByLabel('Labels, such as').fill(`${key}=${value}`);
    await page().getByLabel('On node').fill(pod.node);
    await eventually(async () => {
      const { total } = await api(`pods?label=${encodeURIComponent(`${key}=${value}`)}&limit=1`);
      const { total: there } = await api(`pods?label=${encodeURIComponent(`${key}=${value}`)}&node=${pod.node}&limit=1`);
      assert.ok(total >= there && there > 0);
      assert.equal(Number(await page().locator('[data-table=pods]').getAttribute('data-total')), there);
    });
  });

  test('the first page ends with the latest warnings', async () => {
    await go('?range=1h');
    await eventually(async () => {
      const { items, total } = await api('events?type=Warning&limit=10');
      assert.equal(Number(await page().locator('[data-table=events]').getAttribute('data-total')), total);
      assert.deepEqual(await page().locator('[data-event]').evaluateAll((all) => all.map(({ dataset }) => dataset.event)), items.map(({ uid }) => uid));
    });
  });

  test('events of several namespaces are one list', async () => {
    const { items } = await api('events?limit=1000');
    const names = [...new Set(items.map(({ namespace }) => namespace))].filter(Boolean).slice(0, 2);
    assert.equal(names.length, 2);
    await go(`events?range=1h&ns=${names.join(',')}`);
    await eventually(async () => {
      const { total } = await api(`events?${names.map((name) => `namespace=${name}`).join('&')}`);
      assert.equal(Number(await page().locator('[data-table=events]').getAttribute('data-total')), total);
    });
  });
}
