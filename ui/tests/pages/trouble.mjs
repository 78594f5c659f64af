// Pods with problems, restarts, saved events, keys that walk through lists.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventually } from '../browser.mjs';

export function trouble({ test, go, page, api, url }) {
  test('pods with problems are the API’s, each with its reason and a way to it', async () => {
    await go('');
    const { counts, total } = await eventually(async () => {
      const found = await api('problems?limit=1');
      assert.ok(found.total > 0);
      return found;
    }, 90_000);
    assert.ok(Object.values(counts).reduce((sum, one) => sum + one, 0) === total);
    await eventually(async () => {
      const answer = await api('problems?limit=6');
      const rows = await page().locator('[data-trouble] li').evaluateAll((all) => all.map(({ dataset }) => [dataset.row, dataset.kind]));
      assert.deepEqual(rows, answer.items.map(({ namespace, name, problem }) => [`${namespace}/${name}`, problem]));
      assert.equal(Number(await page().locator('[data-trouble]').getAttribute('data-trouble')), answer.total);
      for (const [problem, pods] of Object.entries(answer.counts)) assert.equal(Number(await page().locator(`[data-problem=${problem}]`).getAttribute('data-value')), pods);
    });
    const first = page().locator('[data-trouble] li a').first();
    const words = await first.innerText();
    await first.click();
    await eventually(async () => assert.ok(decodeURIComponent(page().url()).includes(`pods/${words}`), page().url()));
  });

  test('the numbers at the top lead to what they count', async () => {
    await go('?range=1h');
    await eventually(async () => {
      const [overview, { total }, status] = [await api('overview'), await api('events?type=Warning&limit=1'), await api('status')];
      const shown = async (name) => Number(await page().locator(`[data-figure=${name}]`).getAttribute('data-value'));
      assert.deepEqual([await shown('warnings'), await shown('volumes'), await shown('collectors')], [total, overview.volumesFull, status.targets.up]);
    });
    for (const [figure, path, query] of [['nodes', 'nodes', ''], ['restarts', 'pods', 'pods=-restarts'], ['warnings', 'events', 'type=Warning'], ['volumes', 'volumes', ''], ['collectors', 'status', '']]) {
      await go('?range=1h');
      await page().locator(`[data-figure=${figure}] b a`).click();
      await eventually(async () => {
        const { pathname, search } = new URL(page().url());
        assert.ok(pathname.endsWith(`/${path}`) && search.includes(query) && search.includes('range=1h'), page().url());
      });
    }
    await go('');
    await page().locator('[data-phase]').first().click();
    await eventually(async () => assert.ok(/phase=\w+/.test(page().url()), page().url()));
  });

  test('the map tells the past of the pod that is pointed at', async () => {
    await go('map?range=5m');
    const pod = page().locator('[data-pod][data-share]:not([data-share=""])').first();
    await pod.waitFor();
    await pod.hover();
    const name = await pod.getAttribute('data-pod');
    const mini = page().locator(`[data-mini="${name}"] svg`);
    await mini.waitFor();
    assert.ok(Number(await mini.getAttribute('data-points')) >= 2);
  });

  test('the pods that restarted most are told with their last end', async () => {
    await go('');
    await eventually(async () => {
      const { items } = await api('pods?sort=restarts&order=desc&limit=6');
      const expected = items.filter(({ restarts }) => restarts > 0);
      assert.ok(expected.length > 0);
      const rows = await page().locator('[data-top-restarts] li').evaluateAll((all) => all.map(({ dataset, innerText }) => [dataset.row, Number(dataset.restarts), innerText]));
      assert.deepEqual(rows.map(([row, restarts]) => [row, restarts]), expected.map(({ namespace, name, restarts }) => [`${namespace}/${name}`, restarts]));
      expected.forEach(({ last }, index) => assert.ok(!last || rows[index][2].includes(last.reason), rows[index][2]));
    });
  });

  test('events are saved as CSV and JSON lines, as the filters say', async () => {
    await go('events?range=1h&type=Warning');
    await page().locator('[data-event]').first().waitFor();
    const saved = async (format) => {
      const link = page().locator(`[data-save=${format}]`);
      const asked = new URL(await link.getAttribute('href'));
      const [file] = await Promise.all([page().waitForEvent('download'), link.click()]);
      assert.equal(file.suggestedFilename(), `events.${format}`);
      return { text: readFileSync(await file.path(), 'utf8'), query: asked.searchParams };
    };
    const { text, query } = await saved('ndjson');
    query.delete('format');
    query.set('limit', '1000');
    const { items, total } = await api(`events?${query}`);
    const lines = text.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, total);
    assert.deepEqual(lines.slice(0, 50), items.slice(0, 50));
    assert.ok(lines.every(({ type }) => type === 'Warning'));
    const csv = (await saved('csv')).text.trim().split('\r\n');
    assert.equal(csv[0], 'lastSeen,firstSeen,type,reason,namespace,kind,name,count,source,message,uid');
    assert.ok(csv.length > 1 && csv[1].includes('Warning'));
    const wrong = await fetch(new URL('api/taffrail/v1/events/export?format=xml', url));
    assert.equal(wrong.status, 400);
  });

  test('j and k go from row to row, letters to the parts of a thing', async () => {
    await go('pods');
    await page().locator('[data-table=pods] [data-row]').nth(2).waitFor();
    await page().locator('body').click({ position: { x: 5, y: 700 } });
    await page().keyboard.press('Space');
    const focused = () => page().evaluate(() => document.activeElement?.closest('[data-row]')?.dataset.row ?? '');
    const rows = await page().locator('[data-table=pods] [data-row]').evaluateAll((all) => all.map(({ dataset }) => dataset.row));
    await page().keyboard.press('j');
    await page().keyboard.press('j');
    assert.equal(await focused(), rows[1]);
    await page().keyboard.press('k');
    assert.equal(await focused(), rows[0]);
    await page().keyboard.press('Enter');
    await eventually(async () => assert.ok(decodeURIComponent(page().url()).includes(`pods/${rows[0]}`)));
    await page().locator('[data-key=e]').waitFor();
    await page().locator('h1').click();
    await page().keyboard.press('e');
    assert.equal(await page().evaluate(() => document.activeElement?.dataset.key), 'e');
    await page().keyboard.press('y');
    await page().locator('[data-yaml] pre').waitFor();
    await page().locator('h1').click();
    await page().keyboard.press('l');
    await page().locator('[data-logs]').waitFor();
    await go('pods');
    await page().locator('[data-live]').waitFor();
  });
}
