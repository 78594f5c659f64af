// The last lines of several containers, in the order of their times; bounded in lines and bytes.
import { short } from '../short';
import { levelOf, type Level } from './level';

export interface LogLine {
  /** Rises with every line that came. */
  number: number;
  source: string;
  place: number;
  time: string;
  text: string;
  /** Null where it does not say. */
  level: Level | null;
  /** Where the filter matches, in UTF-16 units. */
  matches?: [number, number][];
}

const MOST_LINES = 5_000;
const MOST_CHARS = 8_000_000;
/** Longest line that is kept; the rest is in the download. */
const LONGEST = 16_384;

export class Tail {
  dropped = 0;
  #held: LogLine[] = [];
  #chars = 0;
  #came = 0;

  add(line: Omit<LogLine, 'number' | 'level'>): void {
    this.#came += 1;
    const text = short(line.text, LONGEST);
    const held = { ...line, text, level: levelOf(text), number: this.#came };
    // Lines come nearly sorted: the place is found from the end.
    let at = this.#held.length;
    while (at > 0 && this.#held[at - 1]!.time > held.time) at -= 1;
    if (at === this.#held.length) this.#held.push(held);
    else this.#held.splice(at, 0, held);
    this.#chars += text.length;
    while (this.#held.length > MOST_LINES || this.#chars > MOST_CHARS) {
      const first = this.#held.shift();
      this.#chars -= first?.text.length ?? 0;
      this.dropped += 1;
    }
  }

  lines(): LogLine[] {
    return [...this.#held];
  }
}
