// What alerts are about, which marks they leave on graphs, and how silences are written. It fetches nothing.
import type { Change, Matcher } from './api/alerts';
import type { Subject } from './api/types';
import type { Mark } from './chart/marks';
import { pageOf } from './path';

export type Level = 'good' | 'warn' | 'bad' | 'calm';

export function levelOf(severity: string, state = 'firing'): Level {
  if (state === 'resolved') return 'good';
  if (state === 'pending' || state === 'dropped' || severity === 'info' || severity === 'none') return 'calm';
  return severity === 'critical' ? 'bad' : 'warn';
}

type Labels = Record<string, string>;

/** Whether an alert with these labels is about a page's subject. */
export function concerns(labels: Labels, subject: Subject): boolean {
  switch (subject.kind) {
    case 'cluster':
      return labels['namespace'] === undefined;
    case 'node':
      return labels['node'] === subject.name;
    case 'namespace':
      return labels['namespace'] === subject.name;
    case 'pod':
      return labels['namespace'] === subject.namespace && labels['pod'] === subject.name;
    case 'workload':
      return labels['namespace'] === subject.namespace && (labels['workload'] === subject.name || (labels['pod'] ?? '').startsWith(`${subject.name}-`));
    case 'volume':
      return labels['namespace'] === subject.namespace && labels['pod'] === subject.pod;
    default:
      return labels['namespace'] === subject.namespace && labels['pod'] === subject.pod && (labels['container'] ?? subject.name) === subject.name;
  }
}

/** Where alerts began to fire and were resolved. */
export function alertMarks(changes: Change[], subject: Subject, words: (change: Change) => string): Mark[] {
  return changes
    .filter(({ state, labels }) => (state === 'firing' || state === 'resolved') && concerns(labels, subject))
    .map((change) => ({ at: change.at, label: words(change), level: change.state === 'resolved' ? 'calm' : change.severity === 'critical' ? 'bad' : 'warn' }));
}

/** Labels of kube-state-metrics that name a workload. */
const OWNERS: [string, string][] = [['deployment', 'Deployment'], ['statefulset', 'StatefulSet'], ['daemonset', 'DaemonSet'], ['job_name', 'Job']];

/** The page of what an alert is about, where there is one. */
export function alertPage(labels: Labels): string | null {
  const { namespace, pod, container, node, workload, workload_type: kind } = labels;
  if (namespace && pod) return container ? pageOf.container(namespace, pod, container) : pageOf.pod(namespace, pod);
  if (namespace && workload && kind) return pageOf.workload(namespace, kind, workload);
  for (const [label, owner] of OWNERS) {
    const name = labels[label];
    if (namespace && name) return pageOf.workload(namespace, owner, name);
  }
  if (node) return pageOf.node(node);
  return namespace ? pageOf.namespace(namespace) : null;
}

/** Matchers that pass for exactly these labels. */
export const matchersOf = (labels: Labels): Matcher[] => Object.entries(labels).map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }));

const SIGNS = { '=': [false, true], '!=': [false, false], '=~': [true, true], '!~': [true, false] } as const;

export const writtenMatcher = ({ name, value, isRegex, isEqual }: Matcher): string => `${name}${isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!='}${JSON.stringify(value)}`;

/** `name="value"` and the like, one a line or apart by commas; null where one cannot be read. */
export function readMatchers(text: string): Matcher[] | null {
  const found: Matcher[] = [];
  let rest = text.trim().replace(/^\{/, '').replace(/\}$/, '').trim();
  while (rest !== '') {
    const one = /^([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:\\.|[^"\\])*"|[^\s,"]+)\s*(?:,|\n|$)\s*/.exec(rest);
    if (!one) return null;
    const [whole, name = '', sign = '=', written = ''] = one;
    let value = written;
    if (written.startsWith('"')) {
      try {
        value = JSON.parse(written) as string;
      } catch {
        return null;
      }
    }
    const [isRegex, isEqual] = SIGNS[sign as keyof typeof SIGNS];
    found.push({ name, value, isRegex, isEqual });
    rest = rest.slice(whole.length);
  }
  return found.length > 0 ? found : null;
}
