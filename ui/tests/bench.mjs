// How long a refresh of 8 graphs × 20 series × 1,440 points takes, from new points to painted:
// `npm run bench`. Fails beyond 150 ms in the middle of 30 refreshes.
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { build, preview } from 'vite';
import { launch } from './browser.mjs';

const MOST_MS = 150;
const REFRESHES = 30;

const root = fileURLToPath(new URL('../bench/', import.meta.url));
const outDir = fileURLToPath(new URL('../test-results/bench/', import.meta.url));
const config = { configFile: false, root, logLevel: 'error', plugins: [svelte({ configFile: fileURLToPath(new URL('../svelte.config.js', import.meta.url)) })], build: { outDir, emptyOutDir: true, target: 'es2023' }, preview: { host: '127.0.0.1', port: 0 } };

await build(config);
const server = await preview(config);
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
  await page.goto(server.resolvedUrls.local[0]);
  await page.locator('[data-graph] canvas').nth(7).waitFor();
  const times = await page.evaluate(async (refreshes) => {
    const found = [];
    for (let turn = 0; turn < refreshes; turn += 1) found.push(await globalThis.refresh());
    return found;
  }, REFRESHES);
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor(share * (times.length - 1))].toFixed(0);
  console.log(`8 graphs × 20 series × 1,440 points: ${at(0.5)} ms in the middle, ${at(0)} to ${at(1)} ms of ${REFRESHES} refreshes`);
  if (Number(at(0.5)) > MOST_MS) process.exitCode = 1;
} finally {
  await browser.close();
  await server.close();
}
