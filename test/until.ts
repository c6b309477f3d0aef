import { vi } from 'vitest';

/** Resolves once the assertion holds; with its last failure where it does not in ten seconds. */
export function until(assertion: () => unknown): Promise<unknown> {
  return vi.waitFor(assertion, { timeout: 10_000, interval: 5 });
}
