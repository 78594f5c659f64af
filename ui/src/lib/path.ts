// Addresses made of names that may hold any character.
export const pathOf = (...parts: string[]): string => parts.map(encodeURIComponent).join('/');

/** Where the page of a thing is, below the dashboard's root. */
export const pageOf = {
  node: (name: string): string => pathOf('nodes', name),
  namespace: (name: string): string => pathOf('namespaces', name),
  workload: (namespace: string, kind: string, name: string): string => pathOf('workloads', namespace, kind, name),
  pod: (namespace: string, name: string): string => pathOf('pods', namespace, name),
  container: (namespace: string, pod: string, name: string): string => pathOf('containers', namespace, pod, name),
  volume: (namespace: string, pod: string, name: string): string => pathOf('volumes', namespace, pod, name),
};

const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController', 'Job', 'CronJob'];

/** The page of what an event is about, where there is one. */
export function eventPage({ kind, namespace, name }: { kind: string; namespace: string | null; name: string }): string | null {
  if (kind === 'Node') return pageOf.node(name);
  if (kind === 'Namespace') return pageOf.namespace(name);
  if (!namespace) return null;
  if (kind === 'Pod') return pageOf.pod(namespace, name);
  return WORKLOADS.includes(kind) ? pageOf.workload(namespace, kind, name) : null;
}
