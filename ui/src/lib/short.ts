// Text of others may be a MiB long: a page shows its beginning.
const MOST = 400;

export const short = (text: string, most = MOST): string => (text.length > most ? `${text.slice(0, most)}…` : text);
