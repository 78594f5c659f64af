// Chromium for the end-to-end tests: pages that remember every complaint of the browser.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RESULTS = fileURLToPath(new URL('../test-results/', import.meta.url));
/** Where pictures of pages are kept; nowhere without. */
const PICTURES = process.env['PICTURES'];

export const WIDE = { width: 1440, height: 1000 };
export const PHONE = { width: 360, height: 780 };

export const launch = () => chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: FLAGS });

/** A page in its own fresh profile; `complaints` holds console errors, exceptions and CSP violations. */
export async function open(browser, url, { viewport = WIDE, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: viewport === PHONE ? 2 : 1 });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url);
  const close = async () => {
    // What a route still fetches when the page goes would fail after the test.
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await context.close();
  };
  return { page, complaints, close };
}

/** Violations of axe's rules, as `rule: elements`. */
export async function axe(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} (${failureSummary})`).join('; ')}`);
}

export async function screenshot(page, name, fullPage = true) {
  mkdirSync(RESULTS, { recursive: true });
  await page.screenshot({ path: `${RESULTS}${name}.png`, fullPage });
}

/** Repeats `attempt` until it does not throw; the page and the API move on with every batch. */
export async function eventually(attempt, milliseconds = 20_000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  }
}

/** What is visible, small enough to be kept beside the code; only where `PICTURES` names a folder. */
export async function picture(page, name) {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 70 });
  writeFileSync(`${PICTURES}/${name}.webp`, Buffer.from(data, 'base64'));
  await session.detach();
}

/** Nothing is wider than the page. */
export async function fits(page, label = 'the page') {
  const { content, visible } = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, visible: document.documentElement.clientWidth }));
  assert.ok(content <= visible, `${label}: ${content} px in ${visible} px`);
}

/** In both themes and at every size the page fits and axe finds nothing; `ready` waits for what it shows. */
export async function looksWell(page, label, { sizes = { wide: WIDE, phone: PHONE }, kept = true, ready = async () => {} } = {}) {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewportSize(viewport);
      await ready();
      await eventually(async () => {
        await fits(page, `${label} ${scheme} ${size}`);
        assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), scheme);
      });
      assert.deepEqual(await axe(page), [], `${label} ${scheme} ${size}`);
      if (kept) await picture(page, `${label}-${scheme}-${size}`);
    }
  }
  await page.setViewportSize(WIDE);
}
