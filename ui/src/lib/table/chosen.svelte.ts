// Which columns of a list are hidden; the browser remembers it for each list.
const key = (list: string): string => `taffrail.columns.${list}`;

function stored(list: string): string[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key(list)) ?? '[]');
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

export class Hidden {
  readonly #list: string;
  #keys = $state.raw<ReadonlySet<string>>(new Set());

  constructor(list: string) {
    this.#list = list;
    this.#keys = new Set(stored(list));
  }

  has(column: string): boolean {
    return this.#keys.has(column);
  }

  toggle(column: string): void {
    const next = new Set(this.#keys);
    if (!next.delete(column)) next.add(column);
    this.#keys = next;
    try {
      localStorage.setItem(key(this.#list), JSON.stringify([...next]));
    } catch {
      // A browser without storage keeps the choice until the page is closed.
    }
  }
}
