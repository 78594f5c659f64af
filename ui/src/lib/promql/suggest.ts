// Which words fit a place, best first, and how the expression reads with one of them. It fetches nothing.
import { AGGREGATIONS, DURATIONS, FUNCTIONS, WORDS } from './functions';
import type { Place } from './place';

export interface Suggestion {
  text: string;
  kind: 'metric' | 'function' | 'aggregation' | 'word' | 'label' | 'value' | 'duration';
  /** What it is, in the words of whoever named it. */
  detail: string;
}

/** What is known of the series. */
export interface Known {
  /** Names of metrics with what they are. */
  metrics: ReadonlyMap<string, string>;
  labels: readonly string[];
  values: readonly string[];
}

const MOST = 60;

/** Names that begin with it, then those in which a part does, then those that hold it. */
function rank(name: string, typed: string): number {
  const [low, part] = [name.toLowerCase(), typed.toLowerCase()];
  if (low.startsWith(part)) return 0;
  const at = low.indexOf(part);
  if (at < 0) return -1;
  return /[_:.-]/.test(low[at - 1] ?? '') ? 1 : 2;
}

function candidates({ kind }: Place, known: Known): Suggestion[] {
  if (kind === 'value') return known.values.map((text) => ({ text, kind: 'value', detail: '' }));
  if (kind === 'label' || kind === 'grouping') return known.labels.map((text) => ({ text, kind: 'label', detail: '' }));
  if (kind === 'duration') return DURATIONS.map((text) => ({ text, kind: 'duration', detail: '' }));
  if (kind !== 'metric') return [];
  const called = (words: Record<string, string>, kind: Suggestion['kind']): Suggestion[] => Object.entries(words).map(([text, shape]) => ({ text, kind, detail: `${text}(${shape})` }));
  return [
    ...called(AGGREGATIONS, 'aggregation'),
    ...called(FUNCTIONS, 'function'),
    ...WORDS.map((text): Suggestion => ({ text, kind: 'word', detail: '' })),
    ...[...known.metrics].map(([text, detail]): Suggestion => ({ text, kind: 'metric', detail })),
  ];
}

export function suggestions(place: Place, known: Known): Suggestion[] {
  const typed = place.kind === 'value' && place.quote === '' ? '' : place.typed;
  return candidates(place, known)
    .map((suggestion) => ({ suggestion, rank: rank(suggestion.text, typed) }))
    .filter((one) => one.rank >= 0)
    .sort((a, b) => a.rank - b.rank || a.suggestion.text.length - b.suggestion.text.length || (a.suggestion.text < b.suggestion.text ? -1 : 1))
    .slice(0, MOST)
    .map(({ suggestion }) => suggestion);
}

const escaped = (value: string, quote: string): string => (quote === '`' ? value : value.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`).replaceAll('\n', '\\n'));

/** The expression with `suggestion` at `place`, and where the caret stands then. */
export function accepted(text: string, place: Place, suggestion: Suggestion): { text: string; caret: number } {
  const rest = text.slice(place.to);
  let word = suggestion.text;
  if (suggestion.kind === 'function' || suggestion.kind === 'aggregation') word += rest.startsWith('(') ? '' : '(';
  else if (suggestion.kind === 'word') word += rest.startsWith(' ') ? '' : ' ';
  else if (suggestion.kind === 'label' && place.kind === 'label') word += /^\s*(=|!)/.test(rest) ? '' : '="';
  else if (suggestion.kind === 'value') {
    const quote = place.quote || '"';
    word = `${place.quote ? '' : quote}${escaped(word, quote)}${rest.startsWith(quote) ? '' : quote}`;
  }
  const caret = place.from + word.length + (suggestion.kind === 'value' && rest.startsWith(place.quote || '"') ? 1 : 0);
  return { text: text.slice(0, place.from) + word + rest, caret };
}
