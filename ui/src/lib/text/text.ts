// The catalogue in use: chosen before the application starts, so that `t` is a constant for every
// component. Another language is another file like en.ts and a line in LANGUAGES.
import { en, type Catalogue } from './en';

/** Code and own name. */
export const LANGUAGES: [string, string][] = [
  ['en', 'English'],
  ['zh', '简体中文'],
];

const KEY = 'taffrail.language';

function preferred(): string {
  try {
    const stored = localStorage.getItem(KEY);
    if (stored && LANGUAGES.some(([code]) => code === stored)) return stored;
  } catch {
    // A browser without storage is asked for its own language.
  }
  const spoken = globalThis.navigator?.languages ?? [];
  const known = spoken.map((tag) => tag.slice(0, 2).toLowerCase()).find((code) => LANGUAGES.some(([one]) => one === code));
  return known ?? 'en';
}

/** Other languages than English are loaded when they are spoken. */
async function catalogue(): Promise<Catalogue> {
  if (preferred() !== 'zh') return en;
  return import('./zh').then(
    ({ zh }) => zh,
    () => en,
  );
}

export const t: Catalogue = await catalogue();

if (globalThis.document) document.documentElement.lang = t.language === 'zh' ? 'zh-Hans' : t.language;

/** Remembers the language and starts the dashboard anew in it. */
export function chooseLanguage(code: string): void {
  try {
    localStorage.setItem(KEY, code);
  } catch {
    return;
  }
  location.reload();
}
