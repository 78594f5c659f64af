// What changed between two texts, line by line, with some lines around each change.
export interface Change {
  sign: '+' | '-' | ' ';
  text: string;
}

/** Lines shown before and after a change. */
const AROUND = 3;
/** Beyond so many lines between what is common at both ends, all of it counts as changed. */
const MOST = 2000;

export function changed(before: string, after: string): Change[] {
  const left = before.split('\n');
  const right = after.split('\n');
  let begin = 0;
  while (begin < left.length && begin < right.length && left[begin] === right[begin]) begin += 1;
  let end = 0;
  while (end < left.length - begin && end < right.length - begin && left[left.length - 1 - end] === right[right.length - 1 - end]) end += 1;
  const middle = between(left.slice(begin, left.length - end), right.slice(begin, right.length - end));
  if (middle.length === 0) return [];
  const same = (text: string): Change => ({ sign: ' ', text });
  const whole = [...left.slice(0, begin).map(same), ...middle, ...left.slice(left.length - end).map(same)];
  const near = (index: number): boolean => whole.slice(Math.max(0, index - AROUND), index + AROUND + 1).some(({ sign }) => sign !== ' ');
  return whole.filter((_, index) => near(index));
}

/** The longest common subsequence, by the usual table. */
function between(left: string[], right: string[]): Change[] {
  const gone = left.map((text): Change => ({ sign: '-', text }));
  const come = right.map((text): Change => ({ sign: '+', text }));
  if (left.length > MOST || right.length > MOST) return [...gone, ...come];
  const width = right.length + 1;
  const lengths = new Uint16Array((left.length + 1) * width);
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0;
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      lengths[row * width + column] = left[row] === right[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const found: Change[] = [];
  let row = 0;
  let column = 0;
  while (row < left.length && column < right.length) {
    if (left[row] === right[column]) {
      found.push({ sign: ' ', text: left[row]! });
      row += 1;
      column += 1;
    } else if (at(row + 1, column) >= at(row, column + 1)) {
      found.push(gone[row]!);
      row += 1;
    } else {
      found.push(come[column]!);
      column += 1;
    }
  }
  return [...found, ...gone.slice(row), ...come.slice(column)];
}
