// Colours and dashes of many lines: stable by name, told apart without colour too.
const COLOURS = ['--line-blue', '--line-amber', '--line-green', '--line-purple', '--line-red', '--line-sky', '--line-grey'];
const DASHES: number[][] = [[], [8, 4], [2, 3], [9, 3, 2, 3], [5, 4]];

function hashed(text: string): number {
  let hash = 2166136261;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619);
  return hash >>> 0;
}

export interface Looks {
  colour: string;
  dash: number[];
}

/** One look for each name; a name keeps its colour while no other of the list has it. */
export function looksOf(names: string[]): Looks[] {
  const taken = new Set<number>();
  const all = COLOURS.length * DASHES.length;
  return names.map((name) => {
    let place = hashed(name) % COLOURS.length;
    for (let tried = 0; tried < all && taken.has(place); tried += 1) place = (place + 1) % all;
    taken.add(place);
    return { colour: COLOURS[place % COLOURS.length] ?? '', dash: DASHES[Math.floor(place / COLOURS.length)] ?? [] };
  });
}
