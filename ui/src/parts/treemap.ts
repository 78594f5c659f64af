// Rectangles inside a rectangle, their areas in proportion, as square as it goes. Pure.
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** One box for each weight, in their order; weights are positive. */
export function treemap(weights: number[], width: number, height: number): Box[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const boxes: Box[] = weights.map(() => ({ x: 0, y: 0, width: 0, height: 0 }));
  if (!(total > 0) || width <= 0 || height <= 0) return boxes;
  const scale = (width * height) / total;
  const order = weights.map((weight, index) => ({ index, area: weight * scale })).sort((a, b) => b.area - a.area || a.index - b.index);
  const free = { x: 0, y: 0, width, height };
  let at = 0;
  while (at < order.length) {
    const side = Math.min(free.width, free.height);
    let end = at + 1;
    let sum = order[at]?.area ?? 0;
    let worst = ratio(sum, order[at]?.area ?? 0, order[at]?.area ?? 0, side);
    while (end < order.length) {
      const area = order[end]?.area ?? 0;
      const next = ratio(sum + area, order[at]?.area ?? 0, area, side);
      if (next > worst) break;
      worst = next;
      sum += area;
      end += 1;
    }
    lay(order.slice(at, end), sum, free, boxes);
    at = end;
  }
  return boxes;
}

/** How far from square the worst box of a row is. */
function ratio(sum: number, largest: number, smallest: number, side: number): number {
  const square = side * side;
  return Math.max((square * largest) / (sum * sum), (sum * sum) / (square * Math.max(smallest, 1e-12)));
}

/** Puts a row along the shorter side of what is free, and takes its room away. */
function lay(row: { index: number; area: number }[], sum: number, free: Box, boxes: Box[]): void {
  const wide = free.width >= free.height;
  const side = wide ? free.height : free.width;
  const thick = side > 0 ? sum / side : 0;
  let offset = 0;
  for (const { index, area } of row) {
    const length = thick > 0 ? area / thick : 0;
    boxes[index] = wide ? { x: free.x, y: free.y + offset, width: thick, height: length } : { x: free.x + offset, y: free.y, width: length, height: thick };
    offset += length;
  }
  if (wide) Object.assign(free, { x: free.x + thick, width: Math.max(0, free.width - thick) });
  else Object.assign(free, { y: free.y + thick, height: Math.max(0, free.height - thick) });
}
