// Light or dark: as the system says, or as the person chose. Colours themselves are in app.css.
export type Choice = 'auto' | 'light' | 'dark';

const KEY = 'taffrail.theme';

function stored(): Choice {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'auto';
  } catch {
    return 'auto';
  }
}

class Theme {
  choice = $state<Choice>(stored());
  #system = matchMedia('(prefers-color-scheme: dark)');
  #systemDark = $state(this.#system.matches);
  readonly applied: 'light' | 'dark' = $derived(this.choice === 'auto' ? (this.#systemDark ? 'dark' : 'light') : this.choice);

  constructor() {
    this.#system.addEventListener('change', (event) => {
      this.#systemDark = event.matches;
      this.#apply();
    });
    this.#apply();
  }

  choose(choice: Choice): void {
    this.choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // A browser without storage keeps the choice until the page is closed.
    }
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset['theme'] = this.applied;
  }
}

export const theme = new Theme();
