// A terminal's connection: Kubernetes' `v5.channel.k8s.io` over a WebSocket, and v4 where that is
// what the API server speaks. The first byte of a message names its channel.
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const RESIZE = 4;
/** What waits to be sent may not grow beyond this; more typing is left out. */
const MOST_WAITING = 1 << 20;

interface Listener {
  opened: () => void;
  output: (bytes: Uint8Array) => void;
  /** Why; empty when it ended well. */
  ended: (why: string) => void;
}

export class Channel {
  #socket: WebSocket;
  #why = '';
  #known = false;

  constructor(url: URL, listener: Listener) {
    this.#socket = new WebSocket(url, ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => listener.opened();
    this.#socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      const bytes = new Uint8Array(data);
      const rest = bytes.subarray(1);
      if (bytes[0] === STDOUT || bytes[0] === STDERR) listener.output(rest);
      else if (bytes[0] === STATUS) this.#status(new TextDecoder().decode(rest));
    };
    this.#socket.onclose = ({ code, reason }) => listener.ended(this.#known ? this.#why : reason || (code === 1000 ? '' : String(code)));
  }

  #status(text: string): void {
    this.#known = true;
    try {
      const status = JSON.parse(text) as { status?: string; message?: string };
      this.#why = status.status === 'Success' ? '' : (status.message ?? status.status ?? '');
    } catch {
      this.#why = text;
    }
  }

  send(text: string): void {
    this.#write(STDIN, new TextEncoder().encode(text));
  }

  resize(columns: number, rows: number): void {
    this.#write(RESIZE, new TextEncoder().encode(JSON.stringify({ Width: columns, Height: rows })));
  }

  close(): void {
    this.#socket.onclose = null;
    this.#socket.close();
  }

  #write(channel: number, bytes: Uint8Array): void {
    if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > MOST_WAITING) return;
    const message = new Uint8Array(bytes.length + 1);
    message[0] = channel;
    message.set(bytes, 1);
    this.#socket.send(message);
  }
}
