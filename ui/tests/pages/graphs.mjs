// What a graph can do beside drawing: stacks, references, links, full screen, marks, CSV.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventually } from '../browser.mjs';

export function graphs({ test, go, page, api, url }) {
  const ask = async (body) => (await fetch(new URL('api/taffrail/v1/query', url), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
  const more = async (title, name) => {
    await page().getByRole('button', { name: `More for ${title}` }).click();
    await page().getByRole('button', { name, exact: true }).click();
  };
  const legend = (id) => page().locator(`[data-graph=${id}] [data-series]`).evaluateAll((rows) => Object.fromEntries(rows.map(({ dataset }) => [dataset.series, Number(dataset.last)])));
  const largest = async () => {
    const [workload] = (await api('workloads?sort=pods&limit=1')).items;
    return `workloads/${workload.namespace}/${workload.kind}/${workload.name}`;
  };

  test('lines are stacked and set side by side; numbers stay', async () => {
    await go(`${await largest()}?view=each&range=5m`);
    const cpu = page().locator('[data-graph=cpu]');
    await cpu.locator('canvas').waitFor();
    const paint = () => cpu.locator('canvas').evaluate((canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.reduce((sum, value, index) => (index % 4 === 3 ? sum : (sum + value) % 1e9), 0));
    await page().keyboard.press('Space');
    await page().locator('[data-live=paused]').waitFor();
    const [numbers, painted] = [await legend('cpu'), await paint()];
    await more('CPU', 'Stack the lines');
    await page().locator('[data-graph=cpu][data-stacked=true] canvas').waitFor();
    assert.deepEqual(await legend('cpu'), numbers);
    await eventually(async () => assert.notEqual(await paint(), painted));
    await more('CPU', 'Lines side by side');
    await page().locator('[data-graph=cpu][data-stacked=false]').waitFor();
    await page().keyboard.press('Space');
  });

  test('a reading is pinned by a click and by keyboard, and leads on', async () => {
    await go(`${await largest()}?view=each&range=5m`);
    const cpu = page().locator('[data-graph=cpu]');
    const figure = cpu.locator('[role=figure]');
    const over = cpu.locator('.u-over');
    await cpu.locator('canvas').waitFor();
    const box = await over.boundingBox();
    await page().mouse.click(box.x + box.width * 0.6, box.y + box.height / 2);
    const pin = cpu.locator('[data-pin]');
    await pin.waitFor();
    const at = Number(await pin.getAttribute('data-pin'));
    assert.equal(Number(await figure.getAttribute('data-pinned')), at);
    await page().mouse.move(2, 2);
    await page().locator('[data-live=paused]').waitFor();
    // The numbers are those of the table at that time.
    const told = await pin.locator('a').first().innerText();
    await page().mouse.move(box.x + box.width * 0.2, box.y + box.height / 2);
    assert.equal(Number(await pin.getAttribute('data-pin')), at, 'it stays where it is');
    await pin.getByRole('button', { name: 'Unpin' }).click();
    await pin.waitFor({ state: 'detached' });
    await page().mouse.move(2, 2);
    await page().locator('[data-live=live]').waitFor();
    await figure.focus();
    await page().keyboard.press('End');
    await page().keyboard.press('Enter');
    await pin.waitFor();
    await page().keyboard.press('Escape');
    await pin.waitFor({ state: 'detached' });
    await page().keyboard.press('End');
    await page().keyboard.press('Enter');
    await pin.getByRole('link', { name: told }).click();
    await eventually(async () => assert.ok(page().url().includes(encodeURIComponent(told)), page().url()));
    await page().mouse.move(2, 2);
    await page().locator('[data-live=live]').waitFor();
  });

  test('a node’s pods stand upon one another, and with the rest make its usage', async () => {
    const [node] = (await api('nodes?sort=pods&limit=1')).items;
    await go(`nodes/${node.name}?view=each&range=5m`);
    await page().locator('[data-graph=memory][data-stacked=true] canvas').waitFor();
    await page().keyboard.press('Space');
    await page().locator('[data-live=paused]').waitFor();
    const { other, ...pods } = await legend('memory');
    assert.equal(Object.keys(pods).length, Math.min(20, node.pods));
    const { from, to } = await page().locator('[data-graph=memory]').evaluate(({ dataset }) => ({ from: Number(dataset.from), to: Number(dataset.to) }));
    const whole = await ask({ start: Math.round(from), end: Math.round(to), points: 1200, series: [{ kind: 'node', name: node.name, metric: 'memory/working_set' }] });
    const sum = Object.values(pods).reduce((left, value) => left + value, other);
    const last = whole.series[0].avg.filter((value) => value !== null).at(-1);
    assert.ok(Math.abs(sum - last) <= last * 0.02, `${sum} and ${last}`);
    await page().keyboard.press('Space');
  });

  test('requests and limits are lines of their own', async () => {
    await go(await largest());
    await page().locator('[data-graph=cpu] canvas').waitFor();
    await eventually(async () => {
      const [workload] = (await api('workloads?sort=pods&limit=1')).items;
      const { requests, limits } = await legend('cpu');
      assert.deepEqual([requests, limits], [workload.cpu.request, workload.cpu.limit]);
    });
  });

  test('events of a thing are marks on its graphs', async () => {
    const { items } = await api('events?kind=Pod&limit=1');
    const { namespace, name } = items[0];
    await go(`pods/${namespace}/${name}?range=1h`);
    await page().locator('[data-event]').first().waitFor();
    await eventually(async () => assert.ok(Number(await page().locator('[data-graph]').first().getAttribute('data-marks')) > 0));
    // And back: the time of an event shows the graphs around it.
    const time = page().locator('[data-event] .time').first();
    await time.click();
    await eventually(async () => assert.ok(new URL(page().url()).searchParams.has('from')));
    const graph = page().locator('[data-graph]').first();
    await eventually(async () => {
      const { from, to } = await graph.evaluate(({ dataset }) => ({ from: Number(dataset.from), to: Number(dataset.to) }));
      assert.equal(Math.round((to - from) / 1000), 900);
    });
  });

  test('a link to a range shows the same range', async () => {
    await go('nodes?range=5m');
    await page().locator('[data-graph=cpu] canvas').waitFor();
    await page().context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await more('CPU', 'Copy link to this range');
    await page().getByText('The link is in the clipboard').waitFor();
    const link = await page().evaluate(() => navigator.clipboard.readText());
    const { searchParams, hash } = new URL(link);
    assert.equal(hash, '#cpu-title');
    await page().goto(link);
    await eventually(async () => assert.equal(Math.round(Number(await page().locator('[data-graph=cpu]').getAttribute('data-from'))), Number(searchParams.get('from'))));
  });

  test('a graph fills the screen and comes back', async () => {
    await go('nodes?range=5m');
    await page().locator('[data-graph=cpu] canvas').waitFor();
    await more('CPU', 'Full screen');
    await eventually(async () => assert.ok((await page().locator('[data-graph=cpu] canvas').evaluate((canvas) => canvas.clientHeight)) > 500));
    await page().keyboard.press('Escape');
    await page().evaluate(() => document.fullscreenElement && document.exitFullscreen());
    await eventually(async () => assert.ok((await page().locator('[data-graph=cpu] canvas').evaluate((canvas) => canvas.clientHeight)) < 300));
  });

  test('a graph’s CSV has its last numbers', async () => {
    await go('nodes?range=5m');
    await page().locator('[data-graph=cpu] canvas').waitFor();
    await page().keyboard.press('Space');
    await page().locator('[data-live=paused]').waitFor();
    await page().getByRole('button', { name: 'More for CPU' }).click();
    const [file] = await Promise.all([page().waitForEvent('download'), page().getByRole('button', { name: 'Save as CSV' }).click()]);
    const rows = readFileSync(await file.path(), 'utf8').trim().split('\r\n').map((line) => line.split(','));
    const last = await legend('cpu');
    assert.deepEqual(rows[0], ['time', 'usage', 'requests', 'limits', 'allocatable']);
    assert.deepEqual(rows.at(-1).slice(1).map(Number), ['usage', 'requests', 'limits', 'allocatable'].map((key) => last[key]));
    await page().keyboard.press('Space');
  });

  test('times are local or UTC', async () => {
    await go('status');
    await page().locator('#settings-button').click();
    await page().getByRole('button', { name: 'UTC' }).click();
    await eventually(async () => assert.equal(await page().evaluate(() => localStorage.getItem('taffrail.zone')), 'utc'));
    await eventually(async () => {
      const { startedAt } = await api('status');
      assert.ok((await page().locator('main').innerText()).includes(new Date(startedAt).toISOString().slice(11, 19)));
    });
    await page().evaluate(() => localStorage.removeItem('taffrail.zone'));
  });
}
