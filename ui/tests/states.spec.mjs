// What the page says when something is missing, against the mock server: `npm run states`.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { axe, eventually, fits, launch, open, PHONE, screenshot } from './browser.mjs';
import { mockServer } from './mock-server.mjs';

let browser;

before(async () => {
  browser = await launch();
  // The first page of a browser takes longest, and the first test is about the first seconds.
  const { close } = await open(browser, 'about:blank');
  await close();
});

after(() => browser.close());

/** Runs `body` with a mock server and a page that is not opened yet. */
async function against(options, body) {
  const mock = mockServer(options);
  await new Promise((resolve) => mock.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = mock.address();
  try {
    await body(`http://127.0.0.1:${port}/`, { mock, port });
  } finally {
    mock.stop();
  }
}

test('before the first batch the page says since when and how long', async () => {
  // Batches come at whole multiples: only just after one there is time to look.
  await eventually(async () => assert.ok(Date.now() % 6000 < 500));
  await against({ tick: 6000, history: 0 }, async (url) => {
    const { page, complaints, close } = await open(browser, url);
    const empty = page.locator('[data-graph=cpu] [data-empty]');
    await eventually(async () => assert.match(await empty.innerText(), /Collecting since \d\d:\d\d:\d\d[\s\S]*first point/i));
    await screenshot(page, 'state-starting', false);
    assert.deepEqual(await axe(page), []);
    await page.locator('[data-graph=cpu] canvas').waitFor();
    await eventually(async () => assert.ok(Number(await page.locator('[data-graph=cpu]').getAttribute('data-points')) >= 2));
    await screenshot(page, 'state-young', false);
    assert.deepEqual(complaints, []);
    await close();
  });
});

test('everything works below a path prefix', () =>
  against({ tick: 1000, history: 60 }, async (url) => {
    const { page, complaints, close } = await open(browser, `${url}some/prefix/?range=5m`);
    await page.locator('[data-graph=cpu] canvas').waitFor();
    await page.locator('[data-live=live]').waitFor();
    assert.equal(await page.locator('a.product').getAttribute('href'), '/some/prefix/?range=5m');
    assert.deepEqual(complaints, []);
    await close();
  }));

test('an address that leads nowhere says so, and the way back needs no reload', () =>
  against({ tick: 1000, history: 60 }, async (url) => {
    const { page, close } = await open(browser, url);
    await page.locator('[data-graph=cpu] canvas').waitFor();
    await page.evaluate(() => {
      globalThis.same = true;
      history.pushState(null, '', 'no/such/page');
      dispatchEvent(new PopStateEvent('popstate'));
    });
    await page.getByRole('heading', { name: 'No such page' }).waitFor();
    assert.deepEqual(await axe(page), []);
    await page.getByRole('link', { name: 'Go to the cluster overview' }).click();
    await page.locator('[data-graph=cpu] canvas').waitFor();
    assert.equal(await page.evaluate(() => globalThis.same), true);
    await close();
  }));

test('a server that went away is told, and its return is noticed', () =>
  against({ tick: 1000, history: 60 }, async (url, { mock, port }) => {
    const { page, close } = await open(browser, url);
    await page.locator('[data-live=live]').waitFor();
    mock.stop();
    const badge = page.locator('[data-live=disconnected]');
    await badge.waitFor();
    await eventually(async () => assert.match(await badge.innerText(), /does not answer; next try in/));
    await page.locator('[data-problems]').getByText('Check that the process runs').waitFor();
    assert.ok(await page.locator('[data-graph=cpu] canvas').isVisible(), 'old points stay visible');
    await screenshot(page, 'state-disconnected', false);
    await against({ tick: 1000, history: 60, port }, async () => {
      await page.locator('[data-live=live]').waitFor();
      await eventually(async () => assert.equal(await page.getByText('Check that the process runs').count(), 0));
    });
    await close();
  }));

test('a tab that nobody sees asks for nothing, and catches up', () =>
  against({ tick: 400, history: 60 }, async (url) => {
    const { page, complaints, close } = await open(browser, `${url}?range=5m`);
    await page.locator('[data-live=live]').waitFor();
    await page.locator('[data-graph=cpu] canvas').waitFor();
    const hide = (hidden) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    const newest = async () => (await (await fetch(new URL('api/taffrail/v1/status', url))).json()).lastBatch.timestamp;
    await hide(true);
    await page.locator('[data-live=paused]').waitFor();
    const points = async () => Number(await page.locator('[data-graph=cpu]').getAttribute('data-points'));
    const at = await newest();
    // Two batches for what was under way, and then none of the next eight is asked for.
    await eventually(async () => assert.ok((await newest()) > at + 2 * 400));
    const [asked, had] = [[], await points()];
    page.on('request', (request) => asked.push(request.url()));
    await eventually(async () => assert.ok((await newest()) > at + 10 * 400));
    assert.deepEqual(asked, []);
    assert.equal(await points(), had);
    await hide(false);
    await page.locator('[data-live=live]').waitFor();
    await eventually(async () => assert.ok((await points()) > had + 5));
    assert.deepEqual(complaints, []);
    await close();
  }));

test('when no node can be read, every graph names hop, reason and advice', () =>
  against({ tick: 1000, history: 0 }, async (url) => {
    const { page, close } = await open(browser, 'about:blank');
    const failed = (node) => ({ node, url: `https://${node}:10250`, state: 'failed', hop: 'authorization', reason: 'nodes/stats is forbidden', advice: 'Apply deploy/taffrail.yaml', since: Date.now() - 9000, lastSuccess: null, tookMs: 3, bodyBytes: null });
    const change = (path, edit) => page.route(`**/v1/${path}`, async (route) => route.fulfill({ json: edit(await (await route.fetch()).json()) }));
    await change('status', (status) => ({ ...status, targets: { up: 0, failed: 2, skipped: 0 } }));
    await change('targets', (answer) => ({ ...answer, items: [failed('node-1'), failed('node-2')] }));
    await change('query', (answer) => ({ ...answer, series: answer.series.map((column) => ({ ...column, avg: column.avg.map(() => null) })) }));
    await page.route('**/v1/stream', (route) => route.fulfill({ status: 200, contentType: 'text/event-stream', body: ': hello\n\n' }));
    await page.goto(url);
    const empty = page.locator('[data-graph=memory] [data-empty]');
    await eventually(async () => assert.match(await empty.innerText(), /None of 2 nodes[\s\S]*authorization \(403\): nodes\/stats is forbidden[\s\S]*Apply deploy\/taffrail.yaml/));
    await eventually(async () => assert.equal(await page.locator('[data-hop=authorization]').count(), 1));
    await screenshot(page, 'state-forbidden', false);
    await close();
  }));

test('when the cluster cannot be seen at all, the page says which hop failed', () =>
  against({ tick: 60_000, history: 0 }, async (url) => {
    const { page, close } = await open(browser, 'about:blank');
    const problem = { about: 'API server', hop: 'connect', reason: 'https://127.0.0.1:6443: connection refused', advice: 'Start the cluster', since: Date.now() - 5000 };
    await page.route('**/v1/status', async (route) => route.fulfill({ json: { ...(await (await route.fetch()).json()), problems: [problem] } }));
    await page.goto(url);
    const expected = /API server: not reached[\s\S]*TCP connection[\s\S]*connection refused[\s\S]*Start the cluster/;
    await eventually(async () => assert.match(await page.locator('[data-graph=cpu] [data-empty]').innerText(), expected));
    assert.match(await page.locator('[data-problems]').innerText(), expected);
    await close();
  }));

test('a table that fails keeps its rows and says why', () =>
  against({ tick: 1000, history: 60 }, async (url) => {
    const { page, close } = await open(browser, url);
    await page.locator('[data-table=pods] [data-row]').first().waitFor();
    await page.route('**/v1/pods?*', (route) => route.fulfill({ status: 503, json: { error: { reason: 'the window is locked', advice: 'Wait a moment' } } }));
    const alert = page.locator('[data-table=pods] [role=alert]');
    await eventually(async () => assert.match(await alert.innerText(), /the window is locked. Wait a moment/));
    assert.equal(await page.locator('[data-table=pods] [data-row]').count(), 10);
    await page.unroute('**/v1/pods?*');
    await alert.waitFor({ state: 'detached' });
    await close();
  }));

test('more samples than pixels become buckets, and still move', () =>
  against({ tick: 500, history: 900 }, async (url) => {
    const { page, close } = await open(browser, url, { viewport: PHONE });
    await page.locator('[data-graph=cpu] canvas').waitFor();
    const step = Number(await page.locator('[data-step]').getAttribute('data-step'));
    assert.ok(step > 1000, `${step} ms`);
    const { points, max, avg } = await page.locator('[data-graph=cpu]').evaluate((element) => ({ points: Number(element.dataset.points), ...element.querySelector('[data-series=usage]').dataset }));
    assert.ok(points <= 360 && points > 100, `${points} points`);
    assert.ok(Number(max) >= Number(avg));
    const to = Number(await page.locator('[data-graph=cpu]').getAttribute('data-to'));
    await eventually(async () => assert.ok(Number(await page.locator('[data-graph=cpu]').getAttribute('data-to')) > to + step));
    await screenshot(page, 'state-buckets', false);
    await close();
  }));

test('hostile names and messages are text', () =>
  against({ tick: 1000, history: 60 }, async (url) => {
    const evil = '<img src=x onerror="globalThis.hit=1"><script>globalThis.hit=2</script>\u202e\u0007 {{x}}';
    const huge = 'x'.repeat(1 << 20);
    const { page, complaints, close } = await open(browser, 'about:blank');
    await page.route('**/api/taffrail/v1/pods?*', async (route) => {
      const answer = await (await route.fetch()).json();
      answer.items.forEach((item, index) => Object.assign(item, { name: `${evil}${index}`, namespace: evil, reason: index === 0 ? huge : evil, node: evil }));
      await route.fulfill({ json: answer });
    });
    await page.goto(url);
    await page.locator('[data-table=pods] tbody tr[data-row]').first().waitFor();
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.ok((await page.locator('[data-table=pods]').innerText()).includes('<img src=x'));
    assert.equal(await page.evaluate(() => globalThis.hit), undefined);
    await fits(page);
    assert.deepEqual(complaints, []);
    await close();
  }));

test('hostile labels, owners and annotations of a pod are text', () =>
  against({ tick: 1000, history: 60 }, async (url) => {
    const evil = '<img src=x onerror="globalThis.hit=1">\u0000\u001b[31m\u202e';
    const { page, complaints, close } = await open(browser, 'about:blank');
    const list = (items) => ({ json: { timestamp: Date.now(), total: items.length, items } });
    const amounts = { cpu: { usage: 1, request: 1, limit: 1 }, memory: { workingSet: 1, usage: 1, rss: 1, request: 1, limit: 1 }, network: { rxRate: 1, txRate: 1 } };
    const item = { namespace: 'web', name: `${evil}name`, node: evil, phase: 'Running', reason: 'x'.repeat(1 << 20), workload: { kind: evil, name: evil }, containers: 1, ready: 0, restarts: 3, last: { reason: evil, exitCode: 1, finished: Date.now() }, started: Date.now() - 60_000, ...amounts };
    const container = { ...item, pod: item.name, name: evil, image: evil, state: 'waiting', ready: false };
    await page.route('**/v1/pods/web/*', (route) => route.fulfill({ json: { timestamp: Date.now(), item, uid: evil, labels: [[`${evil}a`, 'v'.repeat(1 << 20)], ['b', evil]], created: Date.now(), deleted: null, hostNetwork: false, owners: [{ kind: evil, name: evil }], conditions: [{ name: evil, status: 'False', good: false, reason: 'r'.repeat(1 << 20) }], containers: [container] } }));
    await page.route('**/v1/containers?*', (route) => route.fulfill(list([container])));
    await page.route('**/v1/volumes?*', (route) => route.fulfill(list([{ namespace: 'web', pod: item.name, name: evil, id: evil, claim: evil, node: evil, usage: 1, limit: 2, available: 1, inodes: 1, inodesFree: 1 }])));
    // No address holds a zero byte, and the mock server has nothing below its root.
    await page.route('**/pods/web/favicon.svg', (route) => route.fulfill({ status: 204 }));
    await page.goto(url);
    await page.evaluate(
      (path) => {
        history.pushState(null, '', path);
        dispatchEvent(new PopStateEvent('popstate'));
      },
      `pods/web/${encodeURIComponent(item.name.replace('\u0000', ''))}`
    );
    await page.locator('[data-conditions]').waitFor();
    await page.locator('[data-table=containers] [data-row]').first().waitFor();
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.equal(await page.evaluate(() => globalThis.hit), undefined);
    assert.ok((await page.locator('main').innerText()).includes('<img src=x'));
    await fits(page);
    assert.deepEqual(complaints, []);
    await close();
  }));

test('alerts are told on every page, listed, silenced once and unsilenced', () =>
  against({ tick: 500, history: 60 }, async (url, { mock }) => {
    const { page, complaints, close } = await open(browser, `${url}?range=5m`);
    await page.locator('[data-firing-head="1"]').waitFor();
    await eventually(async () => assert.ok(Number(await page.locator('[data-graph=cpu]').getAttribute('data-marks')) >= 1, 'marked on the graphs'));
    await page.locator('#firing-button').click();
    await page.getByRole('dialog').getByRole('link', { name: 'All alerts' }).click();
    await page.locator('[data-alert=a1][data-state=firing]').waitFor();
    assert.equal(await page.locator('main img').count(), 0);
    assert.deepEqual(await axe(page), []);
    await page.getByRole('button', { name: 'Silence NodeDown' }).click();
    await page.getByLabel('Who').fill('ann');
    await page.getByRole('button', { name: 'Silence these' }).click();
    await page.getByText('Say who and why').waitFor();
    await page.getByLabel('Why').fill('maintenance');
    await page.getByRole('button', { name: 'Silence these' }).dblclick();
    await page.locator('[data-silence=s1][data-state=active]').waitFor();
    assert.equal(mock.posts, 1, 'two clicks make one silence');
    assert.ok((await page.locator('[data-silence=s1]').innerText()).includes('alertname="NodeDown"'));
    await eventually(async () => assert.equal(await page.locator('[data-firing-head]').count(), 0, 'what is silenced is not told'));
    assert.deepEqual(await axe(page), []);
    await page.getByRole('button', { name: /End now/ }).click();
    await page.locator('[data-silence=s1][data-state=expired]').waitFor();
    await page.getByRole('button', { name: 'History' }).click();
    await page.locator('[data-change=a1]').waitFor();
    assert.deepEqual(await axe(page), []);
    await page.getByRole('button', { name: 'Rules' }).click();
    await page.locator('[data-rule=Broken]').getByText('the allowed 5 series').waitFor();
    assert.deepEqual(await axe(page), []);
    assert.deepEqual(complaints, []);
    await close();
  }));

test('labels of a mile, messages of a MiB and control characters are text', () =>
  against({ tick: 1000, history: 60 }, async (url) => {
    const { page, complaints, close } = await open(browser, url);
    const hostile = `<script>globalThis.hit=1</script>\u0000\u001b[31m\u202e${'x'.repeat(1 << 20)}`;
    const event = (uid, message) => ({ uid, namespace: 'web', kind: 'Pod', name: '<b>pod</b>', reason: '<i>Reason</i>', type: 'Warning', message, source: hostile.slice(0, 2000), count: 2, firstSeen: Date.now() - 60_000, lastSeen: Date.now() - 30_000 });
    await page.route('**/api/taffrail/v1/events?*', (route) => route.fulfill({ json: { from: Date.now() - 900_000, to: Date.now(), total: 2, capped: false, items: [event('1', hostile), event('2', 'short')], histogram: { stepMs: 900_000, timestamps: [Date.now() - 900_000], normal: [0], warning: [2] } } }));
    await page.locator('nav').getByRole('link', { name: 'Events' }).click();
    const button = page.getByRole('button', { name: 'Show the whole message' });
    await button.waitFor();
    await eventually(async () => assert.equal(await button.count(), 1, 'only the long one'));
    const before = await page.locator('[data-event="1"] .message').evaluate((element) => element.textContent.length);
    assert.ok(before < 5_000, `${before} characters before one asks`);
    await button.focus();
    await page.keyboard.press('Enter');
    await eventually(async () => assert.equal(await page.locator('[data-event="1"] .message').evaluate((element) => element.textContent.length), hostile.length));
    assert.equal(await page.locator('main b, main i, main script').count(), 0);
    assert.equal(await page.evaluate(() => globalThis.hit), undefined);
    await fits(page);
    assert.deepEqual(complaints, []);
    await close();
  }));

// The range is short, so that it is full when measuring begins; by then the browser has compiled what it will.
test('a tab left open through 2,000 updates does not grow', { timeout: 300_000 }, () =>
  against({ tick: 25, history: 300 }, async (url) => {
    const { page, close } = await open(browser, `${url}?range=5s`);
    await page.locator('[data-graph=cpu] canvas').waitFor();
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    const to = async () => Number(await page.locator('[data-graph=cpu]').getAttribute('data-to'));
    const updates = async (count) => {
      const until = (await to()) + count * 25;
      await eventually(async () => assert.ok((await to()) >= until), count * 60 + 20_000);
    };
    const measure = async () => {
      await session.send('HeapProfiler.collectGarbage');
      const { metrics } = await session.send('Performance.getMetrics');
      return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
    };
    await updates(1_300);
    let before = await measure();
    await updates(2_000);
    let now = await measure();
    // 300 bytes an update: what the browser itself notes of scripts and requests.
    const most = 600_000;
    const moreListeners = () => now.JSEventListeners - before.JSEventListeners > 20;
    const grows = () => now.JSHeapUsedSize - before.JSHeapUsedSize >= most || moreListeners();
    for (let again = 0; again < 2 && grows(); again += 1) {
      // On a busy machine the browser compiles late, and a list may be drawn or not at either look;
      // what leaks grows each time.
      before = now;
      await updates(2_000);
      now = await measure();
    }
    const growth = now.JSHeapUsedSize - before.JSHeapUsedSize;
    assert.ok(growth < most, `${growth} bytes of heap in 2,000 updates`);
    assert.ok(now.Nodes < before.Nodes * 1.1 + 100, `${before.Nodes} DOM nodes, then ${now.Nodes}`);
    assert.ok(!moreListeners(), `${before.JSEventListeners} listeners, then ${now.JSEventListeners}`);
    await close();
  }));
