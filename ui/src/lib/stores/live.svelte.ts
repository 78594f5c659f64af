// The stream of batches: connected, paused or broken, and why. It tells when new numbers exist;
// it does not fetch them.
import { untrack } from 'svelte';
import { api, streamUrl } from '../api/client';
import { ApiError } from '../api/error';
import type { BatchEvent, Status } from '../api/types';
import { span } from '../format';
import { t } from '../text/text';

/** First wait before a broken stream is opened again; it doubles up to the longest. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/** Problems of the process come without a batch, so the status is asked for this often. */
const STATUS_EVERY_MS = 10_000;

/** A batch is overdue after this many intervals and this much grace. */
const OVERDUE_INTERVALS = 2;
const OVERDUE_GRACE_MS = 10_000;

export type LiveState = 'connecting' | 'live' | 'paused' | 'stale' | 'disconnected';

class Live {
  status = $state.raw<Status | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** Timestamp of the newest batch that was announced. */
  timestamp = $state<number | null>(null);
  /** Server time now, ticking every second. */
  now = $state(Date.now());
  pausedByHand = $state(false);
  hovering = $state(false);
  /** How many readings are pinned. */
  #pins = $state(0);
  #open = $state(false);
  #broken = $state('');
  #hidden = $state(document.hidden);
  #offset = 0;
  #askedAt = 0;
  #stream: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #wait = FIRST_RETRY_MS;
  #retryAt = $state(0);

  readonly resolution = $derived(this.status?.resolutionMs ?? 0);
  readonly first = $derived(this.status?.history?.from ?? null);
  readonly batchAge = $derived(this.timestamp === null ? null : Math.max(0, this.now - this.timestamp));
  readonly overdue = $derived(
    this.batchAge !== null && this.resolution > 0 && this.batchAge > this.resolution * OVERDUE_INTERVALS + OVERDUE_GRACE_MS,
  );
  /** Whether what is shown shall follow what arrives. */
  readonly held = $derived(this.pausedByHand || this.hovering || this.#pins > 0 || this.#hidden);

  readonly state: LiveState = $derived.by(() => {
    if (this.#broken) return 'disconnected';
    if (this.held) return 'paused';
    if (!this.#open) return 'connecting';
    return this.overdue ? 'stale' : 'live';
  });

  readonly reason: string = $derived.by(() => {
    switch (this.state) {
      case 'disconnected':
        return t.live.retrying(this.#broken, span(Math.max(1000, this.#retryAt - this.now)));
      case 'paused':
        return this.pausedByHand ? t.live.byHand : this.hovering ? t.live.hovering : this.#pins > 0 ? t.live.pinned : t.live.hidden;
      case 'stale':
        return t.live.overdue(span(this.batchAge));
      case 'live':
        return t.live.every(span(this.resolution));
      default:
        return '';
    }
  });

  /** A reading that is pinned shall not move; each pin is told, and each end of one. */
  pin(pinned: boolean): void {
    untrack(() => (this.#pins = Math.max(0, this.#pins + (pinned ? 1 : -1))));
  }

  /** Begins to listen; the answer ends it. */
  start(): () => void {
    const visibility = (): void => {
      this.#hidden = document.hidden;
      if (this.#hidden) this.#close();
      else this.#connect();
    };
    document.addEventListener('visibilitychange', visibility);
    this.#ticker = setInterval(() => this.#tick(), 1000);
    visibility();
    return () => {
      document.removeEventListener('visibilitychange', visibility);
      clearInterval(this.#ticker);
      this.#close();
    };
  }

  #tick(): void {
    this.now = Date.now() + this.#offset;
    if (!this.#hidden && !this.#broken && Date.now() - this.#askedAt > STATUS_EVERY_MS) this.refresh().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    this.#close();
    try {
      await this.refresh();
    } catch (error) {
      this.#fail(error instanceof ApiError ? error.reason : t.live.noAnswer);
      return;
    }
    if (this.#hidden) return;
    const stream = new EventSource(streamUrl());
    this.#stream = stream;
    stream.onopen = () => {
      this.#open = true;
      this.#broken = '';
      this.#wait = FIRST_RETRY_MS;
    };
    stream.addEventListener('batch', (event: MessageEvent<string>) => this.#take(JSON.parse(event.data) as BatchEvent));
    stream.onerror = () => this.#fail(t.live.streamEnded);
  }

  /** Reads the status anew. */
  async refresh(): Promise<void> {
    this.#askedAt = Date.now();
    try {
      const status = await api.status();
      this.status = status;
      this.error = null;
      this.#offset = status.now - Date.now();
      this.now = status.now;
      if (status.lastBatch) this.timestamp = Math.max(status.lastBatch.timestamp, this.timestamp ?? 0);
    } catch (error) {
      if (error instanceof ApiError) this.error = error;
      throw error;
    }
  }

  #take(batch: BatchEvent): void {
    const status = this.status;
    if (status) {
      const from = status.history?.from ?? batch.timestamp;
      this.status = {
        ...status,
        targets: batch.targets,
        lastBatch: { timestamp: batch.timestamp, tookMs: batch.tookMs, rows: status.lastBatch?.rows ?? 0 },
        history: { from, to: batch.timestamp },
      };
    }
    this.timestamp = batch.timestamp;
  }

  #fail(reason: string): void {
    this.#close();
    this.#broken = reason;
    this.#retryAt = this.now + this.#wait;
    this.#retry = setTimeout(() => void this.#connect(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LONGEST_RETRY_MS);
  }

  #close(): void {
    clearTimeout(this.#retry);
    this.#stream?.close();
    this.#stream = null;
    this.#open = false;
  }
}

export const live = new Live();
