/** What this browser remembers of the page, each by a name and the version of its shape. */
export type Memory = { readonly name: string; readonly version: number };

/**
 * What was remembered, or `null`: where there is nothing, where it has the shape of another version or is broken, and where
 * the browser keeps nothing. `parse` returns `null` for what it does not know.
 */
export function recall<T>({ name, version }: Memory, parse: (value: unknown) => T | null): T | null {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(toKey(name)) ?? 'null');
    if (typeof kept !== 'object' || kept === null || !('version' in kept) || !('value' in kept)) return null;
    return kept.version === version ? parse(kept.value) : null;
  } catch {
    return null;
  }
}

/** Where the browser keeps nothing (a private window, a full disk), the page goes on without. */
export function remember({ name, version }: Memory, value: unknown): void {
  try {
    localStorage.setItem(toKey(name), JSON.stringify({ version, value }));
  } catch {
    // As said.
  }
}

function toKey(name: string): string {
  return `tapeql:${name}`;
}
