// What the status page tells of sinks and replicas, with real ones: two replicas over one cluster
// send to another Taffrail by remote write. `npm run holdings`.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, launch, looksWell, open } from './browser.mjs';
import { cluster, started } from './cluster.mjs';

let browser;
let world;
let receiver;
let replicas = [];
let page;
let complaints;
let close;
/** Places in `replicas`: of the one that feeds the sinks, and of the other. */
let feeder;
let other;

const NAMES = ['one', 'two'];
const json = async (url, path) => (await fetch(new URL(`api/taffrail/v1/${path}`, url))).json();

before(async () => {
  browser = await launch();
  world = await cluster();
  const secret = join(world.folder, 'peers');
  writeFileSync(secret, 'a secret of sixteen bytes and more\n');
  const { child, found } = await started(['serve', '--source', 'host', '--no-history', '--metric-resolution', '5s', '--listen', '127.0.0.1:0'], /Taffrail serves (http:\/\/[^ ]+)/);
  receiver = { child, url: found[1] };
  const flags = (name) => ['--lease-namespace', 'default', '--lease-duration', '4s', '--peer-name', name, '--peer-listen', '127.0.0.1:0', '--peer-token-file', secret, '--sink', `remotewrite:${new URL('api/v1/write', receiver.url).href}`];
  replicas = await Promise.all(NAMES.map((name) => world.serve(flags(name))));
  await eventually(async () => {
    const { items } = await json(replicas[0].url, 'replicas');
    assert.deepEqual(items.map(({ name, missing }) => [name, missing]), NAMES.map((name) => [name, null]));
    feeder = NAMES.indexOf(items.find(({ feeds }) => feeds)?.name);
    assert.ok(feeder >= 0);
    other = 1 - feeder;
  }, 60_000);
  ({ page, complaints, close } = await open(browser, new URL('status', replicas[feeder].url).href));
});

after(async () => {
  await close?.();
  for (const { child } of [...replicas, ...(receiver ? [receiver] : [])]) child.kill();
  world?.stop();
  await browser?.close();
});

test('replicas are listed as the API has them', async () => {
  await eventually(async () => {
    const names = await page.locator('[data-replica]').evaluateAll((all) => all.map(({ dataset }) => dataset.replica));
    assert.deepEqual(names, NAMES);
    const { items } = await json(replicas[feeder].url, 'replicas');
    const rows = await page.locator('[data-replica]').allInnerTexts();
    items.forEach(({ name, address }, at) => assert.ok(rows[at].startsWith(name) && rows[at].includes(address), rows[at]));
  }, 60_000);
});

test('a sink is told with what it sent, and the receiver has it', async () => {
  const row = page.locator('[data-sink]');
  await eventually(async () => {
    assert.equal(await page.locator('[data-sinks]').getAttribute('data-sinks'), '1');
    const sent = Number(await row.locator('[data-sent]').getAttribute('data-sent'));
    assert.ok(sent > 0);
    const [sink] = (await json(replicas[feeder].url, 'sinks')).items;
    assert.ok(sink.sent >= sent && sink.circuit === 'closed' && sink.failure === null);
    assert.ok((await row.innerText()).includes(new URL(receiver.url).host));
  }, 90_000);
  await eventually(async () => {
    const answer = await (await fetch(new URL('api/v1/query?query=count(kube_node_info or container_memory_working_set_bytes)', receiver.url))).json();
    assert.ok(Number(answer.data.result[0]?.value[1]) > 0, JSON.stringify(answer.data));
  }, 60_000);
});

test('a filled status page is accessible in both themes and fits a phone', async () => {
  const ready = async () => {
    await page.locator('[data-sink]').waitFor();
    await page.locator('[data-diagnosis]:not([data-diagnosis=""])').waitFor();
  };
  await looksWell(page, 'status', { kept: false, ready });
});

test('a destination that goes away is told, with what waits', async () => {
  receiver.child.kill();
  await eventually(async () => {
    const text = await page.locator('[data-sink]').innerText();
    assert.match(text, /connect|refused|unreachable|closed/i);
    const [sink] = (await json(replicas[feeder].url, 'sinks')).items;
    assert.ok(sink.waitingPoints > 0 || sink.retried > 0);
  }, 90_000);
});

test('a replica that ends is listed no more', async () => {
  replicas[other].child.kill();
  await eventually(async () => {
    const names = await page.locator('[data-replica]').evaluateAll((all) => all.map(({ dataset }) => dataset.replica));
    assert.deepEqual(names, [NAMES[feeder]]);
  }, 90_000);
  assert.deepEqual(complaints, []);
});
