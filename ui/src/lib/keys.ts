// Keyboard shortcuts of the whole dashboard. It knows keys, not what they do.

export interface Actions {
  palette: () => void;
  help: () => void;
  escape: () => void;
  /** `g` and a letter; false where no page has that letter. */
  goto: (letter: string) => boolean;
  time: () => void;
  earlier: () => void;
  later: () => void;
  zoomOut: () => void;
  refresh: () => void;
  search: () => void;
  pause: () => void;
  /** To the next row, or the one before. */
  row: (step: 1 | -1) => void;
  /** A part of the page by its letter; false where the page has none. */
  part: (letter: string) => boolean;
}

/** After `g` the letter has to follow within this time. */
const SECOND_KEY_MS = 1_500;

const writes = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Begins to listen; the answer ends it. */
export function listen(actions: Actions): () => void {
  let waiting = 0;
  const plain: Record<string, () => void> = {
    '?': actions.help,
    '/': actions.search,
    t: actions.time,
    '[': actions.earlier,
    ']': actions.later,
    z: actions.zoomOut,
    r: actions.refresh,
    ' ': actions.pause,
    j: () => actions.row(1),
    k: () => actions.row(-1),
  };
  const press = (event: KeyboardEvent): void => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      actions.palette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === 'Escape') actions.escape();
    if (writes(event.target)) return;
    // A dialog and a button have keys of their own.
    if (event.target instanceof Element && (event.target.closest('dialog') || (event.key === ' ' && event.target !== document.body))) return;
    if (Date.now() < waiting) {
      waiting = 0;
      if (actions.goto(event.key)) event.preventDefault();
      return;
    }
    if (event.key === 'g') {
      waiting = Date.now() + SECOND_KEY_MS;
      return;
    }
    if (/^[lsye]$/.test(event.key) && actions.part(event.key)) {
      event.preventDefault();
      return;
    }
    const action = plain[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}
