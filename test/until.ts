import { expect } from 'vitest';

/**
 * Resolves with what `assertion` returns once it holds; rejects with its last failure where it does not within the deadline that all
 * tests share, in vitest.config.ts.
 */
export async function until<T>(assertion: () => T): Promise<Awaited<T>> {
  let result: Awaited<T>;
  await expect
    .poll(async () => {
      result = await assertion();
      return true;
    })
    .toBe(true);
  return result!;
}
