/**
 * Events that some reader did not take in the turn in which they came: only they are asked for once more when others have come
 * after them. Nearly none is, so that a note of these costs less than a memory of all.
 */
const late = new WeakSet<object>();

export function noteLate(event: unknown): void {
  if (typeof event === 'object' && event !== null) late.add(event);
}

export function isLate(event: object): boolean {
  return late.has(event);
}
