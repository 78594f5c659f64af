// How long until the first page can be used, from asking for it to numbers, graphs and rows on it:
// `npm run first`, with TAFFRAIL naming the program (built for release). Every page is loaded by a
// browser that has nothing cached. Prints the middle of several loads, and what the machine was
// doing meanwhile; fails beyond the bounds unless the machine was busy.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { eventually, launch } from './browser.mjs';
import { started } from './cluster.mjs';

/** Nodes, pods of each, milliseconds that are allowed. */
const SIZES = [
  [10, 50, 1_000],
  [70, 100, 2_000],
];
const LOADS = 9;
/** A load of the machine beyond its processors makes the numbers another program's. */
const BUSY = cpus().length;

const loadNow = () => Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);

const browser = await launch();
let failed = false;
for (const [nodes, each, most] of SIZES) {
  const { child, found } = await started(['demo', '--nodes', String(nodes), '--pods-per-node', String(each), '--listen', '127.0.0.1:0'], /(http:\/\/[\d.:]+\/?)/, 180_000);
  try {
    const url = new URL(found[1]);
    const overview = async () => (await fetch(new URL('api/taffrail/v1/overview', url))).json();
    // Rates need two batches.
    const { pods } = await eventually(async () => {
      const answer = await overview();
      if (answer.cpu.usage === null) throw new Error('no rates yet');
      return answer;
    }, 120_000);
    const load = loadNow();
    const times = [];
    let bytes = 0;
    for (let turn = 0; turn < LOADS; turn += 1) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
      const page = await context.newPage();
      const session = await context.newCDPSession(page);
      await session.send('Network.enable');
      bytes = 0;
      session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
      await page.goto(url.href, { waitUntil: 'commit' });
      // Told by the page itself: its clock began when it was asked for.
      const used = await page.waitForFunction(() => {
        const filled = (selector) => [...document.querySelectorAll(selector)].some((one) => one.getAttribute('data-value') ?? one.getAttribute('data-points') ?? true);
        const ready =
          document.querySelector('[data-figure=cpu]:not([data-value=""])') &&
          Number(document.querySelector('[data-graph=cpu]')?.dataset.points) > 0 &&
          document.querySelector('[data-graph=memory] canvas') &&
          filled('[data-table=pods] [data-row]') &&
          filled('[data-table=nodes] [data-row]');
        return ready ? performance.now() : false;
      }, undefined, { polling: 'raf', timeout: 60_000 });
      times.push(await used.jsonValue());
      await context.close();
    }
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.floor(share * (times.length - 1))].toFixed(0);
    console.log(`${pods.total} pods on ${nodes} nodes: usable after ${at(0.5)} ms (${at(0)} to ${at(1)} of ${LOADS} loads), ${Math.round(bytes / 1024)} KiB until then; load of the machine ${load.toFixed(1)} on ${cpus().length} processors`);
    if (Number(at(0.5)) > most && load <= BUSY) failed = true;
  } finally {
    child.kill();
  }
}
await browser.close();
if (failed) process.exitCode = 1;
