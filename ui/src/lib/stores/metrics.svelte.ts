// What series there are: names of metrics with their help, labels and values, asked for when first needed.
import { prometheus } from '../api/prometheus';
import { Panel } from './panel.svelte';

/** A list of names is good for this long. */
const FRESH_MS = 60_000;

class Metrics {
  readonly #names = new Panel<Map<string, string>>();
  #at = 0;
  #kept = new Map<string, { at: number; names: Promise<string[]> }>();

  /** Names of metrics with what they are. */
  readonly names: ReadonlyMap<string, string> = $derived(this.#names.data ?? new Map<string, string>());
  readonly loaded = $derived(this.#names.data !== null);

  load(): void {
    if (Date.now() - this.#at < FRESH_MS) return;
    this.#at = Date.now();
    void this.#names.load('', async (signal) => {
      const [names, metadata] = await Promise.all([prometheus.metrics(signal), prometheus.metadata(signal)]);
      return new Map(names.map((name) => [name, [metadata[name]?.[0]?.type, metadata[name]?.[0]?.help].filter(Boolean).join(': ')]));
    });
  }

  /** Labels of a metric; of all without one. Empty where the server refuses. */
  labels(metric: string): Promise<string[]> {
    return this.#once(`labels ${metric}`, async () => (await prometheus.labels(metric)).filter((name) => name !== '__name__'));
  }

  values(label: string, metric: string): Promise<string[]> {
    return this.#once(`values ${label} ${metric}`, () => prometheus.values(label, metric));
  }

  #once(key: string, ask: () => Promise<string[]>): Promise<string[]> {
    const kept = this.#kept.get(key);
    if (kept && Date.now() - kept.at < FRESH_MS) return kept.names;
    if (this.#kept.size > 200) this.#kept.clear();
    const names = ask().catch(() => {
      this.#kept.delete(key);
      return [];
    });
    this.#kept.set(key, { at: Date.now(), names });
    return names;
  }
}

export const metrics = new Metrics();
