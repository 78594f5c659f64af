// What graphs do to the page: a drag changes its time range, a reading holds it still.
import { live } from './live.svelte';
import { shown } from './shown.svelte';
import { timeRange } from './timeRange.svelte';

export const steering = {
  onzoom: (from: number, to: number): void => timeRange.zoom(from, to),
  onzoomout: (): void => timeRange.zoomOut(shown.view),
  onhover: (over: boolean): void => void (live.hovering = over),
  onpin: (pinned: boolean): void => live.pin(pinned),
};
