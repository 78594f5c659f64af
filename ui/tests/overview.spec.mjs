// The first page, in a browser, against a running server: `npm run e2e -- http://127.0.0.1:8080/`
// or TAFFRAIL_URL; without either, against the mock server. Numbers on the page are compared with
// the API's answers fetched in the same test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { axe, eventually, fits, launch, open, PHONE, screenshot, WIDE } from './browser.mjs';
import { mockServer } from './mock-server.mjs';

const GRAPHS = ['cpu', 'memory', 'network'];
const FEWEST_POINTS = 2;
const SERIES = {
  cpu: { usage: 'cpu/usage_rate', requests: 'cpu/request', limits: 'cpu/limit', allocatable: 'cpu/node_allocatable' },
  memory: { workingSet: 'memory/working_set', usage: 'memory/usage', requests: 'memory/request', limits: 'memory/limit', allocatable: 'memory/node_allocatable' },
  network: { received: 'network/rx_rate', sent: 'network/tx_rate' },
};

let url = process.argv[2] ?? process.env['TAFFRAIL_URL'];
let browser;
let mock;
let page;
let complaints;
let close;

before(async () => {
  if (!url) {
    mock = mockServer({ tick: 1000, history: 400 });
    await new Promise((resolve) => mock.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${mock.address().port}/`;
  }
  browser = await launch();
  ({ page, complaints, close } = await open(browser, url));
});

after(async () => {
  await close?.();
  await browser?.close();
  mock?.stop();
});

async function api(path, body) {
  const init = body ? { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {};
  const response = await fetch(new URL(`api/taffrail/v1/${path}`, url), init);
  assert.equal(response.status, 200, path);
  return response.json();
}

const figure = async (name) => {
  const text = await page.locator(`[data-figure=${name}]`).getAttribute('data-value');
  return text === '' ? null : Number(text);
};

async function graph(name) {
  return page.locator(`[data-graph=${name}]`).evaluate((element) => ({
    points: Number(element.dataset.points),
    from: Number(element.dataset.from),
    to: Number(element.dataset.to),
    series: Object.fromEntries(
      [...element.querySelectorAll('[data-series]')].map(({ dataset }) => [
        dataset.series,
        Object.fromEntries(['points', 'last', 'min', 'avg', 'max'].map((key) => [key, dataset[key] === '' ? null : Number(dataset[key])])),
      ]),
    ),
  }));
}

/** Rows of a table: name, and used, requested and whole of its amounts. */
const rows = (name) =>
  page.locator(`[data-table=${name}] tbody tr[data-row]`).evaluateAll((elements) =>
    elements.map((element) => ({
      key: element.dataset.row,
      ...Object.fromEntries(
        ['cpu', 'memory'].map((cell) => {
          const { used, requested, whole } = element.querySelector(`[data-cell=${cell}] [data-used]`).dataset;
          return [cell, [used, requested, whole].map((text) => (text === '' ? null : Number(text)))];
        }),
      ),
    })),
  );

/** A limit below the request is that of some containers only, and bounds nothing. */
const bound = ({ request, limit }) => (request !== null && limit !== null && limit < request ? null : limit);

const near = (a, b, tolerance, what) => assert.ok(Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b)), `${what}: ${a} and ${b}`);

test('every graph has points within seconds, and grows', async () => {
  for (const name of GRAPHS) await eventually(async () => assert.ok((await graph(name)).points >= FEWEST_POINTS, name), 40_000);
  const before = await graph('cpu');
  await eventually(async () => {
    const now = await graph('cpu');
    assert.ok(now.points > before.points || now.to > before.to, `${now.points} points`);
  }, 130_000);
  for (const name of GRAPHS) assert.ok(await page.locator(`[data-graph=${name}] canvas`).isVisible());
});

test('headline numbers are those of the API', async () => {
  await eventually(async () => {
    const overview = await api('overview');
    assert.deepEqual(
      {
        nodes: await figure('nodes'),
        pods: await figure('pods'),
        restarts: await figure('restarts'),
        cpu: await figure('cpu'),
        memory: await figure('memory'),
        network: await figure('network'),
      },
      {
        nodes: overview.nodes.ready,
        pods: overview.pods.total,
        restarts: overview.restarts,
        cpu: overview.cpu.usage,
        memory: overview.memory.workingSet,
        network: overview.network.rxRate,
      },
    );
    assert.ok(overview.cpu.usage > 0 && overview.memory.workingSet > 0);
    const share = (overview.cpu.usage / overview.cpu.allocatable) * 100;
    const shown = share < 9.95 ? `${Number(share.toFixed(1))}%` : `${Math.round(share)}%`;
    assert.equal(await page.locator('[data-figure=cpu] b').innerText(), shown);
    for (const [phase, amount] of Object.entries(overview.pods.byPhase)) {
      assert.equal(await page.locator(`[data-phase=${phase}]`).getAttribute('data-value'), String(amount));
    }
  });
});

test('graphs show the samples of the API', async () => {
  for (const name of GRAPHS) {
    await eventually(async () => {
      const shown = await graph(name);
      const names = Object.keys(SERIES[name]);
      const answer = await api('query', { start: shown.from, end: shown.to, points: 1200, series: Object.values(SERIES[name]).map((metric) => ({ kind: 'cluster', metric })) });
      for (const [index, key] of names.entries()) {
        const values = answer.series[index].avg.filter((value) => value !== null);
        const { points, last, min, max } = shown.series[key];
        assert.equal(points, values.length, `${name} ${key}`);
        if (points === 0) continue;
        assert.equal(last, values.at(-1), `${name} ${key}`);
        near(min, Math.min(...values), 0.001, `${name} ${key} min`);
        near(max, Math.max(...values), 0.001, `${name} ${key} max`);
      }
    });
  }
});

test('table rows are the API’s, and add up', async () => {
  await eventually(async () => {
    const answer = await api('nodes?sort=name&order=asc&limit=10');
    const expected = answer.items.map((item) => ({
      key: item.name,
      cpu: [item.cpu.usage, item.cpu.request, item.cpu.allocatable],
      memory: [item.memory.workingSet, item.memory.request, item.memory.allocatable],
    }));
    assert.deepEqual(await rows('nodes'), expected);
  });
  await eventually(async () => {
    const answer = await api('pods?sort=cpu&order=desc&limit=10');
    assert.deepEqual(
      await rows('pods'),
      answer.items.map((item) => ({
        key: `${item.namespace}/${item.name}`,
        cpu: [item.cpu.usage, item.cpu.request, bound(item.cpu)],
        memory: [item.memory.workingSet, item.memory.request, bound(item.memory)],
      })),
    );
  });
  const all = await api('nodes?limit=1000');
  const overview = await api('overview');
  const allocatable = all.items.reduce((sum, item) => sum + (item.cpu.allocatable ?? 0), 0);
  near(allocatable, overview.cpu.allocatable, 0.01, 'allocatable CPU of nodes and cluster');
});

test('small lines appear in the tables', async () => {
  await eventually(async () => {
    const counts = await page.locator('[data-table=pods] svg[data-points]').evaluateAll((all) => all.map((one) => Number(one.dataset.points)));
    assert.ok(counts.length > 0 && counts.some((count) => count >= FEWEST_POINTS), `${counts}`);
  });
});

test('the server sorts and searches', async () => {
  const head = page.locator('[data-table=nodes] th').filter({ hasText: 'CPU' });
  await head.getByRole('button').focus();
  await page.keyboard.press('Enter');
  assert.equal(await head.getAttribute('aria-sort'), 'descending');
  await eventually(async () => {
    const used = (await rows('nodes')).map(({ cpu }) => cpu[0]).filter((value) => value !== null);
    assert.deepEqual(used, used.toSorted((a, b) => b - a));
    assert.ok(new URL(page.url()).searchParams.get('nodes') === '-cpu');
  });
  await head.getByRole('button').click();
  assert.equal(await head.getAttribute('aria-sort'), 'ascending');
  const [first] = (await api('nodes?sort=name&order=asc&limit=1')).items;
  const search = page.locator('[data-table=nodes] input[type=search]');
  await search.fill(first.name);
  await eventually(async () => assert.ok((await rows('nodes')).every(({ key }) => key.includes(first.name))));
  await search.fill('no-such-node');
  await page.getByText('Nothing matches “no-such-node”').waitFor();
  await page.getByRole('button', { name: 'Clear the search' }).click();
  await eventually(async () => assert.ok((await rows('nodes')).length > 0));
});

test('the crosshair moves by keyboard, on all graphs', async () => {
  const cpu = page.locator('[data-graph=cpu] [role=figure]');
  await cpu.focus();
  assert.match(await cpu.getAttribute('aria-label'), /usage: now .+, minimum .+, maximum .+/);
  await page.keyboard.press('End');
  const end = Number(await eventually(async () => (await cpu.getAttribute('data-cursor')) || assert.fail('no crosshair')));
  await page.keyboard.press('ArrowLeft');
  await eventually(async () => assert.ok(Number(await cpu.getAttribute('data-cursor')) < end));
  await page.keyboard.press('Home');
  const home = await eventually(async () => {
    const at = Number(await cpu.getAttribute('data-cursor'));
    assert.ok(at > 0 && at < end);
    return at;
  });
  assert.equal(Number(await page.locator('[data-graph=memory] [role=figure]').getAttribute('data-cursor')), home);
  await eventually(async () => assert.match(await page.locator('[data-graph=cpu] [data-spoken]').innerText(), /usage/));
  await screenshot(page, 'crosshair', false);
  await page.keyboard.press('Escape');
  await eventually(async () => assert.equal(await cpu.getAttribute('data-cursor'), ''));
});

test('the legend isolates and toggles', async () => {
  const row = (key) => page.locator(`[data-graph=cpu] [data-series=${key}] button`);
  await row('usage').click();
  assert.equal(await row('limits').getAttribute('aria-pressed'), 'false');
  await row('requests').click({ modifiers: ['Control'] });
  assert.equal(await row('requests').getAttribute('aria-pressed'), 'true');
  await row('requests').click({ modifiers: ['Control'] });
  await row('usage').click();
  assert.equal(await row('limits').getAttribute('aria-pressed'), 'true');
});

test('a graph is also a table', async () => {
  await page.getByRole('button', { name: 'Show CPU as a table' }).click();
  const { points } = await graph('cpu');
  const found = await page.locator('#cpu-points tbody tr').count();
  assert.ok(found >= Math.min(points, 240) && found <= 240, `${found} rows for ${points} points`);
  await page.getByRole('button', { name: 'Show CPU as a graph' }).click();
});

test('the pointer pauses, a drag zooms, Back undoes it', async () => {
  const badge = page.locator('[data-live]');
  await eventually(async () => assert.equal(await badge.getAttribute('data-live'), 'live'));
  const plot = page.locator('[data-graph=cpu] .u-over');
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.2, y);
  await eventually(async () => assert.equal(await badge.getAttribute('data-live'), 'paused'));
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.4, y, { steps: 5 });
  await page.mouse.move(box.x + box.width * 0.7, y, { steps: 5 });
  await page.mouse.up();
  await eventually(async () => assert.ok(new URL(page.url()).searchParams.has('from')));
  const query = new URL(page.url()).searchParams;
  await eventually(async () => {
    const shown = await graph('memory');
    assert.equal(shown.from, Number(query.get('from')));
    assert.equal(shown.to, Number(query.get('to')));
  });
  await page.mouse.move(2, 2);
  await page.goBack();
  await eventually(async () => {
    assert.ok(!new URL(page.url()).searchParams.has('from'));
    assert.equal(await badge.getAttribute('data-live'), 'live');
  });
  await page.locator('#range-button').click();
  await page.getByRole('button', { name: 'Last 5m', exact: true }).click();
  assert.equal(new URL(page.url()).searchParams.get('range'), '5m');
  await page.goBack();
});

test('problems name hop, reason and advice', async () => {
  await eventually(async () => {
    const failed = (await api('targets')).items.filter(({ state }) => state === 'failed');
    for (const { hop, reason } of failed.slice(0, 1)) {
      const problem = page.locator(`[data-problems] li[data-hop=${hop}]`).first();
      assert.ok((await problem.innerText()).length > 20, reason);
    }
    if (failed.length === 0) assert.equal(await page.locator('[data-problems] li[data-hop]:not([data-hop=""])').count(), 0);
  });
});

for (const scheme of ['light', 'dark']) {
  test(`${scheme}: accessible, and fits a phone`, async () => {
    const name = scheme === 'light' ? 'Light' : 'Dark';
    await page.locator('#settings-button').click();
    await page.getByRole('button', { name, exact: true }).click();
    await page.keyboard.press('Escape');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), scheme);
    for (const [size, viewport] of Object.entries({ wide: WIDE, phone: PHONE })) {
      await page.setViewportSize(viewport);
      await eventually(async () => assert.ok(await page.locator('[data-graph=cpu] canvas').isVisible()));
      await eventually(() => fits(page));
      await screenshot(page, `overview-${scheme}-${size}`);
      assert.deepEqual(await axe(page), []);
    }
    await page.setViewportSize(WIDE);
  });
}

test('the browser complained about nothing', () => assert.deepEqual(complaints, []));
