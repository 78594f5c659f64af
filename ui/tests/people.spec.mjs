// Signing in, in a browser: a token with few rights, a kubeconfig, an identity provider; what each
// sees and may do. Starts its own simulated cluster: `npm run people`.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Provider } from 'oidc-provider';
import { eventually, launch, looksWell, open, PHONE, WIDE } from './browser.mjs';
import { cluster } from './cluster.mjs';

const READ = { verbs: ['get', 'list', 'watch'], apiGroups: ['', 'apps', 'batch'], resources: ['pods', 'pods/log', 'deployments', 'replicasets', 'events', 'secrets'] };

const freePort = () =>
  new Promise((resolve) => {
    const server = createTcp().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** A real OpenID Connect provider with one person, `ann@example.com`. */
async function provider(redirect) {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' };
  const oidc = new Provider(issuer, {
    clients: [{ client_id: 'taffrail', client_secret: 'a secret: 100% odd', redirect_uris: [redirect], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] }],
    jwks: { keys: [key] },
    scopes: ['openid', 'email', 'groups', 'offline_access'],
    claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    ttl: { AccessToken: 3600, IdToken: 3600, Grant: 3600, Interaction: 3600, Session: 3600, RefreshToken: 3600 },
    features: { devInteractions: { enabled: true } },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: 'ann@example.com', groups: ['crew', 'system:masters'] }) }),
  });
  const server = createServer(oidc.callback()).listen(port, '127.0.0.1');
  const { kty, n, e } = key;
  return { issuer, jwks: JSON.stringify({ keys: [{ kty, n, e, kid: 'test' }] }), stop: () => server.close() };
}

let browser;
let world;
let idp;
let server;
let limited;
let admin;

before(async () => {
  browser = await launch();
  const port = await freePort();
  const redirect = `http://127.0.0.1:${port}/api/taffrail/v1/session/oidc/callback`;
  idp = await provider(redirect);
  const { mkdtempSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const folder = mkdtempSync(join(tmpdir(), 'taffrail-keys-'));
  writeFileSync(join(folder, 'jwks.json'), idp.jwks);
  writeFileSync(join(folder, 'secret'), 'a secret: 100% odd\n');
  world = await cluster(['--oidc-issuer', idp.issuer, '--oidc-client-id', 'taffrail', '--oidc-keys', join(folder, 'jwks.json')]);
  limited = await world.person('web', 'ann', [READ]);
  admin = world.kubeconfig().match(/token: "?([^"\n]+)/)[1];
  await world.send('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/web/rolebindings', {
    metadata: { name: 'crew' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'ann' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann@example.com' }],
  });
  server = await world.serve(['--login', 'all', '--listen', `127.0.0.1:${port}`, '--oidc-issuer', idp.issuer, '--oidc-client-id', 'taffrail', '--oidc-client-secret-file', join(folder, 'secret'), '--oidc-redirect-url', redirect, '--oidc-scopes', 'openid email groups offline_access']);
});

after(async () => {
  server?.child.kill();
  world?.stop();
  idp?.stop();
  await browser?.close();
});

const as = (token) => (path, init = {}) => fetch(new URL(path, server.url), { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });

async function signIn(page, token) {
  await page.locator('#token').fill(token);
  await page.locator('form button[type=submit]').click();
  await page.locator('nav#navigation').waitFor();
}

test('nobody sees anything before signing in, but for the probes and the page itself', async () => {
  const closed = ['api/taffrail/v1/status', 'api/taffrail/v1/pods', 'api/taffrail/v1/objects/kinds', 'metrics', 'api/v1/query?query=up', 'api/v1/model/metrics', 'federate?match[]=up', 'apis/metrics/v1alpha1/nodes'];
  for (const path of closed) assert.equal((await fetch(new URL(path, server.url))).status, 401, path);
  // Not well before the first batch, but never closed.
  await eventually(async () => assert.equal((await fetch(new URL('healthz', server.url))).status, 200), 60_000);
  for (const path of ['', 'pods', 'objects/core/v1/pods/web/x']) assert.equal((await fetch(new URL(path, server.url))).status, 200, path);
  assert.equal((await as('nonsense')('api/taffrail/v1/pods')).status, 401);
});

test('a token with few rights shows its namespace and nothing else', async () => {
  const { page, complaints, close } = await open(browser, server.url);
  await page.locator('[data-login]').waitFor();
  await looksWell(page, 'login');
  await page.locator('#token').fill('wrong');
  await page.locator('form button[type=submit]').click();
  await page.getByRole('alert').waitFor();
  complaints.length = 0;
  await signIn(page, limited);
  const cookie = (await page.context().cookies()).find(({ name }) => name === 'taffrail_session');
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite], [true, true, 'Strict']);
  await page.goto(new URL('pods', server.url).href);
  await eventually(async () => {
    const rows = await page.locator('[data-table=pods] tbody tr[data-row]').evaluateAll((all) => all.map((row) => row.dataset.row));
    assert.ok(rows.length > 0);
    assert.ok(rows.every((row) => row.startsWith('web/')), rows.join());
  }, 60_000);
  await page.locator('#settings-button').click();
  assert.ok((await page.locator('[data-user]').getAttribute('data-user')).endsWith('web:ann'));
  await page.locator('[data-sign-out]').click();
  await page.locator('[data-login]').waitFor();
  await close();
});

test('the APIs hide what may not be seen', async () => {
  const ask = as(limited);
  const json = async (path, init) => (await ask(`api/taffrail/v1/${path}`, init)).json();
  const { items } = await json('pods?limit=1000');
  assert.ok(items.length > 0 && items.every(({ namespace }) => namespace === 'web'));
  assert.equal((await json('pods?namespace=kube-system')).total, 0);
  assert.equal((await json('namespaces')).total, 1);
  assert.ok((await json('search?q=')).items.every(({ namespace, kind, name }) => namespace === 'web' || (kind === 'namespace' && name === 'web')));
  for (const path of ['nodes', 'namespaces/kube-system', 'sinks', 'why?kind=cluster&metric=cpu/usage_rate']) assert.equal((await ask(`api/taffrail/v1/${path}`)).status, 403, path);
  for (const path of ['metrics', 'api/v1/query?query=up', 'api/v1/model/metrics']) assert.equal((await ask(path)).status, 403, path);
  const own = { kind: 'pod', namespace: 'web', name: items[0].name, metric: 'memory/working_set' };
  const now = Date.now();
  const series = await json('query', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ start: now - 600_000, end: now, points: 10, series: [own, { kind: 'cluster', metric: 'memory/working_set' }, { kind: 'namespace', name: 'kube-system', metric: 'memory/working_set' }], select: [{ kind: 'pod', metric: 'memory/working_set' }] }),
  });
  const some = ({ avg }) => avg.some((value) => value !== null);
  assert.deepEqual(series.series.slice(0, 3).map(some), [true, false, false]);
  assert.ok(series.series.slice(3).every(({ of }) => of.namespace === 'web'));
});

test('pages that take more rights say so, the others show a part', { timeout: 240_000 }, async () => {
  const { page, complaints, close } = await open(browser, server.url);
  await page.locator('[data-login]').waitFor();
  await signIn(page, limited);
  await page.locator('nav a[href*="pods"]').waitFor();
  for (const path of ['nodes', 'map', 'explore']) assert.equal(await page.locator(`nav a[href$="/${path}"]`).count(), 0, `${path} is offered`);
  for (const path of ['pods', 'alerts', 'events', 'sizing', 'status', 'objects']) assert.equal(await page.locator(`nav a[href$="/${path}"]`).count(), 1, path);
  const json = async (path) => (await as(limited)(`api/taffrail/v1/${path}`)).json();
  const pod = (await json('pods?limit=1')).items[0];
  const workload = (await json('workloads?limit=1')).items[0];
  const shown = ['', 'namespaces', 'workloads', 'pods', 'containers', 'volumes', 'alerts', 'alerts?view=history', 'events', 'sizing', 'status', `pods/web/${pod.name}`, `workloads/web/${workload.kind}/${workload.name}?view=each`, 'objects', 'objects/core/v1/pods', 'alerts?view=rules'];
  complaints.length = 0;
  const accessible = (path) => looksWell(page, path, { sizes: { wide: WIDE }, kept: false });
  for (const path of shown) {
    await page.goto(new URL(path, server.url).href);
    await page.locator('main h1').first().waitFor({ state: 'attached' });
    await eventually(async () => assert.doesNotMatch(await page.locator('main').innerText(), /Loading…/, path));
    assert.doesNotMatch(await page.locator('main').innerText(), /may not see|forbidden|answered with status|does not answer/, path);
    await accessible(path);
  }
  for (const [path, need] of [['nodes', 'nodes'], ['nodes/node-1', 'nodes'], ['map', 'nodes'], ['explore', 'whole'], ['status', 'whole']]) {
    await page.goto(new URL(path, server.url).href);
    await page.locator(`[data-closed=${need}]`).waitFor();
    assert.match(await page.locator('[data-closed]').innerText(), /takes the right to|shown to whoever may/);
    await accessible(path);
  }
  await page.goto(new URL('', server.url).href);
  await page.locator('[data-trouble]:not([data-trouble=""])').waitFor();
  const rows = await page.locator('[data-row]').evaluateAll((all) => all.map(({ dataset }) => dataset.row));
  assert.ok(rows.length > 0 && rows.every((row) => row.startsWith('web')), rows.join());
  await page.keyboard.press('Control+k');
  assert.equal(await page.getByRole('option', { name: 'Node map' }).count(), 0);
  assert.equal(await page.getByRole('option', { name: 'Right-sizing' }).count(), 1);
  // Without history there are no events: 404.
  assert.deepEqual(complaints.filter((text) => !/status of 404/.test(text)), [], 'nothing was asked for that is refused');
  await close();
});

test('alerts of other namespaces are hidden, and nobody of few rights silences', async () => {
  const all = await eventually(async () => {
    const { items } = await (await as(admin)('api/taffrail/v1/alerts?limit=1000')).json();
    assert.ok(items.some(({ labels }) => labels.namespace !== 'web'), 'an alert elsewhere');
    return items;
  }, 120_000);
  const { items, total } = await (await as(limited)('api/taffrail/v1/alerts?limit=1000')).json();
  assert.ok(items.every(({ labels }) => labels.namespace === 'web'), JSON.stringify(items.map(({ labels }) => labels)));
  assert.ok(total < all.length);
  const changes = (await (await as(limited)('api/taffrail/v1/alerts/history?limit=1000')).json()).items;
  assert.ok(changes.every(({ labels }) => labels.namespace === 'web'));
  for (const path of ['alerts/rules', 'alerts/silences', 'alerts/receivers']) assert.equal((await as(limited)(`api/taffrail/v1/${path}`)).status, 403, path);
  const made = await as(limited)('api/taffrail/v1/alerts/silences', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  assert.equal(made.status, 403);
});

test('objects are the API server’s word for each person', async () => {
  const ask = as(limited);
  assert.equal((await ask('api/taffrail/v1/objects/list/core/v1/pods?namespace=web')).status, 200);
  const refused = await ask('api/taffrail/v1/objects/list/core/v1/pods');
  assert.equal(refused.status, 403);
  assert.match((await refused.json()).error.reason, /cannot list resource/);
  const { items } = await (await ask('api/taffrail/v1/objects/list/apps/v1/deployments?namespace=web')).json();
  const rights = await (await ask(`api/taffrail/v1/objects/rights/apps/v1/deployments/web/${items[0].name}`)).json();
  assert.deepEqual([rights.actions.scale, rights.actions.delete, rights.actions.logs], [false, false, true]);
  const act = await ask(`api/taffrail/v1/objects/act/apps/v1/deployments/web/${items[0].name}/scale`, { method: 'POST', headers: { 'idempotency-key': 'a' }, body: '{"replicas":0}' });
  assert.equal(act.status, 403);
});

test('another site cannot act for who is signed in', async () => {
  const { page, close } = await open(browser, server.url);
  await page.locator('[data-login]').waitFor();
  await signIn(page, limited);
  const post = (headers) => page.evaluate(async ([url, headers]) => (await fetch(url, { method: 'POST', headers, body: '{}' })).status, [new URL('api/taffrail/v1/objects/apply', server.url).href, headers]);
  assert.equal(await post({}), 403);
  assert.equal(await post({ 'x-taffrail-csrf': 'guessed' }), 403);
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const { csrf } = await (await fetch(new URL('api/taffrail/v1/session', server.url), { headers: { cookie } })).json();
  const from = async (origin) => (await fetch(new URL('api/taffrail/v1/objects/apply', server.url), { method: 'POST', headers: { cookie, origin, 'x-taffrail-csrf': csrf }, body: '{}' })).status;
  assert.equal(await from('https://evil.example'), 403);
  assert.equal(await from(new URL(server.url).origin), 400);
  await close();
});

test('a kubeconfig signs in with what stands in it', async () => {
  const { page, close } = await open(browser, server.url, { viewport: PHONE });
  await page.locator('[data-login]').waitFor();
  await page.locator('#credentials').setInputFiles({ name: 'config', mimeType: 'text/plain', buffer: Buffer.from(world.kubeconfig()) });
  await page.locator('nav#navigation').waitFor({ state: 'attached' });
  await page.goto(new URL('nodes', server.url).href);
  await eventually(async () => assert.equal(await page.locator('[data-table=nodes]').getAttribute('data-total'), '2'), 60_000);
  await close();
});

test('a client certificate and its key sign in, over TLS', async () => {
  const issued = await world.send('POST', '/sim/certificates', { name: 'carol', group: 'crew' });
  await world.send('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/web/rolebindings', {
    metadata: { name: 'carol' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'ann' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'carol' }],
  });
  const { page, close } = await open(browser, server.url);
  await page.locator('[data-login]').waitFor();
  const file = (name, text) => ({ name, mimeType: 'application/x-pem-file', buffer: Buffer.from(text) });
  // The key of another certificate proves nothing.
  const other = await world.send('POST', '/sim/certificates', { name: 'mallory' });
  await page.locator('#credentials').setInputFiles([file('a.crt', issued.certificate), file('a.key', other.key)]);
  await page.getByRole('alert').waitFor();
  assert.equal(await page.locator('nav#navigation').count(), 0);
  await page.locator('#credentials').setInputFiles([file('carol.crt', issued.certificate), file('carol.key', issued.key)]);
  await page.locator('nav#navigation').waitFor();
  await page.locator('#settings-button').click();
  assert.equal(await page.locator('[data-user]').getAttribute('data-user'), 'carol');
  await page.keyboard.press('Escape');
  await page.goto(new URL('objects/core/v1/pods', server.url).href);
  await eventually(async () => {
    const rows = await page.locator('[data-objects] tbody tr').evaluateAll((all) => all.map(({ dataset }) => dataset.row));
    assert.ok(rows.length > 0 && rows.every((row) => row.startsWith('web/')), rows.join());
  }, 60_000);
  await close();
});

test('a session that ends elsewhere says so, and the page waits', async () => {
  const { page, close } = await open(browser, new URL('pods?range=1h', server.url).href);
  await page.locator('[data-login]').waitFor();
  await signIn(page, limited);
  await page.locator('[data-table=pods] [data-row]').first().waitFor({ timeout: 60_000 });
  await page.evaluate(() => fetch('api/taffrail/v1/session?path=/', { method: 'DELETE' }));
  await page.locator('[data-ended]').waitFor({ timeout: 30_000 });
  await page.locator('#token').fill(limited);
  await page.locator('form button[type=submit]').dblclick();
  await page.locator('[data-table=pods] [data-row]').first().waitFor({ timeout: 60_000 });
  assert.ok(page.url().includes('pods?range=1h'));
  await close();
});

test('an identity provider signs in, and its token is what the API server sees', async () => {
  const { page, close } = await open(browser, new URL('pods?range=1h', server.url).href);
  await page.locator('[data-login] a.way').click();
  await page.locator('input[name=login]').fill('ann');
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
  await page.locator('button[type=submit]').click();
  await page.waitForURL(new URL('pods?range=1h', server.url).href);
  await page.locator('nav#navigation').waitFor();
  await page.locator('#settings-button').click();
  assert.equal(await page.locator('[data-user]').getAttribute('data-user'), 'ann@example.com');
  await page.keyboard.press('Escape');
  await eventually(async () => {
    const rows = await page.locator('[data-table=pods] tbody tr[data-row]').evaluateAll((all) => all.map((row) => row.dataset.row));
    assert.ok(rows.length > 0 && rows.every((row) => row.startsWith('web/')), rows.join());
  }, 60_000);
  await close();
});

test('a sign-in that another browser began is refused', async () => {
  const begun = await fetch(new URL('api/taffrail/v1/session/oidc?path=/&page=', server.url), { redirect: 'manual' });
  const to = new URL(begun.headers.get('location'));
  assert.equal(to.searchParams.get('code_challenge_method'), 'S256');
  const back = await fetch(new URL(`api/taffrail/v1/session/oidc/callback?code=x&state=${to.searchParams.get('state')}`, server.url), { redirect: 'manual' });
  assert.equal(back.status, 400);
});
