// Who is signed in, and whether somebody has to.
import { base } from '../base';
import { door, PREFIX, request } from '../api/client';

export interface Person {
  name: string;
  groups: string[];
  /** Whoever runs the server, not somebody who signed in. */
  own: boolean;
  ends: number | null;
}

export interface SessionInfo {
  login: boolean;
  ways: ('token' | 'certificate' | 'kubeconfig' | 'oidc')[];
  readOnly: boolean;
  /** Whether there is an API server. */
  cluster: boolean;
  user: Person | null;
  csrf: string | null;
  /** Those that may be seen; null for all. */
  namespaces: string[] | null;
  /** Whether nodes may be seen. */
  nodes: boolean;
  /** Whether nothing is hidden. */
  whole: boolean;
}

class Session {
  info = $state.raw<SessionInfo | null>(null);
  /** Nobody is known, and somebody has to be. */
  readonly locked: boolean = $derived(this.info !== null && this.info.login && this.info.user === null);

  /** Somebody was signed in, and no longer is. */
  ended = $state(false);
  /** Whether it is known who asks, or that nobody says it. */
  known = $state(false);
  readonly whole: boolean = $derived(this.info?.whole ?? true);
  readonly nodes: boolean = $derived(this.info?.nodes ?? true);

  constructor() {
    door.closed = () => void this.load().catch(() => undefined);
  }

  async load(): Promise<void> {
    try {
      this.#take(await request<SessionInfo>('session', {}));
    } finally {
      this.known = true;
    }
  }

  async signIn(shown: Record<string, string>): Promise<void> {
    this.#take(await request<SessionInfo>('session', { method: 'POST', body: { ...shown, path: base.pathname } }));
  }

  async signOut(): Promise<void> {
    await request('session', { method: 'DELETE' }).catch(() => undefined);
    location.assign(base);
  }

  /** Where the identity provider is asked. */
  oidc(page: string): string {
    const url = new URL(`${PREFIX}session/oidc`, base);
    url.searchParams.set('path', base.pathname);
    url.searchParams.set('page', page);
    return url.href;
  }

  #take(info: SessionInfo): void {
    if (this.info?.user && !this.info.user.own && info.user === null) this.ended = true;
    if (info.user) this.ended = false;
    this.info = info;
    door.csrf = info.csrf ?? '';
  }
}

export const session = new Session();
