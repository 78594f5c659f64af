// The suggested amounts as a strategic merge patch, to be pasted into `kubectl patch`.
import type { SizedItem } from '../lib/api/types';

const MIB = 2 ** 20;

const millicores = (value: number): string => (value % 1000 === 0 ? String(value / 1000) : `${Math.ceil(value)}m`);
const mebibytes = (value: number): string => `${Math.ceil(value / MIB)}Mi`;

/** For a shell: a single quote cannot be inside single quotes. */
const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function amounts(cpu: number | null, memory: number | null): Record<string, string> | undefined {
  const found = { ...(cpu === null ? {} : { cpu: millicores(cpu) }), ...(memory === null ? {} : { memory: mebibytes(memory) }) };
  return Object.keys(found).length > 0 ? found : undefined;
}

export function patchOf(item: SizedItem): string {
  const requests = amounts(item.cpu.suggestedRequest, item.memory.suggestedRequest);
  const limits = amounts(item.cpu.suggestedLimit, item.memory.suggestedLimit);
  const resources = { ...(requests ? { requests } : {}), ...(limits ? { limits } : {}) };
  const template = { spec: { containers: [{ name: item.container, resources }] } };
  const body = item.kind === 'Pod' ? template : item.kind === 'CronJob' ? { spec: { jobTemplate: { spec: { template } } } } : { spec: { template } };
  return `kubectl patch ${quoted(item.kind.toLowerCase())} ${quoted(item.workload)} -n ${quoted(item.namespace)} -p ${quoted(JSON.stringify(body))}`;
}
