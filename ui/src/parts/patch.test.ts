import { expect, test } from 'vitest';
import type { SizedItem, SizedResource } from '../lib/api/types';
import { patchOf } from './patch';

const resource = (suggestedRequest: number | null, suggestedLimit: number | null): SizedResource => ({ p50: null, p95: null, max: null, request: null, limit: null, waste: null, nearLimitHours: null, suggestedRequest, suggestedLimit, risk: 'none' });
const item = (kind: string, workload: string): SizedItem => ({ namespace: 'shop', kind, workload, container: 'app', pods: 1, restarts: 0, oomKilled: 0, risk: 'none', cpu: resource(115, null), memory: resource(64 * 2 ** 20, 80 * 2 ** 20) });

test('a patch names the container and its amounts', () => {
  expect(patchOf(item('Deployment', 'web'))).toBe(
    `kubectl patch deployment web -n shop -p '{"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"115m","memory":"64Mi"},"limits":{"memory":"80Mi"}}}]}}}}'`,
  );
  expect(patchOf(item('CronJob', 'web'))).toContain('{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers"');
});

test('hostile names stay inside their quotes', () => {
  expect(patchOf(item('Deployment', "x'; rm -rf ~; '"))).toContain(`'x'\\''; rm -rf ~; '\\'''`);
});
