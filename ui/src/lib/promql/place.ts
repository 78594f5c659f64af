// What may stand where the caret is in a PromQL expression. It knows no series.
import { GROUPINGS } from './functions';

export interface Place {
  kind: 'metric' | 'label' | 'value' | 'grouping' | 'duration' | 'none';
  /** What is replaced: what was typed of the word, and its rest behind the caret. */
  from: number;
  to: number;
  typed: string;
  /** Of the selector that the caret is in. */
  metric: string;
  label: string;
  /** The quotation mark that a value is in; empty where it has none yet. */
  quote: string;
}

const WORD = /[A-Za-z0-9_:]/;

function wordBefore(text: string, end: number): string {
  return /[A-Za-z_:][A-Za-z0-9_:]*$/.exec(text.slice(0, end).trimEnd())?.[0] ?? '';
}

/** Index behind the string that begins at `start`; null where it does not end before `limit`. */
function stringEnd(text: string, start: number, limit: number): number | null {
  const quote = text[start];
  for (let at = start + 1; at < limit; at += 1) {
    if (text[at] === '\\' && quote !== '`') at += 1;
    else if (text[at] === quote) return at + 1;
  }
  return null;
}

/** The label whose matcher ends right before `end`, as in `{pod=`; empty for none. */
const matcherBefore = (text: string, start: number, end: number): string => /([A-Za-z_][A-Za-z0-9_]*)\s*(?:=~|!~|!=|=)\s*$/.exec(text.slice(start, end))?.[1] ?? '';

export function placeAt(text: string, caret: number): Place {
  const open: { sign: string; at: number; word: string }[] = [];
  let string: number | null = null;
  for (let at = 0; at < caret; ) {
    const sign = text[at] ?? '';
    if (sign === '"' || sign === "'" || sign === '`') {
      const end = stringEnd(text, at, caret);
      if (end === null) {
        string = at;
        break;
      }
      at = end;
      continue;
    }
    if (sign === '#') {
      const end = text.indexOf('\n', at);
      if (end < 0 || end >= caret) return { kind: 'none', from: caret, to: caret, typed: '', metric: '', label: '', quote: '' };
      at = end;
    } else if ('({['.includes(sign)) open.push({ sign, at, word: wordBefore(text, at) });
    else if (')}]'.includes(sign)) open.pop();
    at += 1;
  }
  const top = open.at(-1);
  const metric = top?.sign === '{' ? top.word : '';
  if (string !== null) {
    const quote = text[string] ?? '';
    const label = top?.sign === '{' ? matcherBefore(text, top.at, string) : '';
    const end = stringEnd(text, string, text.length);
    // A value whose string ends further on is replaced up to its end, unless that is another line's.
    const rest = end !== null && !text.slice(caret, end).includes('\n') && !/[{},]/.test(text.slice(caret, end - 1)) ? end - 1 : caret;
    return { kind: label ? 'value' : 'none', from: string + 1, to: rest, typed: text.slice(string + 1, caret), metric, label, quote };
  }
  let from = caret;
  while (from > 0 && WORD.test(text[from - 1] ?? '')) from -= 1;
  let to = caret;
  while (to < text.length && WORD.test(text[to] ?? '')) to += 1;
  const found: Place = { kind: 'metric', from, to, typed: text.slice(from, caret), metric, label: '', quote: '' };
  if (top?.sign === '[') return { ...found, kind: 'duration' };
  if (top?.sign === '{') {
    const label = matcherBefore(text, top.at, from);
    return label ? { ...found, kind: 'value', label } : { ...found, kind: 'label' };
  }
  if (top?.sign === '(' && GROUPINGS.includes(top.word.toLowerCase())) return { ...found, kind: 'grouping' };
  if (/\boffset\s*-?\s*$/i.test(text.slice(0, from))) return { ...found, kind: 'duration' };
  // A number is no beginning of a name, and a string or selector is not followed by one.
  if (/^\d/.test(found.typed) || /[}\])"'`]$/.test(text.slice(0, from))) return { ...found, kind: 'none' };
  return found;
}

/** Names in an expression that may be metrics, in their order. */
export function namesIn(text: string): string[] {
  const plain = text.replaceAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|#.*/g, '""').replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, ' ');
  return [...new Set(plain.match(/(?<![\w:.])[A-Za-z_:][\w:]*/g) ?? [])];
}
