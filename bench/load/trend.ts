/** The line through points (least squares): its height at the first of them, and by how much it rises until the last. */
export function growthOf(points: readonly (readonly [x: number, y: number])[]): {
  readonly first: number;
  readonly change: number;
} {
  const count = points.length;
  if (count === 0) return { first: Number.NaN, change: Number.NaN };
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = spread === 0 ? 0 : points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  const [from] = points[0]!;
  const [to] = points[count - 1]!;
  return { first: meanY + slope * (from - meanX), change: slope * (to - from) };
}
