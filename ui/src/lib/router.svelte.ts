// Which page and which query the address names, on the History API below any path prefix.
// It does not know the pages.
import { base } from './base';

/** Parameters that go along from page to page. */
const KEPT = ['range', 'from', 'to', 'ns'];

class Router {
  /** Below the dashboard's root, without slashes at the ends; empty for the first page. */
  path = $state('');
  query = $state.raw(new URLSearchParams());

  constructor() {
    this.#read();
    addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  /** The absolute address of `path`, with the time range and the namespaces of this page. */
  href(path: string): string {
    const url = new URL(path, base);
    // A path with a time of its own is about that time.
    const timed = url.searchParams.has('from');
    for (const name of KEPT) {
      const value = this.query.get(name);
      if (timed && name !== 'ns') continue;
      if (value !== null) url.searchParams.set(name, value);
    }
    return url.pathname + url.search;
  }

  go(url: URL | string): void {
    history.pushState(null, '', url);
    this.#read();
    scrollTo(0, 0);
  }

  /** Changes parameters of the query; null removes one. `push` makes Back undo it. */
  set(changes: Record<string, string | null>, push: boolean): void {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    if (url.href === location.href) return;
    if (push) history.pushState(null, '', url);
    else history.replaceState(null, '', url);
    this.#read();
  }

  #read(): void {
    const path = location.pathname;
    const below = path.startsWith(base.pathname) ? path.slice(base.pathname.length) : '';
    this.path = below.replace(/^\/+|\/+$/g, '').replace(/^index\.html$/, '');
    this.query = new URLSearchParams(location.search);
  }

  /** Links to our own pages change the page without loading it anew. */
  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== base.origin) return;
    if (!link.pathname.startsWith(base.pathname) || link.hash) return;
    event.preventDefault();
    this.go(link.href);
  }
}

export const router = new Router();
