// What one part of a page has loaded: the newest answer, whether a request is under way, and the
// error of the last one. An old answer stays visible while a new one loads or fails.
import { ApiError } from '../api/error';

export class Panel<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  loading = $state(false);
  #abort: AbortController | null = null;
  #question = '';

  /**
   * Asks anew. A request under way for another `question` is dropped; one for the same goes on and
   * this call does nothing, so that answers slower than the batches still arrive.
   */
  async load(question: string, ask: (signal: AbortSignal) => Promise<T>): Promise<void> {
    if (this.#abort && question === this.#question) return;
    this.#abort?.abort();
    this.#question = question;
    const abort = new AbortController();
    this.#abort = abort;
    this.loading = true;
    try {
      const data = await ask(abort.signal);
      if (abort.signal.aborted) return;
      this.data = data;
      this.error = null;
    } catch (error) {
      if (abort.signal.aborted) return;
      this.error = error instanceof ApiError ? error : new ApiError(String(error));
    } finally {
      if (this.#abort === abort) {
        this.#abort = null;
        this.loading = false;
      }
    }
  }

  stop(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.loading = false;
  }
}
