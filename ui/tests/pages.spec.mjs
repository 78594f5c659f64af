// Every page, in a browser, against a running server: `npm run pages -- http://127.0.0.1:8080/` or
// TAFFRAIL_URL. Numbers are compared with the API's, axe finds nothing in either theme, pages fit a
// phone. With PICTURES=folder every page is also kept there as a picture.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, launch, looksWell, open } from './browser.mjs';
import { explore } from './pages/explore.mjs';
import { graphs } from './pages/graphs.mjs';
import { lists } from './pages/lists.mjs';
import { trouble } from './pages/trouble.mjs';

const url = process.argv[2] ?? process.env['TAFFRAIL_URL'];
if (!url) throw new Error('name a running taffrail: npm run pages -- http://127.0.0.1:8080/');

let browser;
let page;
let complaints;
let close;

const api = async (path) => {
  const response = await fetch(new URL(`api/taffrail/v1/${path}`, url));
  assert.equal(response.status, 200, path);
  return response.json();
};

const encoded = (...parts) => parts.map(encodeURIComponent).join('/');

before(async () => {
  browser = await launch();
  ({ page, complaints, close } = await open(browser, url));
  await eventually(async () => assert.ok((await api('status')).lastBatch), 60_000);
});

after(async () => {
  await close?.();
  await browser?.close();
});

const go = (path) => page.goto(new URL(path, url).href);

/** Used, requested and whole of a row's amounts, by cell. */
const rows = (name, cells) =>
  page.locator(`[data-table=${name}] tbody tr[data-row]`).evaluateAll(
    (elements, cells) =>
      elements.map((element) => ({
        key: element.dataset.row,
        ...Object.fromEntries(
          cells.map((cell) => {
            const { used } = element.querySelector(`[data-cell=${cell}] [data-used]`).dataset;
            return [cell, used === '' ? null : Number(used)];
          }),
        ),
      })),
    cells,
  );

const usage = { cpu: (item) => item.cpu.usage, memory: (item) => item.memory.workingSet, fill: (item) => item.usage };
const name = (item) => item.name;
const of = (...keys) => (item) => keys.map((key) => item[key]).join('/');

const LISTS = [
  ['nodes', 'nodes?sort=name&order=asc&limit=25', name, ['cpu', 'memory']],
  ['namespaces', 'namespaces?sort=cpu&order=desc&limit=25', name, ['cpu', 'memory']],
  ['workloads', 'workloads?sort=cpu&order=desc&limit=25', of('namespace', 'kind', 'name'), ['cpu', 'memory']],
  ['pods', 'pods?sort=cpu&order=desc&limit=25', of('namespace', 'name'), ['cpu', 'memory']],
  ['containers', 'containers?sort=cpu&order=desc&limit=25', of('namespace', 'pod', 'name'), ['cpu', 'memory']],
  ['volumes', 'volumes?sort=fill&order=desc&limit=25', of('namespace', 'pod', 'name'), ['fill']],
];

for (const [table, question, key, cells] of LISTS) {
  test(`${table}: rows and total are the API's`, async () => {
    await go(table);
    await eventually(async () => {
      const answer = await api(question);
      const expected = answer.items.map((item) => ({ key: key(item), ...Object.fromEntries(cells.map((cell) => [cell, usage[cell](item)])) }));
      assert.ok(expected.length > 0);
      assert.deepEqual(await rows(table, cells), expected);
      assert.equal(Number(await page.locator(`[data-table=${table}]`).getAttribute('data-total')), answer.total);
    });
    await eventually(async () => assert.ok((await page.locator(`[data-table=${table}] svg[data-points]`).count()) > 0, 'small lines'));
  });
}

test('the navigation counts', async () => {
  await go('');
  await eventually(async () => {
    const overview = await api('overview');
    for (const [path, value] of Object.entries({ nodes: overview.nodes.total, pods: overview.pods.total, workloads: overview.workloads, containers: overview.containers, volumes: overview.volumes })) {
      assert.equal((await page.locator(`nav [data-count="${path}"]`).innerText()).replaceAll(/\D/g, ''), String(value), path);
    }
  });
});

test('a namespace narrows lists and goes along', async () => {
  await go('pods');
  await page.locator('#namespaces-button').click();
  const box = page.getByRole('checkbox').first();
  const label = (await box.locator('..').innerText()).trim();
  await box.check();
  await page.keyboard.press('Escape');
  await eventually(async () => {
    const { total } = await api(`pods?namespace=${encodeURIComponent(label)}&limit=1`);
    assert.equal(Number(await page.locator('[data-table=pods]').getAttribute('data-total')), total);
  });
  await page.locator('nav').getByRole('link', { name: /Containers/ }).click();
  assert.equal(new URL(page.url()).searchParams.get('ns'), label);
  await eventually(async () => assert.ok((await rows('containers', ['cpu'])).every(({ key }) => key.startsWith(`${label}/`))));
});

const graph = (id) =>
  page.locator(`[data-graph=${id}]`).evaluate((element) => ({
    from: Number(element.dataset.from),
    to: Number(element.dataset.to),
    points: Number(element.dataset.points),
    last: Object.fromEntries([...element.querySelectorAll('[data-series]')].map(({ dataset }) => [dataset.series, dataset.last === '' ? null : Number(dataset.last)])),
  }));

async function lastOf(selector, from, to) {
  const response = await fetch(new URL('api/taffrail/v1/query', url), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ start: Math.round(from), end: Math.round(to), points: 1200, series: [selector] }) });
  return (await response.json()).series[0].avg.filter((value) => value !== null).at(-1) ?? null;
}

/** The details that are shown: of the largest of each kind. */
async function details() {
  const [node] = (await api('nodes?sort=cpu&limit=1')).items;
  const [pod] = (await api('pods?sort=cpu&limit=1')).items;
  const [workload] = (await api('workloads?sort=cpu&limit=1')).items;
  const [container] = (await api(`containers?sort=cpu&limit=1`)).items;
  const [volume] = (await api('volumes?sort=fill&limit=1')).items;
  return [
    ['node', encoded('nodes', node.name), 'cpu', 'usage', { kind: 'node', name: node.name, metric: 'cpu/usage_rate' }],
    ['namespace', encoded('namespaces', pod.namespace), 'cpu', 'usage', { kind: 'namespace', name: pod.namespace, metric: 'cpu/usage_rate' }],
    ['workload', encoded('workloads', workload.namespace, workload.kind, workload.name), 'memory', 'workingSet', { kind: 'workload', namespace: workload.namespace, workloadKind: workload.kind, name: workload.name, metric: 'memory/working_set' }],
    ['pod', encoded('pods', pod.namespace, pod.name), 'cpu', 'usage', { kind: 'pod', namespace: pod.namespace, name: pod.name, metric: 'cpu/usage_rate' }],
    ['container', encoded('containers', container.namespace, container.pod, container.name), 'memory', 'workingSet', { kind: 'container', namespace: container.namespace, pod: container.pod, name: container.name, metric: 'memory/working_set' }],
    ['volume', encoded('volumes', volume.namespace, volume.pod, volume.name), 'filesystem', 'usage', { kind: 'volume', namespace: volume.namespace, pod: volume.pod, name: volume.id, metric: 'filesystem/usage' }],
  ];
}

test('details draw the samples of the API', async () => {
  for (const [kind, path, id, series, selector] of await details()) {
    await go(path);
    await eventually(async () => {
      const shown = await graph(id);
      assert.ok(shown.points >= 2, `${kind}: ${shown.points} points`);
      assert.equal(shown.last[series], await lastOf(selector, shown.from, shown.to), kind);
    });
  }
});

test('a workload is shown summed or by pod', async () => {
  const [workload] = (await api('workloads?sort=pods&limit=1')).items;
  await go(`${encoded('workloads', workload.namespace, workload.kind, workload.name)}?view=each`);
  const { total } = await api(`pods?namespace=${workload.namespace}&workload=${encodeURIComponent(`${workload.kind}/${workload.name}`)}&limit=1`);
  await eventually(async () => assert.equal(Object.keys((await graph('cpu')).last).length, total > 20 ? 21 : total));
});

test('events are the API’s, and a filter narrows them', async () => {
  await go('events?range=1h');
  await eventually(async () => {
    const shown = await page.locator('[data-event]').evaluateAll((all) => all.map(({ dataset }) => dataset.event));
    const answer = await api(`events?limit=50`);
    assert.equal(Number(await page.locator('[data-table=events]').getAttribute('data-total')), answer.total);
    assert.deepEqual(shown.slice(0, 5), answer.items.slice(0, 5).map(({ uid }) => uid));
  });
  await go('events?range=1h&type=Warning');
  await eventually(async () => {
    const types = await page.locator('[data-event]').evaluateAll((all) => all.map(({ dataset }) => dataset.type));
    assert.ok(types.every((type) => type === 'Warning'));
  });
});

test('the status page tries every hop and lists every target', async () => {
  await go('status');
  await eventually(async () => {
    const { items } = await api('targets');
    assert.equal(Number(await page.locator('[data-targets]').getAttribute('data-targets')), items.length);
  });
  await eventually(async () => {
    const { kubelets } = await api('status');
    assert.ok((await page.locator('main').innerText()).includes(kubelets.why));
  });
  await eventually(async () => {
    const { checks, outcome } = await api('diagnosis');
    assert.equal(await page.locator('[data-diagnosis]').getAttribute('data-diagnosis'), outcome);
    assert.equal(await page.locator('[data-check]').count(), checks.length);
  });
});

test('the status page tells of history and sinks', async () => {
  await go('status');
  await eventually(async () => {
    const [{ store }, { items }] = [await api('store'), await api('sinks')];
    assert.ok(Math.abs(Number(await page.locator('[data-store]').getAttribute('data-store')) - store.bytes) < 0.2 * store.bytes);
    assert.equal(await page.locator('[data-sinks]').getAttribute('data-sinks'), String(items.length));
    assert.ok((await page.locator('main').innerText()).includes(store.dir));
  });
  const scraper = await api('status');
  assert.equal(await page.locator('[data-caller="--sidecar-host"]').innerText().then((text) => /\b0\b/.test(text)), scraper.dashboards.sidecarHost === null);
});

test('what is not there says so', async () => {
  await go('pods/none/none');
  await page.getByText('Not there now').waitFor();
  await page.locator('[data-why]').first().waitFor();
  await go('pods/a/b/c/d/e').catch(() => undefined);
});

test('a time range is typed, and shared by the address', async () => {
  await go('');
  await page.locator('#range-button').click();
  await page.getByLabel('Range in words').fill('nonsense');
  await page.keyboard.press('Enter');
  await page.getByText('Not understood').waitFor();
  await page.getByLabel('Range in words').fill('last 2 days');
  await page.keyboard.press('Enter');
  await eventually(async () => assert.equal(new URL(page.url()).searchParams.get('range'), '2d'));
  await page.goBack();
  await eventually(async () => assert.equal(new URL(page.url()).searchParams.get('range'), null));
});

test('the palette finds things by keyboard', async () => {
  await go('');
  const [pod] = (await api('pods?sort=cpu&limit=1')).items;
  await page.locator('[data-live]').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill(`${pod.namespace}/${pod.name}`);
  await page.getByRole('option', { name: new RegExp(pod.name) }).waitFor();
  await page.keyboard.press('Enter');
  await eventually(async () => assert.ok(page.url().includes(encoded('pods', pod.namespace, pod.name)), page.url()));
  await page.locator('body').click({ position: { x: 5, y: 700 } });
  await page.keyboard.press('g');
  await page.keyboard.press('n');
  await eventually(async () => assert.ok(new URL(page.url()).pathname.endsWith('/nodes')));
  await page.keyboard.press('?');
  await page.getByRole('heading', { name: 'Keyboard' }).waitFor();
  await page.keyboard.press('Escape');
});

test('a graph is saved as CSV and picture', async () => {
  await go('nodes');
  await page.locator('[data-graph=cpu] canvas').waitFor();
  for (const [button, ending] of [['Save as CSV', '.csv'], ['Save as PNG', '.png']]) {
    await page.getByRole('button', { name: 'More for CPU' }).click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
    assert.ok(file.suggestedFilename().endsWith(ending));
  }
});

test('another language is chosen and remembered', async () => {
  await go('');
  await page.locator('#settings-button').click();
  await page.getByRole('button', { name: '简体中文' }).click();
  await page.getByRole('link', { name: /节点图|概览/ }).first().waitFor();
  await page.reload();
  await page.getByRole('link', { name: /概览/ }).first().waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-Hans');
  await page.evaluate(() => localStorage.setItem('taffrail.language', 'en'));
});

test('right-sizing shows the numbers of the API, with a patch', async () => {
  await go('sizing?days=1');
  await eventually(async () => {
    const answer = await api('sizing?days=1&limit=25');
    assert.ok(answer.total > 0);
    assert.equal(Number(await page.locator('[data-table=sizing]').getAttribute('data-total')), answer.total);
    const shown = await page.locator('[data-table=sizing] [data-row]').evaluateAll((all) => all.map((row) => [row.dataset.row, row.querySelector('[data-cell=memory]').dataset.request]));
    assert.deepEqual(shown.map(([key]) => key).toSorted(), answer.items.map(of('namespace', 'kind', 'workload', 'container')).toSorted());
    const requests = new Map(answer.items.map((item) => [of('namespace', 'kind', 'workload', 'container')(item), String(item.memory.request ?? '')]));
    for (const [key, request] of shown) assert.equal(request, requests.get(key), key);
  });
  // Hours near the limit: those of the API, give or take what a minute adds, and sorted by.
  await go('sizing?days=1&sort=nearLimit');
  await eventually(async () => {
    const { items } = await api('sizing?days=1&sort=nearLimit&limit=25');
    const cells = ['cpu', 'memory'];
    const shown = await page.locator('[data-table=sizing] [data-row]').evaluateAll((all, cells) => all.map((row) => [row.dataset.row, ...cells.map((cell) => row.querySelector(`[data-cell=${cell}]`).dataset.near)]), cells);
    assert.ok(shown.length > 0 && shown.length === items.length);
    const told = new Map(items.map((item) => [of('namespace', 'kind', 'workload', 'container')(item), cells.map((cell) => item[cell].nearLimitHours)]));
    for (const [key, ...near] of shown) {
      for (const [at, hours] of (told.get(key) ?? []).entries()) {
        assert.equal(near[at] === '', hours === null, `${key} ${cells[at]}`);
        assert.ok(hours === null || Math.abs(Number(near[at]) - hours) < 0.1, `${key} ${cells[at]}: ${near[at]} and ${hours}`);
      }
    }
    const longest = shown.map(([, ...near]) => Math.max(...near.map((hours) => (hours === '' ? -1 : Number(hours)))));
    assert.ok(longest[0] >= 0, `nothing has a limit: ${longest}`);
    assert.deepEqual(longest, longest.toSorted((a, b) => b - a));
  });
  assert.match(await page.getByRole('button', { name: /Copy patch/ }).first().getAttribute('title'), /^kubectl patch /);
});

test('the node map draws every pod, by keyboard and back in time', async () => {
  await go('map?range=5m');
  const { items } = await api('nodes?limit=1000');
  await eventually(async () => {
    assert.ok((await page.locator('[data-node]').count()) >= items.length);
    const drawn = await page.locator('[data-pod]').count();
    const { total } = await api('pods?limit=1');
    assert.ok(drawn > total * 0.8 && drawn <= total + 5, `${drawn} of ${total}`);
  });
  await eventually(async () => assert.ok((await page.locator('[data-pod][data-share]:not([data-share=""])').count()) > 50));
  const first = page.locator('[data-node] svg').first();
  await first.locator('a[tabindex="0"]').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'a');
  assert.equal(await first.locator('a').nth(1).evaluate((element) => element === document.activeElement), true);
  await page.locator('input[type=range]').focus();
  // The first batch after a start has no rates yet.
  await page.keyboard.press('Home');
  for (let step = 0; step < 4; step += 1) await page.keyboard.press('ArrowRight');
  await eventually(async () => assert.ok(Number(await page.locator('[data-at]').getAttribute('data-at')) > 0));
  await eventually(async () => assert.ok((await page.locator('[data-pod][data-share]:not([data-share=""])').count()) > 50, 'colours of the past'));
});

explore({ test, go, page: () => page, url });
graphs({ test, go, page: () => page, api, url });
lists({ test, go, page: () => page, api });
trouble({ test, go, page: () => page, api, url });

/** Any of these says that a page has what it is about. */
const FILLED = ['[data-row]', '[data-table=events]:not([data-total=""])', '[data-pod]', '[data-diagnosis]:not([data-diagnosis=""])', '[data-table=alerts]:not([data-total=""])', '[data-receivers]:not([data-receivers=""])', '[data-changes]:not([data-changes=""])', '[data-silences]:not([data-silences=""])', 'canvas'];
const SINGLE = ['', 'alerts', 'alerts?view=rules', 'alerts?view=history', 'alerts?view=silences', 'pods/none/none', 'explore?q=sum%20by%20(namespace)%20(container_memory_working_set_bytes)', 'nodes', 'namespaces', 'workloads', 'pods', 'containers', 'volumes', 'map', 'events', 'sizing', 'status'];

test('every page is accessible in both themes, and fits a phone', { timeout: 300_000 }, async () => {
  const pages = [...SINGLE.map((path) => [path.replace('?view=', '-').replaceAll('/', '-').split('?')[0] || 'overview', path]), ...(await details()).map(([kind, path]) => [kind, path])];
  for (const [label, path] of pages) {
    await go(path);
    await eventually(async () => assert.ok(await page.locator('main h1, main h2').count(), `${label} has no heading: ${await page.locator('body').innerText()}`));
    if (path !== 'pods/none/none') await page.locator(FILLED.map((one) => `main ${one}`).join(', ')).first().waitFor();
    await looksWell(page, label, { kept: !label.endsWith('-none') });
  }
  await page.emulateMedia({ colorScheme: 'light' });
});

test('the browser complained about nothing', () => assert.deepEqual(complaints.filter((text) => !/status of 40[04]/.test(text)), []));
