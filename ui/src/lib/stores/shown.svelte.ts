// Which batch the pages show: the newest, or an older one while they are held.
import { live } from './live.svelte';
import { timeRange } from './timeRange.svelte';
import type { Interval } from '../range';

class Shown {
  /** Null until there is a batch. */
  batch = $state<number | null>(null);
  /** The end of what a live range asks for. */
  readonly end = $derived(this.batch ?? live.now);
  /** What graphs draw. */
  readonly view: Interval = $derived(timeRange.shown(this.batch ?? live.timestamp ?? live.status?.startedAt ?? 0));
  readonly wanted: Interval = $derived(timeRange.wanted(this.end));
  /** Changes when the range does, not with every batch. */
  readonly range = $derived(JSON.stringify(timeRange.range));

  /** Takes the newest batch, unless somebody reads. Called from an effect. */
  follow(): void {
    if (live.timestamp !== null && (!live.held || this.batch === null)) this.batch = live.timestamp;
  }
}

export const shown = new Shown();
