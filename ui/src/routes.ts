// Every page and the path below the dashboard's root that leads to it.
import type { Component } from 'svelte';
import { match } from './lib/match';
import { t } from './lib/text/text';
import NotFound from './pages/NotFound.svelte';
import Overview from './pages/Overview.svelte';

/** A page takes the values of its pattern's `:name` parts as properties. */
type Page = Component<any>;

interface Route {
  pattern: string;
  title: string;
  page: Page;
}

const ROUTES: Route[] = [{ pattern: '', title: t.overview, page: Overview }];

export interface Found {
  title: string;
  page: Page;
  values: Record<string, string>;
}

export function find(path: string): Found {
  for (const { pattern, title, page } of ROUTES) {
    const values = match(pattern, path);
    if (values) return { title, page, values };
  }
  return { title: t.notFound, page: NotFound, values: {} };
}
