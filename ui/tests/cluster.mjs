// A simulated cluster and a Taffrail in front of it, for tests that need more than the demo: people
// with few rights, an identity provider, other flags.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BINARY = process.env['TAFFRAIL'] ?? fileURLToPath(new URL('../../target/debug/taffrail', import.meta.url));

/** Starts a program; resolves once it said something that `pattern` finds. */
export function started(args, pattern, milliseconds = 90_000) {
  const child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`taffrail ${args[0]} said in ${milliseconds} ms only: ${said}`)), milliseconds);
    const take = (chunk) => {
      said += chunk;
      const found = said.match(pattern);
      if (!found) return;
      clearTimeout(late);
      resolve({ child, found, said: () => said });
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('exit', (code) => reject(new Error(`taffrail ${args[0]} ended with ${code}: ${said}`)));
  });
}

/** A cluster of two nodes. */
export async function cluster(more = []) {
  const folder = mkdtempSync(join(tmpdir(), 'taffrail-people-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const { child, found } = await started(
    ['simulate', '--nodes', '2', '--pods-per-node', '12', '--listen', '127.0.0.1:0', '--kubeconfig-out', kubeconfig, ...more],
    /plain: (http:\/\/[\d.:]+)\)\nKubelets[^\n]*https port (\d+)/,
  );
  const [, plain, port] = found;
  const send = async (method, path, body, type = 'application/json') => {
    const response = await fetch(plain + path, { method, headers: { 'content-type': type }, body: body === undefined ? undefined : JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${answer.message}`);
    return answer;
  };
  const serve = async (flags) => {
    const source = `kubernetes.summary_api:?inClusterConfig=false&auth=${kubeconfig}&kubeletHttps=true&kubeletPort=${port}`;
    const server = await started(['serve', '--source', source, '--no-history', '--metric-resolution', '5s', '--listen', '127.0.0.1:0', ...flags], /Taffrail serves (http:\/\/[^ ]+)/);
    return { url: server.found[1], child: server.child };
  };
  /** A service account that may do `rules` in `namespace`; its token. */
  const person = async (namespace, name, rules) => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
    await send('POST', `${rbac}/namespaces/${namespace}/roles`, { metadata: { name }, rules });
    await send('POST', `${rbac}/namespaces/${namespace}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', namespace, name }],
    });
    const given = await send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, { spec: { expirationSeconds: 3600 } });
    return given.status.token;
  };
  return {
    send,
    serve,
    person,
    kubeconfig: () => readFileSync(kubeconfig, 'utf8'),
    folder,
    stop: () => {
      child.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
