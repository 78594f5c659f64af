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
