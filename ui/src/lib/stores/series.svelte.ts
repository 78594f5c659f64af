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
  #question = '';
  #loadedAt = 0;

  get frame(): Frame | null {
    return this.panel.data;
  }

  /**
   * Brings the frame to `wanted`. Raw samples of a range that moves are extended by what is new;
   * a downsampled one is asked again, at most once per bucket.
   */
  async update(series: Selector[], wanted: Interval, width: number, moving: boolean): Promise<void> {
    const points = Math.max(FEWEST_POINTS, Math.min(MOST_POINTS, Math.round(width)));
    const question = JSON.stringify([series, points, moving ? wanted.to - wanted.from : wanted]);
    const whole = (signal: AbortSignal): Promise<Frame> => api.query({ start: wanted.from, end: wanted.to, points, series }, signal);
    const frame = question === this.#question && this.panel.error === null ? this.panel.data : null;
    const last = frame?.timestamps.at(-1);
    this.#question = question;
    if (frame && raw(frame) && last !== undefined && last >= wanted.from) {
      if (last >= wanted.to) return;
      await this.panel.load(question, async (signal) => {
        const tail = await api.query({ start: last + 1, end: wanted.to, points, series }, signal);
        return raw(tail) ? since(joined(frame, tail), wanted.from) : whole(signal);
      });
      return;
    }
    if (frame && moving && wanted.to - this.#loadedAt < frame.stepMs) return;
    if (frame && !moving && last !== undefined) return;
    this.#loadedAt = wanted.to;
    await this.panel.load(question, whole);
  }

  stop(): void {
    this.panel.stop();
  }
}
