import { vi } from 'vitest';

/** Waits until the check holds: patiently, for a busy machine, and looking often, for a quick suite. */
export function until(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 2 });
}
