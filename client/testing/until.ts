import { inject, vi } from 'vitest';

declare module 'vitest' {
  export interface ProvidedContext {
    readonly deadlineMs: number;
  }
}

/**
 * Resolves with what `assertion` returns once it holds; rejects with its last failure where it does not within the deadline that all
 * tests share (test/deadline.ts). Other than `expect.poll` it may be used in a hook as well.
 */
export function until<T>(assertion: () => T): Promise<Awaited<T>> {
  // oxlint-disable-next-line waiting/one-deadline -- here is where it gets the deadline that all tests share
  return vi.waitFor(async (): Promise<Awaited<T>> => await assertion(), {
    timeout: inject('deadlineMs'),
    interval: 10,
  });
}
