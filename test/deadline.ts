/**
 * How long a test waits for an event before it fails, whatever it waits by: long enough for a slow machine on which much else runs. A
 * test that passes never waits so long.
 */
export const DEADLINE_MS = 90_000;
