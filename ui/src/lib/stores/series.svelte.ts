// Series of one page over the page's range, kept up to date by asking for the tail only.
import { api } from '../api/client';
import type { Selector } from '../api/types';
import { joined, raw, since, type Frame } from '../frame';
import type { Interval } from '../range';
import { Panel } from './panel.svelte';

/** Points of one graph: no screen shows more, and the server refuses beyond 4,000. */
const MOST_POINTS = 1_200;
const FEWEST_POINTS = 60;

export class SeriesStore {
  readonly panel = new Panel<Frame>();
  #asked = '';
  #length = 0;
  #loadedAt = 0;

  get frame(): Frame | null {
    return this.panel.data;
  }

  /**
   * Brings the frame to `wanted`. Raw samples of a moving range are extended by what is new;
   * a downsampled range is asked again, at most once per bucket.
   */
  async update(series: Selector[], wanted: Interval, width: number, follow: boolean): Promise<void> {
    const points = Math.max(FEWEST_POINTS, Math.min(MOST_POINTS, Math.round(width)));
    const asked = JSON.stringify([series, points]);
    const length = wanted.to - wanted.from;
    const frame = this.panel.data;
    const same = follow && asked === this.#asked && length === this.#length && frame !== null && this.panel.error === null;
    const last = frame?.timestamps.at(-1);
    if (same && this.panel.busy) return;
    if (same && !raw(frame) && wanted.to - this.#loadedAt < frame.stepMs) return;
    if (same && raw(frame) && last !== undefined && last >= wanted.from) {
      if (last >= wanted.to) return;
      await this.panel.load(async (signal) => {
        const tail = await api.query({ start: last + 1, end: wanted.to, points, series }, signal);
        return raw(tail) ? since(joined(frame, tail), wanted.from) : api.query({ start: wanted.from, end: wanted.to, points, series }, signal);
      });
      return;
    }
    this.#asked = asked;
    this.#length = length;
    this.#loadedAt = wanted.to;
    await this.panel.load((signal) => api.query({ start: wanted.from, end: wanted.to, points, series }, signal));
  }

  stop(): void {
    this.panel.stop();
  }
}
