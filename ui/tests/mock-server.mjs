// Serves ui/dist and docs/API.md's contract with made-up, moving numbers, so that the dashboard can
// be worked on and tested without a cluster: `npm run mock -- --port 8099 --tick 1000 --history 600`.
// Everything also answers below /some/prefix/, as behind a proxy.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const API = '/api/taffrail/v1/';
const PREFIX = '/some/prefix';
const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const CSP = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.md': 'text/markdown; charset=utf-8' };
const GIB = 2 ** 30;
const NODES = 12;
const PODS_PER_NODE = 15;
const FAILED = 'node-03';
const NAMES = ['checkout', 'cart', 'search', 'frontend', 'ledger', 'mailer', 'billing', 'etcd', 'ingress', 'metrics'];

const NAMESPACES = ['shop', 'payments', 'kube-system', 'observability'];

const chances = new Map();

/** The same number in [0, 1) for the same words. */
function chance(...words) {
  const key = words.join('/');
  if (!chances.has(key)) chances.set(key, hashed(key));
  return chances.get(key);
}

function hashed(key) {
  let hash = 2166136261;
  for (const char of key) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

const pad = (number) => String(number).padStart(2, '0');

const pods = [];
const podOf = new Map();
for (let node = 1; node <= NODES; node += 1) {
  for (let index = 0; index < PODS_PER_NODE; index += 1) {
    const workload = NAMES[Math.floor(chance('w', node, index) * NAMES.length)];
    const request = 50 + Math.round(chance('r', node, index) * 8) * 50;
    const troubled = chance('t', node, index);
    pods.push({
      namespace: NAMESPACES[Math.floor(chance('n', node, index) * 4)],
      name: `${workload}-${Math.floor(chance('h', node, index) * 0xfffffff).toString(16)}-${pad(index)}`,
      node: `node-${pad(node)}`,
      phase: troubled > 0.98 ? 'Pending' : 'Running',
      reason: troubled < 0.015 ? 'CrashLoopBackOff' : troubled < 0.025 ? 'OOMKilled' : '',
      workload: { kind: 'Deployment', name: workload },
      containers: 1 + (index % 2),
      restarts: troubled < 0.05 ? Math.ceil(chance('s', node, index) * 14) : 0,
      request,
      limit: chance('l', node, index) < 0.8 ? request * 2 : null,
      memoryRequest: request * 3 * 2 ** 20,
      level: 0.2 + chance('u', node, index) * 0.9,
    });
  }
}

for (const pod of pods) podOf.set(`${pod.namespace}/${pod.name}`, pod);

/** A wave around 1 that differs by name. */
const wave = (name, time) =>
  1 + 0.25 * Math.sin(time / 47_000 + chance('p', name) * 7) + 0.12 * Math.sin(time / 7_300 + chance('q', name) * 7) + 0.05 * Math.sin(time / 1_370 + chance('o', name) * 7);

function podValue(pod, metric, time) {
  if (pod.node === FAILED && /usage|working|rate|rss/.test(metric)) return null;
  if (pod.phase === 'Pending' && /usage|working|rate|rss/.test(metric)) return null;
  switch (metric) {
    case 'cpu/usage_rate':
      return Math.round(pod.request * pod.level * wave(pod.name, time));
    case 'cpu/request':
      return pod.request;
    case 'cpu/limit':
      return pod.limit;
    case 'memory/working_set':
      return Math.round(pod.memoryRequest * (0.5 + pod.level * 0.4) * (0.9 + 0.1 * wave(`m${pod.name}`, time)));
    case 'memory/usage':
      return Math.round(pod.memoryRequest * (0.7 + pod.level * 0.4) * (0.9 + 0.1 * wave(`m${pod.name}`, time)));
    case 'memory/rss':
      return Math.round(pod.memoryRequest * (0.4 + pod.level * 0.4));
    case 'memory/request':
      return pod.memoryRequest;
    case 'memory/limit':
      return pod.limit === null ? null : pod.memoryRequest * 2;
    case 'network/rx_rate':
      return pod.request * 800 * wave(`x${pod.name}`, time);
    case 'network/tx_rate':
      return pod.request * 500 * wave(`y${pod.name}`, time);
    default:
      return null;
  }
}

const memo = new Map();

/** Sums are asked for again and again; a map this large holds a few hours of them. */
function remembered(key, compute) {
  if (!memo.has(key)) {
    if (memo.size > 500_000) memo.clear();
    memo.set(key, compute());
  }
  return memo.get(key);
}

function sum(members, metric, time) {
  let total = null;
  for (const pod of members) {
    const value = podValue(pod, metric, time);
    if (value !== null) total = (total ?? 0) + value;
  }
  return total;
}

const SUPPLY = { 'cpu/node_allocatable': 7800, 'cpu/node_capacity': 8000, 'memory/node_allocatable': 15 * GIB, 'memory/node_capacity': 16 * GIB };
const byNode = Map.groupBy ? Map.groupBy(pods, (pod) => pod.node) : pods.reduce((map, pod) => map.set(pod.node, [...(map.get(pod.node) ?? []), pod]), new Map());
const UNITS = { cpu: 'millicores', memory: 'bytes', network: 'bytes_per_second', filesystem: 'bytes' };

/** One value of any entity; null where there is none. */
function value(selector, time) {
  const { kind, metric } = selector;
  if (kind === 'cluster') return metric in SUPPLY ? SUPPLY[metric] * NODES : remembered(`${metric} ${time}`, () => sum(pods, metric, time));
  if (kind === 'node') return metric in SUPPLY ? SUPPLY[metric] : remembered(`${selector.name} ${metric} ${time}`, () => sum(byNode.get(selector.name) ?? [], metric, time));
  if (kind === 'pod') {
    const pod = podOf.get(`${selector.namespace}/${selector.name}`);
    return pod ? podValue(pod, metric, time) : null;
  }
  return null;
}

const many = (kind, selector, time, names) => Object.fromEntries(Object.entries(names).map(([key, metric]) => [key, value({ ...selector, kind, metric }, time)]));
const CPU = { usage: 'cpu/usage_rate', request: 'cpu/request', limit: 'cpu/limit' };
const CPU_ALL = { ...CPU, allocatable: 'cpu/node_allocatable', capacity: 'cpu/node_capacity' };
const MEMORY = { workingSet: 'memory/working_set', usage: 'memory/usage', rss: 'memory/rss', request: 'memory/request', limit: 'memory/limit' };
const MEMORY_ALL = { ...MEMORY, allocatable: 'memory/node_allocatable', capacity: 'memory/node_capacity' };
const NETWORK = { rxRate: 'network/rx_rate', txRate: 'network/tx_rate' };

export function mockServer({ tick = 1000, history = 600, now = () => Date.now() } = {}) {
  const startedAt = now() - history * 1000;
  const batches = [];
  const streams = new Set();
  const rounded = (time) => Math.floor(time / tick) * tick;
  for (let time = rounded(startedAt) + tick; time <= now() && history > 0; time += tick) {
    // A pause of 40 s in the middle of the history.
    if (history >= 300 && time > startedAt + history * 400 && time < startedAt + history * 400 + 40_000) continue;
    batches.push(time);
  }
  const targets = () => ({ up: NODES - 1, failed: 1, skipped: 0 });
  const latest = () => batches.at(-1) ?? null;
  const rateless = (time) => batches.length < 2 && time === batches[0];

  const timer = setInterval(() => {
    const time = rounded(now());
    if (time <= (latest() ?? 0)) return;
    batches.push(time);
    if (batches.length > 20_000) batches.shift();
    for (const stream of streams) stream.write(`event: batch\ndata: ${JSON.stringify({ timestamp: time, tookMs: 41, targets: targets() })}\n\n`);
  }, tick / 4);

  const failure = () => ({
    state: 'failed',
    hop: 'tls',
    reason: 'https://10.0.0.3:10250: certificate signed by unknown authority (issuer CN=node-03-ca@1795425000)',
    advice: 'Sign the kubelet’s serving certificate with the cluster’s CA (serverTLSBootstrap: true), or start Taffrail with --kubelet-ca',
    since: startedAt + 5000,
    lastSuccess: null,
    tookMs: 12,
    url: 'https://10.0.0.3:10250/stats/summary',
  });
  const success = (name) => ({ state: 'up', hop: '', reason: '', advice: '', since: startedAt, lastSuccess: latest(), tookMs: 20 + Math.round(chance('k', name) * 60), url: `https://10.0.0.${Number(name.slice(-2))}:10250/stats/summary` });
  const target = (name) => (name === FAILED ? failure() : success(name));

  const nodeItem = (name, time) => ({
    name,
    ready: name !== FAILED,
    unschedulable: name === 'node-07',
    pressures: name === 'node-05' ? ['DiskPressure'] : [],
    created: startedAt - 86_400_000 * 9,
    kubeletVersion: 'v1.34.1',
    pods: byNode.get(name).length,
    podCapacity: 110,
    cpu: many('node', { name }, time, CPU_ALL),
    memory: many('node', { name }, time, MEMORY_ALL),
    network: many('node', { name }, time, NETWORK),
    filesystem: { usage: 41 * GIB, limit: 100 * GIB },
    uptimeMs: name === FAILED ? null : time - startedAt + 86_400_000 * 9,
    target: target(name),
  });
  const podItem = (pod, time) => ({
    ...Object.fromEntries(['namespace', 'name', 'node', 'phase', 'reason', 'workload', 'containers', 'restarts'].map((key) => [key, pod[key]])),
    ready: pod.reason || pod.phase === 'Pending' ? pod.containers - 1 : pod.containers,
    started: startedAt - Math.round(chance('a', pod.name) * 86_400_000 * 5),
    last: null,
    cpu: many('pod', pod, time, CPU),
    memory: many('pod', pod, time, MEMORY),
    network: many('pod', pod, time, NETWORK),
  });

  const SORTS = { name: (item) => item.name, cpu: (item) => item.cpu.usage, memory: (item) => item.memory.workingSet, network: (item) => item.network.rxRate, restarts: (item) => item.restarts, pods: (item) => item.pods, started: (item) => item.started, filesystem: (item) => item.filesystem?.usage };
  function list(items, query) {
    const of = SORTS[query.get('sort') ?? 'name'];
    const sign = query.get('order') === 'desc' ? -1 : 1;
    const found = items.filter((item) => item.name.includes(query.get('search') ?? ''));
    found.sort((a, b) => {
      const [x, y] = [of(a), of(b)];
      if (x === null || y === null) return Number(x === null) - Number(y === null);
      return x < y ? -sign : x > y ? sign : a.name < b.name ? -1 : 1;
    });
    const offset = Number(query.get('offset') ?? 0);
    return { timestamp: latest(), total: found.length, items: found.slice(offset, offset + Number(query.get('limit') ?? 50)) };
  }

  function query({ start, end, points, series }) {
    const times = batches.filter((time) => time >= start && time <= end);
    const at = (selector, time) => (rateless(time) && selector.metric.endsWith('_rate') ? null : value(selector, time));
    const unit = (selector) => UNITS[selector.metric.split('/')[0]];
    if (times.length <= points) {
      return { timestamps: times, stepMs: tick, series: series.map((selector) => ({ unit: unit(selector), avg: times.map((time) => at(selector, time)), min: null, max: null })) };
    }
    const step = Math.ceil((end - start) / points);
    const buckets = Array.from({ length: Math.ceil((end - start) / step) }, (_, index) => times.filter((time) => time >= start + index * step && time < start + (index + 1) * step));
    const over = (selector, fold) =>
      buckets.map((members) => {
        const values = members.map((time) => at(selector, time)).filter((found) => found !== null);
        return values.length ? fold(values) : null;
      });
    return {
      timestamps: buckets.map((_, index) => start + index * step),
      stepMs: step,
      series: series.map((selector) => ({
        unit: unit(selector),
        avg: over(selector, (values) => values.reduce((a, b) => a + b) / values.length),
        min: over(selector, (values) => Math.min(...values)),
        max: over(selector, (values) => Math.max(...values)),
      })),
    };
  }

  const answers = {
    status: () => ({
      version: '0.1.0-mock',
      source: 'kubernetes.summary_api',
      cluster: { name: 'harbour', url: 'https://127.0.0.1:6443', kubernetesVersion: 'v1.34.1' },
      now: now(),
      startedAt,
      resolutionMs: tick,
      lastBatch: latest() === null ? null : { timestamp: latest(), tookMs: 41, rows: 900 },
      targets: latest() === null ? { up: 0, failed: 0, skipped: 0 } : targets(),
      history: latest() === null ? null : { from: batches[0], to: latest() },
      problems: [],
    }),
    overview: () => {
      const time = latest();
      const known = time !== null;
      const empty = (names) => Object.fromEntries(Object.keys(names).map((key) => [key, null]));
      return {
        timestamp: time,
        nodes: known ? { total: NODES, ready: NODES - 1, notReady: [FAILED] } : { total: null, ready: null, notReady: null },
        pods: known ? { total: pods.length, byPhase: pods.reduce((phases, { phase }) => ({ ...phases, [phase]: (phases[phase] ?? 0) + 1 }), {}) } : { total: null, byPhase: null },
        namespaces: known ? 4 : null,
        workloads: known ? NAMES.length : null,
        volumes: known ? 0 : null,
        volumesFull: known ? 0 : null,
        containers: known ? pods.reduce((total, pod) => total + pod.containers, 0) : null,
        restarts: known ? pods.reduce((total, pod) => total + pod.restarts, 0) : null,
        cpu: known ? many('cluster', {}, time, CPU_ALL) : empty(CPU_ALL),
        memory: known ? many('cluster', {}, time, MEMORY_ALL) : empty(MEMORY_ALL),
        network: known ? many('cluster', {}, time, NETWORK) : empty(NETWORK),
        filesystem: known ? { usage: 41 * GIB * NODES, limit: 100 * GIB * NODES } : { usage: null, limit: null },
      };
    },
    nodes: (parameters) => list(latest() === null ? [] : [...byNode.keys()].map((name) => nodeItem(name, latest())), parameters),
    pods: (parameters) => list(latest() === null ? [] : pods.map((pod) => podItem(pod, latest())), parameters),
    namespaces: (parameters) => list(latest() === null ? [] : NAMESPACES.map((name) => ({ name, pods: 1, restarts: 0, cpu: { usage: null, request: null, limit: null }, memory: { workingSet: null, usage: null, rss: null, request: null, limit: null }, network: { rxRate: null, txRate: null } })), parameters),
    why: () => ({ value: 1, timestamp: latest(), reason: 'present', sentence: '', advice: '', evidence: [] }),
    targets: () => ({ timestamp: latest(), items: latest() === null ? [] : [FAILED, ...[...byNode.keys()].filter((name) => name !== FAILED)].map((node) => ({ node, bodyBytes: 20_000, ...target(node) })) }),
  };

  const silences = [];
  const labels = { alertname: 'NodeDown', node: FAILED, severity: 'critical' };
  const active = () => silences.filter(({ endsAt }) => endsAt > now());
  const alertItem = () => ({
    id: 'a1',
    name: 'NodeDown',
    state: 'firing',
    severity: 'critical',
    group: 'nodes',
    file: 'built-in',
    labels,
    annotations: { summary: `Node ${FAILED} is down`, description: '<img src=x onerror="globalThis.hit=1">' },
    value: 1,
    expression: 'up == 0',
    activeAt: startedAt,
    firedAt: startedAt,
    resolvedAt: null,
    silencedBy: active().map(({ id }) => id),
  });
  const rule = { name: 'NodeDown', type: 'alerting', expression: 'up == 0', forMs: 60_000, keepFiringForMs: 0, labels: { severity: 'critical' }, annotations: {}, state: 'firing', alerts: 1, health: 'ok', error: null };
  Object.assign(answers, {
    alerts: (parameters) => {
      const items = latest() === null || (parameters.get('silenced') === 'false' && active().length > 0) ? [] : [alertItem()].filter(({ name, state }) => (parameters.get('state') ?? state) === state && name.includes(parameters.get('search') ?? ''));
      return { timestamp: latest(), total: items.length, counts: { firing: 1, pending: 0, resolved: 0, silenced: active().length }, items };
    },
    events: () => ({ from: now() - 900_000, to: now(), total: 0, capped: false, items: [], histogram: { stepMs: 900_000, timestamps: [now() - 900_000], normal: [0], warning: [0] } }),
    'alerts/history': () => ({ total: 1, items: [{ at: now() - 20_000, id: 'a1', name: 'NodeDown', state: 'firing', severity: 'critical', labels, value: 1, summary: `Node ${FAILED} is down`, silenced: false }] }),
    'alerts/rules': () => ({ timestamp: latest(), groups: [{ name: 'nodes', file: 'built-in', intervalMs: 30_000, lastEvaluation: latest(), tookMs: 1, rules: [rule, { ...rule, name: 'Broken', state: 'inactive', alerts: 0, health: 'err', error: 'query needs more than the allowed 5 series' }] }] }),
    'alerts/silences': () => ({ items: silences.map((silence) => ({ ...silence, state: silence.endsAt > now() ? 'active' : 'expired', alerts: silence.endsAt > now() ? 1 : 0 })) }),
    'alerts/receivers': () => ({ items: [] }),
    session: () => ({ login: false, ways: [], readOnly: false, cluster: false, user: null, csrf: null, namespaces: null, nodes: true, whole: true }),
    problems: () => {
      const items = latest() === null ? [] : pods.filter(({ reason }) => reason).map((pod) => ({ namespace: pod.namespace, name: pod.name, node: pod.node, workload: null, problem: 'crashLoop', container: 'app', reason: pod.reason, last: null, share: null, since: startedAt, restarts: pod.restarts }));
      return { timestamp: latest(), total: items.length, counts: items.length > 0 ? { crashLoop: items.length } : {}, items };
    },
  });

  /** POST and DELETE of silences; `posts` counts them. */
  function silence(name, request, response) {
    server.posts += 1;
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      if (request.method === 'DELETE') {
        const one = silences.find(({ id }) => name.endsWith(`/${id}`));
        if (one) one.endsAt = now();
        return send(response, one ? 200 : 404, one ? { id: one.id } : { error: { reason: 'no such silence', advice: '' } });
      }
      const { durationMs, ...asked } = JSON.parse(Buffer.concat(parts).toString());
      silences.unshift({ ...asked, id: `s${silences.length + 1}`, startsAt: now(), endsAt: now() + durationMs, updatedAt: now() });
      return send(response, 200, { id: silences[0].id });
    });
  }

  function send(response, status, body) {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  function serveApi(name, request, response, parameters) {
    if (name === 'stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      response.write(': hello\n\n');
      streams.add(response);
      request.on('close', () => streams.delete(response));
    } else if (name === 'query' && request.method === 'POST') {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => send(response, 200, query(JSON.parse(Buffer.concat(parts).toString()))));
    } else if (name.startsWith('alerts/silences') && request.method !== 'GET') {
      silence(name, request, response);
    } else if (name in answers) {
      send(response, 200, answers[name](parameters));
    } else {
      send(response, 404, { error: { reason: `no such path: ${name}`, advice: 'see docs/API.md' } });
    }
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://mock');
    const path = url.pathname.startsWith(`${PREFIX}/`) ? url.pathname.slice(PREFIX.length) : url.pathname;
    if (path.startsWith(API)) {
      serveApi(path.slice(API.length), request, response, url.searchParams);
      return;
    }
    const file = join(DIST, normalize(path === '/' ? '/index.html' : path));
    if (!file.startsWith(DIST) || !existsSync(file) || !statSync(file).isFile()) {
      send(response, 404, { error: { reason: 'no such file', advice: '' } });
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': CSP });
    createReadStream(file).pipe(response);
  });
  server.posts = 0;
  server.stop = () => {
    clearInterval(timer);
    server.closeAllConnections();
    server.close();
  };
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8099' }, tick: { type: 'string', default: '1000' }, history: { type: 'string', default: '600' } } });
  const server = mockServer({ tick: Number(values.tick), history: Number(values.history) });
  server.listen(Number(values.port), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));
}
