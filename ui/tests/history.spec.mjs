// History in a browser, against a server of its own: thirty days are drawn from what is on disk; a
// full disk is told and its end too, while graphs move on. `cargo xtask e2e`, or with TAFFRAIL (the
// program) and TAFFRAIL_HISTORY (the example `history`): `npm run history`.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { axe, eventually, launch, open, screenshot } from './browser.mjs';

const { TAFFRAIL, TAFFRAIL_HISTORY } = process.env;
if (!TAFFRAIL || !TAFFRAIL_HISTORY) throw new Error('name the programs in TAFFRAIL and TAFFRAIL_HISTORY, or run `cargo xtask e2e`');
const DAYS = 30;
const DAY_MS = 86_400_000;
/** Bytes that a file may have while the disk is “full”; every file of the store has more. */
const FULL = '1';

let dir;
let server;
let url;
let browser;
let page;
let complaints;
let close;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'taffrail-history-'));
  execFileSync(TAFFRAIL_HISTORY, [dir, '1', '3', String(DAYS), '1800'], { stdio: 'inherit' });
  // A file that grows beyond its limit ends a program that does not ignore the signal.
  const words = ['serve', '--source=host', '--metric-resolution=5s', '--listen=127.0.0.1:0', '--log=off', `--data-dir=${dir}`];
  server = spawn('sh', ['-c', `trap '' XFSZ; exec "$0" "$@"`, TAFFRAIL, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(server.stdout, 'data');
  [url] = /http:\S+/.exec(String(said));
  browser = await launch();
  ({ page, complaints, close } = await open(browser, url));
});

after(async () => {
  await close?.();
  await browser?.close();
  server?.kill('SIGKILL');
  if (dir) rmSync(dir, { recursive: true, force: true });
});

async function api(path, body) {
  const init = body ? { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {};
  const response = await fetch(new URL(`api/taffrail/v1/${path}`, url), init);
  assert.equal(response.status, 200, path);
  return response.json();
}

const graph = (id) =>
  page.locator(`[data-graph=${id}]`).evaluate((element) => ({
    from: Number(element.dataset.from),
    to: Number(element.dataset.to),
    points: Number(element.dataset.points),
    series: Object.fromEntries([...element.querySelectorAll('[data-series]')].map(({ dataset }) => [dataset.series, { min: Number(dataset.min), avg: Number(dataset.avg), max: Number(dataset.max) }])),
  }));

test('thirty days are drawn from what is on disk', async () => {
  await page.goto(new URL(`?range=${DAYS}d`, url).href);
  await page.locator('[data-graph=memory] canvas').waitFor();
  await eventually(async () => {
    const shown = await graph('memory');
    assert.ok(shown.to - shown.from >= (DAYS - 1) * DAY_MS, `${(shown.to - shown.from) / DAY_MS} days`);
    assert.ok(shown.points > 300, `${shown.points} points`);
    const asked = { start: Math.round(shown.from), end: Math.round(shown.to), points: 1000, series: [{ kind: 'cluster', metric: 'memory/working_set' }] };
    const { timestamps, series } = await api('query', asked);
    const [{ avg, min, max }] = series;
    const there = timestamps.filter((_, at) => avg[at] !== null);
    // From the first day to the last.
    assert.ok(there[0] - shown.from < DAY_MS && shown.to - there.at(-1) < DAY_MS, `${there[0]} to ${there.at(-1)}`);
    const numbers = (values) => values.filter((value) => value !== null);
    const { workingSet } = shown.series;
    assert.ok(workingSet.max <= Math.max(...numbers(max ?? avg)) * 1.001 && workingSet.min >= Math.min(...numbers(min ?? avg)) * 0.999, JSON.stringify(workingSet));
  });
  await screenshot(page, 'history-thirty-days', false);
});

const notice = () => page.locator('[data-problems]').getByText(/no space left for/);

test('a full disk is told, and graphs move on', async () => {
  await page.goto(new URL('?range=5m', url).href);
  await eventually(async () => assert.ok((await api('status')).lastBatch), 30_000);
  assert.equal(await notice().count(), 0);
  execFileSync('prlimit', ['--pid', String(server.pid), `--fsize=${FULL}:`]);
  await notice().waitFor({ timeout: 60_000 });
  await page.locator('[data-problems]').getByText(/resumes by itself/).waitFor();
  assert.deepEqual(await axe(page), []);
  await screenshot(page, 'history-full-disk', false);
  const { timestamp } = (await api('status')).lastBatch;
  const before = await graph('memory');
  await eventually(async () => {
    assert.ok((await api('status')).lastBatch.timestamp > timestamp);
    const now = await graph('memory');
    assert.ok(now.points > before.points || now.to > before.to, 'the graph stands still');
  }, 30_000);
});

test('when there is room again the notice goes and history goes on', async () => {
  execFileSync('prlimit', ['--pid', String(server.pid), '--fsize=unlimited:']);
  await notice().waitFor({ state: 'detached', timeout: 60_000 });
  assert.deepEqual((await api('status')).problems, []);
  // What is measured from now on is kept: another start shows it.
  const { timestamp } = (await api('status')).lastBatch;
  await eventually(async () => assert.ok((await api('status')).lastBatch.timestamp > timestamp + 5000), 30_000);
  const info = JSON.parse(execFileSync(TAFFRAIL, ['store', 'info', dir, '--output=json'], { encoding: 'utf8' }));
  assert.ok(info.range.to > timestamp, `${info.range.to} is the newest on disk, ${timestamp} was measured`);
  assert.deepEqual(info.damage, []);
});

test('the browser complained about nothing', () => assert.deepEqual(complaints, []));
