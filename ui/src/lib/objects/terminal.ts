// xterm.js on a page whose policy allows no inline styles: the style sheets that it would put into
// the page are adopted by the document instead, which the policy does not forbid.
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';

const SCROLLBACK = 5000;

export interface Screen {
  write: (bytes: Uint8Array) => void;
  typed: (take: (text: string) => void) => void;
  resized: (take: (columns: number, rows: number) => void) => void;
  columns: () => number;
  rows: () => number;
  focus: () => void;
  dispose: () => void;
}

export function terminal(place: HTMLElement, dark: boolean): Screen {
  const sheets: CSSStyleSheet[] = [];
  const style = (): HTMLElement => {
    const sheet = new CSSStyleSheet();
    sheets.push(sheet);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const stand = document.createElement('span');
    stand.hidden = true;
    Object.defineProperty(stand, 'textContent', { set: (text: string) => sheet.replaceSync(text) });
    Object.defineProperty(stand, 'sheet', { value: sheet });
    return stand;
  };
  const create = document.createElement;
  const colours = dark ? { background: '#0b0f14', foreground: '#e6ebf1' } : { background: '#10151b', foreground: '#e6ebf1' };
  const xterm = new Terminal({ scrollback: SCROLLBACK, fontSize: 13, cursorBlink: false, screenReaderMode: true, theme: colours });
  // Tab is the container's; this leaves the terminal.
  xterm.attachCustomKeyEventHandler((event) => {
    if (!(event.shiftKey && event.key === 'F6')) return true;
    if (event.type === 'keydown') document.querySelector<HTMLElement>('main a')?.focus();
    return false;
  });
  const fit = new FitAddon();
  xterm.loadAddon(fit);
  // xterm.js has no way to be told where its style sheets go; it makes them all while it opens.
  document.createElement = ((name: string, options?: ElementCreationOptions) => (name === 'style' ? style() : create.call(document, name, options))) as typeof document.createElement;
  try {
    xterm.open(place);
  } finally {
    document.createElement = create;
  }
  fit.fit();
  const watcher = new ResizeObserver(() => fit.fit());
  watcher.observe(place);
  return {
    write: (bytes) => xterm.write(bytes),
    typed: (take) => void xterm.onData(take),
    resized: (take) => void xterm.onResize(({ cols, rows }) => take(cols, rows)),
    columns: () => xterm.cols,
    rows: () => xterm.rows,
    focus: () => xterm.focus(),
    dispose: () => {
      watcher.disconnect();
      xterm.dispose();
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => !sheets.includes(sheet));
    },
  };
}
