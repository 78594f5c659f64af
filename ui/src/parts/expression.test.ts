import { expect, test, vi } from 'vitest';
import { expressionOf } from './expression';
import { cpuGraph, manyGraph, memoryGraph, throttlingGraph } from './graphs';

vi.stubGlobal('document', { documentElement: {} });

test('a graph’s lines are one selection', () => {
  expect(expressionOf(memoryGraph({ kind: 'pod', namespace: 'web', name: 'a"b' }))).toBe(
    '{__name__=~"taffrail_pod_memory_working_set_bytes|taffrail_pod_memory_request_bytes|taffrail_pod_memory_limit_bytes", namespace="web", pod="a\\"b"}',
  );
  expect(expressionOf(cpuGraph({ kind: 'cluster' }))).toBe('{__name__=~"taffrail_cluster_cpu_usage_rate_cores|taffrail_cluster_cpu_request_cores|taffrail_cluster_cpu_limit_cores"}');
});

test('many owners are one pattern, with dots taken literally', () => {
  const graph = manyGraph('cpu', '', 'millicores', 'cpu/usage_rate', [['a', { kind: 'node', name: 'a.b' }], ['c', { kind: 'node', name: 'c' }]]);
  expect(expressionOf(graph)).toBe('taffrail_node_cpu_usage_rate_cores{node=~"a\\\\.b|c"}');
});

test('a share of two counters is their quotient', () => {
  const container = { kind: 'container', namespace: 'n', pod: 'p', name: 'c' } as const;
  expect(expressionOf(throttlingGraph(container))).toContain('[5m]) / increase(taffrail_container_cpu_cfs_periods_total{namespace="n", pod="p", container="c"}');
});
