// Objects, logs, terminals and actions in a browser, against a simulated cluster of its own, with
// the rights of whoever runs the server: `npm run objects`. With PICTURES=folder each page is kept
// as a picture, light and dark, wide and phone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, fits, launch, looksWell, open, picture } from './browser.mjs';
import { cluster } from './cluster.mjs';

let browser;
let world;
let server;
let page;
let complaints;
let close;

before(async () => {
  browser = await launch();
  world = await cluster();
  server = await world.serve([]);
  ({ page, complaints, close } = await open(browser, server.url));
});

after(async () => {
  await close?.();
  server?.child.kill();
  world?.stop();
  await browser?.close();
});

const go = (path) => page.goto(new URL(path, server.url).href);
const api = async (path) => {
  const response = await fetch(new URL(`api/taffrail/v1/${path}`, server.url));
  assert.equal(response.status, 200, path);
  return response.json();
};
const first = async (kind, namespace = 'web') => (await api(`objects/list/${kind}?namespace=${namespace}`)).items[0].name;
/** The deployment with the most pods: drains leave others with few. */
const crowded = async () => (await api('workloads?namespace=web&kind=Deployment&sort=pods&limit=1')).items[0].name;
const rows = () => page.locator('[data-objects] tbody tr').evaluateAll((all) => all.map((row) => row.dataset.row));

/** Opens an action, carries it out, and waits until it is done. */
async function act(name) {
  await page.locator(`[data-action=${name}]`).click();
  await page.locator('[data-go]').click();
  await page.locator('[data-done]').waitFor();
}

test('every kind that the API server discovers is there, custom ones too', async () => {
  const { kinds } = await api('objects/kinds');
  assert.ok(kinds.some(({ group, kind }) => group === 'harbour.example.com' && kind === 'Ship'));
  await go('objects');
  await eventually(async () => assert.equal(await page.locator('[data-kind]').count(), kinds.length));
  await page.getByRole('searchbox').fill('deploy');
  await eventually(async () => assert.equal(await page.locator('[data-kind]').count(), 1));
  await page.locator('[data-kind=deployments]').click();
  await page.locator('[data-objects=deployments] tbody tr').first().waitFor();
});

test('a list is sorted, searched and paged by the server, and follows what happens', async () => {
  await go('objects/core/v1/pods');
  const answer = await api('objects/list/core/v1/pods?sort=name&limit=50');
  await eventually(async () => assert.deepEqual(await rows(), answer.items.map(({ namespace, name }) => `${namespace}/${name}`)));
  assert.equal(Number(await page.locator('[data-objects]').getAttribute('data-total')), answer.total);
  await page.locator('[data-live=true]').waitFor();
  await page.getByRole('button', { name: 'Restarts' }).click();
  await page.getByRole('button', { name: 'Restarts' }).click();
  const sorted = await api('objects/list/core/v1/pods?sort=Restarts&order=desc&limit=50');
  await eventually(async () => assert.deepEqual((await rows()).slice(0, 3), sorted.items.slice(0, 3).map(({ namespace, name }) => `${namespace}/${name}`)));
  await go('objects/harbour.example.com/v1/ships');
  await page.locator('.empty').waitFor();
  await world.send('POST', '/apis/harbour.example.com/v1/namespaces/web/ships', { apiVersion: 'harbour.example.com/v1', kind: 'Ship', metadata: { name: 'fram' }, spec: { masts: 3 } });
  await eventually(async () => assert.deepEqual(await rows(), ['web/fram']));
  await world.send('DELETE', '/apis/harbour.example.com/v1/namespaces/web/ships/fram');
  await eventually(async () => assert.deepEqual(await rows(), []));
});

test('hostile names, labels and annotations are text', async () => {
  const evil = '<img src=x onerror=window.pwned=1>';
  await world.send('POST', '/api/v1/namespaces/web/configmaps', {
    apiVersion: 'v1', kind: 'ConfigMap',
    metadata: { name: 'hostile', labels: { a: 'b' }, annotations: { [`evil.example/x`]: evil + '\u202e'.repeat(3) + 'x'.repeat(500_000) } },
    data: { page: `</script>${evil}\u0000` },
  });
  await go('objects/core/v1/configmaps/web/hostile');
  await page.locator('[data-yaml] pre').waitFor();
  await page.locator('summary').click();
  assert.ok((await page.locator('[data-yaml] pre').innerText()).includes(evil));
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  assert.equal(await page.locator('main img').count(), 0);
});

test('annotations, labels and values of a MiB are text', async () => {
  const evil = '<img src=x onerror=window.pwned=3>\u0000\u001b[31m\u202e';
  const mile = evil + 'x'.repeat(1 << 20);
  await page.route('**/objects/one/core/v1/configmaps/**', async (route) => {
    const answer = await (await route.fetch()).json();
    Object.assign(answer.object.metadata, { annotations: { [evil]: mile, other: mile }, labels: { [evil]: mile } });
    answer.object.data = { [evil]: mile };
    answer.owners = [{ kind: evil, namespace: 'web', name: evil }];
    await route.fulfill({ json: answer });
  });
  await go('objects/core/v1/configmaps/web/hostile');
  await page.locator('[data-yaml] pre').waitFor();
  await page.locator('summary').click();
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  assert.equal(await page.locator('main img').count(), 0);
  assert.ok((await page.locator('details').innerText()).includes('<img src=x'));
  await fits(page);
  // A look that is still being answered ends first.
  await page.unrouteAll({ behavior: 'wait' });
});

test('an object shows owners, conditions, events, graphs and its YAML without managed fields', async () => {
  const pod = await first('core/v1/pods');
  await go(`objects/core/v1/pods/web/${pod}`);
  await page.locator('[data-yaml] pre').waitFor();
  const yaml = await page.locator('[data-yaml] pre').innerText();
  assert.match(yaml, /kind: Pod/);
  assert.doesNotMatch(yaml, /managedFields/);
  await page.locator('[data-conditions]').waitFor();
  await page.locator('[data-graph=cpu]').waitFor();
  const { owners } = await api(`objects/one/core/v1/pods/web/${pod}`);
  for (const owner of owners) await page.locator('dd a', { hasText: owner.name }).first().waitFor();
});

test('secret values are hidden until they are asked for', async () => {
  await world.send('POST', '/api/v1/namespaces/web/secrets', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, data: { password: btoa('hunter2') } });
  const hidden = await api('objects/one/core/v1/secrets/web/key');
  assert.ok(!JSON.stringify(hidden).includes(btoa('hunter2')));
  await go('objects/core/v1/secrets/web/key');
  await page.locator('[data-secret]').waitFor();
  assert.ok(!(await page.locator('main').innerText()).includes('hunter2'));
  await page.locator('[data-secret] button').click();
  await eventually(async () => assert.ok((await page.locator('[data-secret]').innerText()).includes('hunter2')));
});

test('scale, restart, suspend and run now do what they say', async () => {
  const deployment = await first('apps/v1/deployments');
  const path = `/apis/apps/v1/namespaces/web/deployments/${deployment}`;
  await go(`objects/apps/v1/deployments/web/${deployment}`);
  await page.locator('[data-action=scale]').click();
  await page.locator('[data-ask] input').fill('7');
  await page.locator('[data-go]').click();
  await page.locator('[data-done]').waitFor();
  assert.equal((await world.send('GET', path)).spec.replicas, 7);
  await act('restart');
  assert.match((await world.send('GET', path)).spec.template.metadata.annotations['kubectl.kubernetes.io/restartedAt'], /^20/);
  const { items } = await api('objects/list/batch/v1/cronjobs');
  const [{ namespace, name }] = items;
  await go(`objects/batch/v1/cronjobs/${namespace}/${name}`);
  await act('suspend');
  assert.equal((await world.send('GET', `/apis/batch/v1/namespaces/${namespace}/cronjobs/${name}`)).spec.suspend, true);
  await act('trigger');
  const jobs = await world.send('GET', `/apis/batch/v1/namespaces/${namespace}/jobs`);
  assert.equal(jobs.items.filter(({ metadata }) => metadata.annotations?.['cronjob.kubernetes.io/instantiate'] === 'manual').length, 1);
});

test('a deployment goes back to what it was', async () => {
  const sets = (await world.send('GET', '/apis/apps/v1/replicasets')).items;
  const many = sets.find(({ metadata }) => Number(metadata.annotations?.['deployment.kubernetes.io/revision']) > 1 || sets.filter((one) => one.metadata.ownerReferences?.[0]?.name === metadata.ownerReferences?.[0]?.name).length > 1);
  assert.ok(many, 'a deployment with two replica sets');
  const { namespace } = many.metadata;
  const { name } = many.metadata.ownerReferences[0];
  await go(`objects/apps/v1/deployments/${namespace}/${name}`);
  const before = await world.send('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`);
  await page.locator('[data-action=rollback]').click();
  await page.locator('[data-ask] select').waitFor();
  await page.locator('[data-go]').click();
  await page.locator('[data-done]').waitFor();
  const now = await world.send('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`);
  assert.notDeepEqual(now.spec.template, before.spec.template);
});

for (const plural of ['statefulsets', 'daemonsets']) {
  test(`a ${plural.slice(0, -1)} goes back to a controller revision`, async () => {
    const [owner] = (await world.send('GET', `/apis/apps/v1/${plural}`)).items;
    const kind = { statefulsets: 'StatefulSet', daemonsets: 'DaemonSet' }[plural];
    const path = `/apis/apps/v1/namespaces/${owner.metadata.namespace}/${plural}/${owner.metadata.name}`;
    const revisions = async () => (await api(`objects/revisions/apps/v1/${plural}/${owner.metadata.namespace}/${owner.metadata.name}`)).items;
    assert.deepEqual((await revisions()).map(({ revision, current }) => [revision, current]), [[1, true]]);
    const image = owner.spec.template.spec.containers[0].image;
    await go(`objects/apps/v1/${plural}/${owner.metadata.namespace}/${owner.metadata.name}`);
    await act('restart');
    assert.deepEqual((await revisions()).map(({ revision, current }) => [revision, current]), [[2, true], [1, false]]);
    assert.match((await world.send('GET', path)).spec.template.metadata.annotations['kubectl.kubernetes.io/restartedAt'], /^20/);
    await page.locator('[data-action=rollback]').click();
    await page.locator('[data-ask] select').waitFor();
    const options = await page.locator('[data-ask] option').allInnerTexts();
    assert.deepEqual(options.map((text) => /^(\d+)/.exec(text)[1]), ['2', '1']);
    assert.ok(options.every((text) => text.includes(image)), options.join());
    await page.locator('[data-go]').click();
    await page.locator('[data-done]').waitFor();
    const now = await world.send('GET', path);
    assert.equal(now.spec.template.metadata.annotations?.['kubectl.kubernetes.io/restartedAt'], undefined);
    assert.deepEqual(now.spec.template.spec, owner.spec.template.spec);
    // What it was again is the newest now, as the controller numbers it.
    assert.deepEqual((await revisions()).map(({ revision, current }) => [revision, current]), [[3, true], [2, false]]);
    // Its page marks when.
    await go(`workloads/${owner.metadata.namespace}/${kind}/${owner.metadata.name}?range=5m`);
    await page.locator('[data-graph=replicas] canvas').waitFor({ timeout: 60_000 });
    await eventually(async () => assert.ok(Number(await page.locator('[data-graph=replicas]').getAttribute('data-marks')) >= 1));
    assert.match(await page.locator('[data-graph=replicas]').innerText(), /revision \d/);
  });
}

test('replicas are drawn between the bounds that their autoscaler had', async () => {
  const path = '/apis/autoscaling/v2/namespaces/web/horizontalpodautoscalers/frontend';
  const { spec: { minReplicas: least, maxReplicas: most } } = await world.send('GET', path);
  await go('workloads/web/Deployment/frontend?range=5m');
  const graph = page.locator('[data-graph=replicas]');
  await graph.locator('canvas').waitFor({ timeout: 60_000 });
  const last = (key) => graph.locator(`[data-series=${key}]`).getAttribute('data-last').then(Number);
  await eventually(async () => assert.deepEqual([await last('hpa-min'), await last('hpa-max')], [least, most]), 60_000);
  await eventually(async () => {
    const { spec, status } = await world.send('GET', '/apis/apps/v1/namespaces/web/deployments/frontend');
    assert.deepEqual([await last('wanted'), await last('ready')], [spec.replicas, status.readyReplicas]);
  }, 60_000);
  assert.match(await page.locator('main').innerText(), new RegExp(`frontend: ${least} to ${most}, now \\d+, wants \\d+, cpu .+ of 150%`));
  // A bound that is changed is drawn so from then on, and as it was before.
  await world.send('PATCH', path, { spec: { maxReplicas: most + 7 } }, 'application/merge-patch+json');
  await eventually(async () => assert.equal(await last('hpa-max'), most + 7), 60_000);
  const { atMost } = await api(`workloads/web/Deployment/frontend/replicas?start=${Date.now() - 300_000}&end=${Date.now()}`);
  const known = atMost.filter((value) => value !== null);
  assert.deepEqual([...new Set(known)], [most, most + 7]);
  await page.getByRole('link', { name: /^frontend:/ }).click();
  await page.locator('[data-yaml] pre').waitFor();
});

test('two clicks do it once, and the same key twice too', async () => {
  const { items } = await api('objects/list/batch/v1/cronjobs');
  const { namespace, name } = items.at(-1);
  const manual = async () => (await world.send('GET', `/apis/batch/v1/namespaces/${namespace}/jobs`)).items.filter(({ metadata }) => metadata.annotations?.['cronjob.kubernetes.io/instantiate'] === 'manual' && metadata.ownerReferences?.[0]?.name === name).length;
  const had = await manual();
  await go(`objects/batch/v1/cronjobs/${namespace}/${name}`);
  await page.locator('[data-action=trigger]').click();
  await page.locator('[data-go]').evaluate((button) => {
    button.click();
    button.click();
    button.click();
  });
  await page.locator('[data-done]').waitFor();
  assert.equal(await manual(), had + 1);
  const { csrf } = await api('session');
  const twice = () => fetch(new URL(`api/taffrail/v1/objects/act/batch/v1/cronjobs/${namespace}/${name}/trigger`, server.url), { method: 'POST', headers: { 'idempotency-key': 'same', 'x-taffrail-csrf': csrf } }).then((response) => response.json());
  const [one, two] = await Promise.all([twice(), twice()]);
  assert.equal(one.object.metadata.uid, two.object.metadata.uid);
});

test('an edit shows what would change, and a conflict saves nothing', async () => {
  const deployment = await first('apps/v1/deployments');
  const path = `/apis/apps/v1/namespaces/web/deployments/${deployment}`;
  await go(`objects/apps/v1/deployments/web/${deployment}`);
  await page.locator('[data-yaml]').getByRole('button', { name: 'Edit' }).click();
  const area = page.locator('[data-yaml] textarea');
  const change = async (replicas) => area.fill((await area.inputValue()).replace(/^( {2}replicas:) \d+/m, `$1 ${replicas}`));
  await change(4);
  await page.getByRole('button', { name: 'Show what would change' }).click();
  await page.locator('[data-diff] .added').waitFor();
  assert.deepEqual(await page.locator('[data-diff] .added').allInnerTexts(), ['+   replicas: 4']);
  assert.notEqual((await world.send('GET', path)).spec.replicas, 4, 'a dry run');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('[data-yaml] pre').waitFor();
  assert.equal((await world.send('GET', path)).spec.replicas, 4);
  await page.locator('[data-yaml]').getByRole('button', { name: 'Edit' }).click();
  await change(5);
  await world.send('PATCH', path, { metadata: { annotations: { other: 'somebody' } } }, 'application/merge-patch+json');
  await page.getByRole('button', { name: 'Show what would change' }).click();
  await page.getByText('Somebody changed it meanwhile.').waitFor();
  assert.equal((await world.send('GET', path)).spec.replicas, 4);
  complaints.length = 0;
});

test('objects are made of YAML, after a look at what would come of it', async () => {
  await go('create?ns=web');
  await page.locator('#create-yaml').fill('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\ndata:\n  a: "1"\n---\napiVersion: harbour.example.com/v1\nkind: Ship\nmetadata:\n  name: made\nspec:\n  masts: 2\n');
  await page.getByRole('button', { name: 'Show what would change' }).click();
  await eventually(async () => assert.equal(await page.locator('[data-diff]').count(), 2));
  await assert.rejects(world.send('GET', '/api/v1/namespaces/web/configmaps/made'));
  await page.getByRole('button', { name: 'Apply' }).click();
  await eventually(async () => assert.equal(await page.locator('[data-made]').count(), 2));
  assert.equal((await world.send('GET', '/api/v1/namespaces/web/configmaps/made')).data.a, '1');
});

test('an object is deleted once its name was typed', async () => {
  await go('objects/core/v1/configmaps/web/made');
  const deployment = await first('apps/v1/deployments');
  await go(`objects/apps/v1/deployments/web/${deployment}`);
  await page.locator('[data-action=delete]').click();
  await page.locator('[data-consequence]').waitFor();
  const { total } = await api(`pods?namespace=web&workload=${encodeURIComponent(`Deployment/${deployment}`)}&limit=1`);
  assert.ok((await page.locator('[data-consequence]').innerText()).includes(`${total} pods`));
  await go('objects/core/v1/configmaps/web/made');
  await page.locator('[data-action=delete]').click();
  assert.ok(await page.locator('[data-go]').isDisabled());
  await page.locator('[data-ask] input').fill('made');
  await page.locator('[data-go]').click();
  await page.locator('[data-deleted]').waitFor();
  await assert.rejects(world.send('GET', '/api/v1/namespaces/web/configmaps/made'));
});

test('a drain evicts, is held by a budget, and tells how it goes', async () => {
  const pods = (await world.send('GET', '/api/v1/pods')).items;
  const leaving = pods.filter(({ metadata, spec, status }) => spec.nodeName && metadata.ownerReferences?.[0]?.kind === 'ReplicaSet' && status.phase === 'Running');
  const [{ metadata, spec }] = leaving;
  const app = metadata.labels.app;
  await world.send('POST', `/apis/policy/v1/namespaces/${metadata.namespace}/poddisruptionbudgets`, {
    apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'held' },
    spec: { minAvailable: 1000, selector: { matchLabels: { app } } },
  });
  await go(`objects/core/v1/nodes/-/${spec.nodeName}`);
  await page.locator('[data-action=drain]').click();
  for (const box of await page.locator('[data-ask] input[type=checkbox]').all()) await box.check();
  await page.locator('[data-go]').click();
  const state = (name) => page.locator(`[data-steps] [data-state=${name}]`);
  await state('held').first().waitFor();
  await state('gone').first().waitFor({ timeout: 60_000 });
  assert.equal((await world.send('GET', `/api/v1/nodes/${spec.nodeName}`)).spec.unschedulable, true);
  await world.send('DELETE', `/apis/policy/v1/namespaces/${metadata.namespace}/poddisruptionbudgets/held`);
  await state('done').waitFor({ timeout: 60_000 });
  const left = (await world.send('GET', '/api/v1/pods')).items.filter((pod) => pod.spec.nodeName === spec.nodeName && pod.metadata.ownerReferences?.[0]?.kind === 'ReplicaSet');
  assert.deepEqual(left.map((pod) => pod.metadata.name).filter((name) => leaving.some((one) => one.metadata.name === name)), []);
  await page.getByRole('button', { name: 'Close' }).click();
  await act('cordon');
  assert.ok(!(await world.send('GET', `/api/v1/nodes/${spec.nodeName}`)).spec.unschedulable);
});

test('logs follow, are filtered and merged, and hostile lines are text', async () => {
  const pod = await first('core/v1/pods');
  await go(`logs/web/pods/${pod}`);
  await eventually(async () => assert.ok(Number(await page.locator('[data-logs]').getAttribute('data-logs')) > 100));
  const count = async () => Number(await page.locator('[data-logs]').getAttribute('data-logs'));
  const had = await count();
  await eventually(async () => assert.ok((await count()) > had, 'it follows'));
  const text = await page.locator('[role=log]').innerText();
  assert.ok(text.includes('<img src=x onerror=alert(1)>') && text.includes('␛[31m'));
  assert.equal(await page.locator('main img').count(), 0);
  await page.getByRole('searchbox').fill('level=(warn|error)');
  await eventually(async () => {
    const lines = await page.locator('[data-line]').allInnerTexts();
    assert.ok(lines.length > 0 && lines.every((line) => /level=(warn|error)/.test(line)));
  });
  await page.getByRole('searchbox').fill('(');
  await page.locator('[data-trouble]').waitFor();
  const deployment = await crowded();
  await go(`logs/web/deployments/${deployment}`);
  await eventually(async () => {
    const from = new Set(await page.locator('[data-line] .from').allInnerTexts());
    assert.ok(from.size > 1, [...from].join());
  });
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  assert.equal(download.suggestedFilename(), 'logs.txt');
  complaints.length = 0;
});

test('logs of the run before, of a time, merged and saved', async () => {
  const stamps = () => page.locator('[data-line] > .muted').evaluateAll((all) => all.map((one) => Date.parse(one.innerText)));
  const restarted = (await world.send('GET', '/api/v1/pods')).items.find(({ status }) => status.containerStatuses?.some(({ restartCount, lastState }) => restartCount > 0 && lastState.terminated));
  assert.ok(restarted, 'a pod that restarted');
  const { name: container, lastState } = restarted.status.containerStatuses.find(({ restartCount }) => restartCount > 0);
  await go(`logs/${restarted.metadata.namespace}/pods/${restarted.metadata.name}?container=${container}`);
  await page.locator('[data-line]').first().waitFor();
  await page.getByLabel('Previous container').check();
  const ended = Date.parse(lastState.terminated.finishedAt);
  await eventually(async () => {
    const times = await stamps();
    assert.ok(times.length > 0 && times.every((time) => time <= ended + 1000), `${times.length} lines, last ${times.at(-1)}, ended ${ended}`);
  });
  assert.equal(new URL(page.url()).searchParams.get('previous'), 'true');
  await page.locator('[data-open=false]').waitFor();
  assert.ok(await page.getByLabel('Follow').isDisabled(), 'what ended is not followed');
  // A container that never restarted has no run before, and the page says so.
  const whole = (await world.send('GET', '/api/v1/namespaces/web/pods')).items.find(({ status }) => status.phase === 'Running' && status.containerStatuses.every(({ restartCount }) => restartCount === 0));
  await go(`logs/web/pods/${whole.metadata.name}?previous=true`);
  await page.locator('[data-note]').first().waitFor();
  assert.match(await page.locator('[data-note]').first().innerText(), /previous terminated container/);

  await go(`logs/web/pods/${whole.metadata.name}`);
  await eventually(async () => assert.ok((await stamps()).length > 300));
  await page.getByLabel('Since').selectOption('300');
  await eventually(async () => {
    const times = await stamps();
    assert.ok(times.length > 0 && times.every((time) => time > Date.now() - 330_000), new Date(Math.min(...times)).toISOString());
  });

  const deployment = await crowded();
  await go(`logs/web/deployments/${deployment}?filter=${encodeURIComponent('level=(warn|error)')}&since=3600`);
  await eventually(async () => {
    const times = await stamps();
    assert.ok(times.length > 10 && times.every((time, at) => at === 0 || time >= times[at - 1]), 'one list by time');
    assert.ok(new Set(await page.locator('[data-line] .from').allInnerTexts()).size > 1, 'of several pods');
  });
  const answer = await fetch(await page.getByRole('link', { name: 'Download' }).getAttribute('href'));
  assert.match(answer.headers.get('content-disposition'), /attachment; filename="logs.txt"/);
  const lines = (await answer.text()).trim().split('\n');
  assert.ok(lines.length > 10 && lines.every((line) => /level=(warn|error)/.test(line)), lines.find((line) => !/level=(warn|error)/.test(line)));
  assert.ok(new Set(lines.map((line) => line.split(' ')[0])).size > 1, 'each line names its pod');
  complaints.length = 0;
});

test('lines have levels, stand still when paused, and a graph leads to its time', async () => {
  const whole = (await world.send('GET', '/api/v1/namespaces/web/pods')).items.find(({ status }) => status.phase === 'Running' && status.containerStatuses.every(({ ready }) => ready));
  const { name } = whole.metadata;
  await go(`logs/web/pods/${name}`);
  await page.locator('[data-level=warn]').first().waitFor();
  await page.getByLabel('Level').selectOption('warn');
  await eventually(async () => {
    const levels = await page.locator('[data-line]').evaluateAll((all) => all.map(({ dataset }) => dataset.level));
    assert.ok(levels.length > 0 && levels.every((level) => level === 'warn' || level === 'error'), levels.join());
  });
  await page.getByLabel('Level').selectOption('');
  await page.getByRole('searchbox').fill('took=\\d+');
  await page.locator('mark').first().waitFor();
  assert.match(await page.locator('mark').first().innerText(), /^took=\d+$/);
  await page.getByRole('searchbox').fill('');
  await eventually(async () => assert.equal(await page.locator('mark').count(), 0));
  await page.locator('[data-line]').first().waitFor();
  await page.locator('[data-pause]').click();
  const last = () => page.locator('[data-line]').last().getAttribute('data-line');
  const stands = await last();
  await page.locator('[data-waiting]').waitFor();
  assert.equal(await last(), stands);
  await page.locator('[data-pause]').click();
  await eventually(async () => assert.notEqual(await last(), stands));

  await go(`pods/web/${name}?range=5m`);
  const over = page.locator('[data-graph=cpu] .u-over');
  await over.waitFor({ timeout: 60_000 });
  const box = await over.boundingBox();
  await eventually(async () => {
    await page.mouse.click(box.x + box.width * 0.97, box.y + box.height / 2);
    await page.locator('[data-graph=cpu] [data-pin]').waitFor({ timeout: 1000 });
  });
  const at = Number(await page.locator('[data-graph=cpu] [data-pin]').getAttribute('data-pin'));
  await page.locator('[data-logs-at]').click();
  await page.locator(`[data-around="${at}"]`).waitFor();
  await page.locator('[data-line].at').first().waitFor();
  await eventually(async () => {
    const times = await page.locator('[data-line] > .muted').evaluateAll((all) => all.map((one) => Date.parse(one.innerText)));
    assert.ok(times.length > 50 && times.every((time) => Math.abs(time - at) <= 125_000), `${times.length} lines`);
    const { top, bottom } = await page.locator('[data-line].at').first().evaluate((element) => element.getBoundingClientRect().toJSON());
    const frame = await page.locator('[role=log]').evaluate((element) => element.getBoundingClientRect().toJSON());
    assert.ok(top >= frame.top && bottom <= frame.bottom, 'in view');
  });
  complaints.length = 0;
});

test('log lines of a MiB, markup and control characters are text', async () => {
  const pod = await first('core/v1/pods');
  const hostile = `<script>window.pwned=2</script><img src=x onerror=window.pwned=2>\u0000\u001b[2J\u202e${'x'.repeat(1 << 20)}`;
  await page.route('**/objects/logs?*', (route) => route.fulfill({ contentType: 'application/x-ndjson', body: `${JSON.stringify({ s: 0, t: '2026-11-26T00:00:00Z', l: hostile })}\n${JSON.stringify({ s: 0, end: true, reason: hostile })}\n` }));
  await go(`logs/web/pods/${pod}`);
  await page.locator('[data-line]').first().waitFor();
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  assert.equal(await page.locator('main img, main script').count(), 0);
  const shown = await page.locator('[data-line]').first().evaluate((element) => element.textContent);
  assert.ok(shown.includes('<script>') && shown.includes('␀␛[2J�'), shown.slice(0, 200));
  assert.ok(shown.length < 20_000, `${shown.length} characters`);
  await fits(page);
  await page.unroute('**/objects/logs?*');
});

test('two clicks never do it twice: creating, saving, draining', async () => {
  const posts = [];
  const count = async (route) => {
    const request = route.request();
    if (request.method() !== 'GET' && !(request.postData() ?? '').includes('"dryRun":true')) posts.push(`${new URL(request.url()).pathname} ${request.headers()['idempotency-key']}`);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await route.continue();
  };
  await page.route('**/objects/{apply,act/**,drain/**}', count);
  const thrice = (locator) => locator.evaluate((button) => [1, 2, 3].forEach(() => button.click()));
  await go('create?ns=web');
  await page.locator('#create-yaml').fill('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: once\ndata:\n  a: "1"\n');
  await thrice(page.getByRole('button', { name: 'Show what would change' }));
  await page.locator('[data-diff]').first().waitFor();
  await thrice(page.getByRole('button', { name: 'Apply' }));
  await page.locator('[data-made]').waitFor();
  assert.equal(new Set(posts).size, 1, posts.join());
  assert.equal(posts.length, 1, posts.join());
  posts.length = 0;
  await go('objects/core/v1/configmaps/web/once');
  await page.locator('[data-yaml]').getByRole('button', { name: 'Edit' }).click();
  const area = page.locator('[data-yaml] textarea');
  await area.fill((await area.inputValue()).replace('a: "1"', 'a: "2"'));
  await page.getByRole('button', { name: 'Show what would change' }).click();
  await page.locator('[data-diff] .added').first().waitFor();
  await thrice(page.getByRole('button', { name: 'Save' }));
  await page.locator('[data-yaml] pre').waitFor();
  assert.equal(posts.length, 1, posts.join());
  posts.length = 0;
  const { items } = await world.send('GET', '/api/v1/nodes');
  await go(`objects/core/v1/nodes/-/${items.at(-1).metadata.name}`);
  await page.locator('[data-action=drain]').click();
  await thrice(page.locator('[data-go]'));
  await page.locator('[data-steps]').waitFor();
  assert.equal(posts.length, 1, posts.join());
  await page.getByRole('button', { name: 'Stop' }).or(page.getByRole('button', { name: 'Close' })).click();
  await page.unrouteAll({ behavior: 'wait' });
  await world.send('PATCH', `/api/v1/nodes/${items.at(-1).metadata.name}`, { spec: { unschedulable: null } }, 'application/merge-patch+json');
  complaints.length = 0;
});

test('a terminal speaks with the container', async () => {
  const pod = await first('core/v1/pods');
  const { object } = await api(`objects/one/core/v1/pods/web/${pod}`);
  await go(`shell/web/${pod}/${object.spec.containers[0].name}`);
  await page.locator('[data-shell=open]').waitFor();
  await page.keyboard.type('echo hello from $USER\n');
  await page.keyboard.type('hostname\n');
  await eventually(async () => {
    const shown = await page.locator('.xterm-accessibility').innerText();
    assert.ok(shown.includes('hello from $USER') && shown.includes(pod), shown);
  });
  await picture(page, 'shell-light-wide');
  await page.keyboard.type('exit\n');
  await page.locator('[data-shell=ended]').waitFor();
});

test('a server that changes nothing offers nothing and refuses all', async () => {
  const still = await world.serve(['--read-only']);
  try {
    const deployment = await first('apps/v1/deployments');
    const { actions } = await (await fetch(new URL(`api/taffrail/v1/objects/rights/apps/v1/deployments/web/${deployment}`, still.url))).json();
    assert.ok(Object.entries(actions).every(([name, may]) => may === (name === 'logs')), JSON.stringify(actions));
    const { csrf } = await (await fetch(new URL('api/taffrail/v1/session', still.url))).json();
    const refused = await fetch(new URL(`api/taffrail/v1/objects/act/apps/v1/deployments/web/${deployment}/restart`, still.url), { method: 'POST', headers: { 'idempotency-key': 'a', 'x-taffrail-csrf': csrf } });
    assert.equal(refused.status, 403);
  } finally {
    still.child.kill();
  }
});

test('a page with another name for this machine gets nothing', async () => {
  const { hostname, port } = new URL(server.url);
  const { request } = await import('node:http');
  const status = await new Promise((resolve, reject) => {
    request({ hostname, port, path: '/api/taffrail/v1/objects/kinds', headers: { host: 'evil.example' } }, (response) => resolve(response.statusCode)).on('error', reject).end();
  });
  assert.equal(status, 403);
});

test('axe finds nothing in either theme, and pages fit a phone', async () => {
  const pod = await first('core/v1/pods');
  const deployment = await first('apps/v1/deployments');
  const { object } = await api(`objects/one/core/v1/pods/web/${pod}`);
  const pages = {
    objects: 'objects',
    'object-list': 'objects/core/v1/pods',
    object: `objects/apps/v1/deployments/web/${deployment}`,
    logs: `logs/web/pods/${pod}`,
    create: 'create',
    shell: `shell/web/${pod}/${object.spec.containers[0].name}`,
  };
  const ready = { objects: '[data-kind]', 'object-list': '[data-objects] tbody tr', object: '[data-yaml] pre', logs: '[data-line]', create: '#create-yaml', shell: '[data-shell=open]' };
  for (const [name, path] of Object.entries(pages)) {
    await go(path);
    await page.locator(ready[name]).first().waitFor();
    if (name === 'object') await page.locator('[data-action]').first().waitFor();
    await looksWell(page, name);
  }
  // Without history there are no events: 404.
  assert.deepEqual(complaints.filter((text) => !/status of 404/.test(text)), []);
});
