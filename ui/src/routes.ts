// Every page, the path below the dashboard's root that leads to it, and when its code is loaded.
import type { Component } from 'svelte';
import { match } from './lib/match';
import { t } from './lib/text/text';
import Overview from './pages/Overview.svelte';

/** A page takes the values of its pattern's `:name` parts as properties. */
export type Page = Component<any>;

type Load = () => Promise<{ default: Page }>;

interface Route {
  pattern: string;
  title: string;
  load: Load;
}

const at = (pattern: string, title: string, load: Load): Route => ({ pattern, title, load });

const ROUTES: Route[] = [
  // The first page comes with the first script.
  at('', t.overview, () => Promise.resolve({ default: Overview })),
  at('nodes', t.nodes.title, () => import('./pages/Nodes.svelte')),
  at('nodes/:name', t.nodes.name, () => import('./pages/Node.svelte')),
  at('namespaces', t.namespaces.title, () => import('./pages/Namespaces.svelte')),
  at('namespaces/:name', t.pods.namespace, () => import('./pages/Namespace.svelte')),
  at('workloads', t.workloads.title, () => import('./pages/Workloads.svelte')),
  at('workloads/:namespace/:kind/:name', t.workloads.name, () => import('./pages/Workload.svelte')),
  at('pods', t.nav.pods, () => import('./pages/Pods.svelte')),
  at('pods/:namespace/:name', t.pods.name, () => import('./pages/Pod.svelte')),
  at('containers', t.containers.title, () => import('./pages/Containers.svelte')),
  at('containers/:namespace/:pod/:name', t.containers.name, () => import('./pages/Container.svelte')),
  at('volumes', t.volumes.title, () => import('./pages/Volumes.svelte')),
  at('volumes/:namespace/:pod/:name', t.volumes.name, () => import('./pages/Volume.svelte')),

  at('map', t.nav.map, () => import('./pages/NodeMap.svelte')),
  at('sizing', t.nav.sizing, () => import('./pages/Sizing.svelte')),
  at('alerts', t.alerts.title, () => import('./pages/Alerts.svelte')),
  at('events', t.nav.events, () => import('./pages/Events.svelte')),
  at('explore', t.nav.explore, () => import('./pages/Explore.svelte')),

  at('objects', t.objects.title, () => import('./pages/Objects.svelte')),
  at('objects/:group/:version/:plural', t.objects.title, () => import('./pages/ObjectList.svelte')),
  at('objects/:group/:version/:plural/:namespace/:name', t.objects.title, () => import('./pages/ObjectOne.svelte')),
  at('logs/:namespace/:plural/:name', t.logs.title, () => import('./pages/Logs.svelte')),
  at('shell/:namespace/:pod/:name', t.shell.title, () => import('./pages/Shell.svelte')),
  at('create', t.objects.create, () => import('./pages/Create.svelte')),
  at('login', t.login.title, () => import('./pages/Login.svelte')),
  at('status', t.nav.status, () => import('./pages/Status.svelte')),
];

/** Pages by the letter that follows `g`. */
export const GOTO: Record<string, string> = {
  o: '',
  n: 'nodes',
  s: 'namespaces',
  w: 'workloads',
  p: 'pods',
  c: 'containers',
  v: 'volumes',
  m: 'map',
  r: 'sizing',
  a: 'alerts',
  e: 'events',
  b: 'objects',
  x: 'explore',
  t: 'status',
};

/** What the pages of a section take of rights; sections that are not named take none of the whole cluster. */
export const NEEDS: Record<string, 'nodes' | 'whole'> = { nodes: 'nodes', map: 'nodes', explore: 'whole' };

export interface Found {
  title: string;
  /** Of the thing that the page is about; empty for lists. */
  name: string;
  /** First part of the path; `overview` for none. */
  section: string;
  load: Load;
  values: Record<string, string>;
}

export function find(path: string): Found {
  const section = path.split('/')[0] || 'overview';
  for (const { pattern, title, load } of ROUTES) {
    const values = match(pattern, path);
    if (values) return { title, load, values, section, name: values['name'] ?? '' };
  }
  return { title: t.notFound, name: '', section, load: () => import('./pages/NotFound.svelte'), values: {} };
}
