// One thing's detail, asked for anew with every batch that is shown.
import { untrack } from 'svelte';
import { live } from './live.svelte';
import { Panel } from './panel.svelte';
import { shown } from './shown.svelte';

/** Call while a component starts: the panel lives as long as that. */
export function detail<T>(question: () => string, ask: (signal: AbortSignal) => Promise<T>): { panel: Panel<T>; load: () => void } {
  const panel = new Panel<T>();
  const load = (): void => void panel.load(question(), ask);
  $effect(() => {
    void [shown.batch, question()];
    if (live.status) untrack(load);
  });
  $effect(() => () => panel.stop());
  return { panel, load };
}
