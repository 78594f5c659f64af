// The page's time range: what the URL says, what that means now, and how it changes.
import { interval, moved, parseRange, rangeQuery, SHORTEST, visible, widened, type Interval, type Range } from '../range';
import { router } from '../router.svelte';
import { live } from './live.svelte';

class TimeRange {
  readonly range: Range = $derived(parseRange(router.query));
  readonly isLive = $derived(this.range.kind === 'live');

  /** What to ask for, when `now` is the newest batch. */
  wanted(now: number): Interval {
    return interval(this.range, now);
  }

  shown(now: number): Interval {
    return visible(this.range, now, live.first);
  }

  choose(range: Range): void {
    router.set(rangeQuery(range), true);
  }

  zoom(from: number, to: number): void {
    if (to - from >= SHORTEST) this.choose({ kind: 'fixed', from, to });
  }

  /** By half its length, towards the past or the present. */
  move(shown: Interval, direction: -1 | 1): void {
    this.choose({ kind: 'fixed', ...moved(shown, direction, live.now) });
  }

  zoomOut(shown: Interval): void {
    this.choose({ kind: 'fixed', ...widened(shown, live.now) });
  }
}

export const timeRange = new TimeRange();
