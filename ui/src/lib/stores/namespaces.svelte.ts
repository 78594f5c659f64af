// The namespaces that lists are narrowed to, as the address holds them: `ns=web,batch`.
import { router } from '../router.svelte';

class Namespaces {
  /** Empty means all. */
  readonly chosen: string[] = $derived((router.query.get('ns') ?? '').split(',').filter((name) => name !== ''));

  choose(names: string[]): void {
    router.set({ ns: names.length > 0 ? names.join(',') : null }, true);
  }

  toggle(name: string): void {
    this.choose(this.chosen.includes(name) ? this.chosen.filter((one) => one !== name) : [...this.chosen, name]);
  }
}

export const namespaces = new Namespaces();
