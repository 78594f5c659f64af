import { expect, test } from 'vitest';
import { treemap } from './treemap';

test.each([[[6, 6, 4, 3, 2, 2, 1]], [[1]], [[1, 1000, 1]], [Array.from({ length: 120 }, (_, index) => 1 + (index % 7))]])('areas are in proportion, inside, and fill it: %j', (weights) => {
  const boxes = treemap(weights, 600, 400);
  const total = weights.reduce((a, b) => a + b);
  boxes.forEach(({ x, y, width, height }, index) => {
    expect(width * height).toBeCloseTo(((weights[index] ?? 0) / total) * 240_000, 3);
    expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(600.001);
    expect(y + height).toBeLessThanOrEqual(400.001);
  });
});

test('nothing to share is no box', () => {
  expect(treemap([], 10, 10)).toEqual([]);
  expect(treemap([1], 0, 10)).toEqual([{ x: 0, y: 0, width: 0, height: 0 }]);
});
