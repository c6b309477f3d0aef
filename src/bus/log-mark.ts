/** Where the writer tells, through all nodes of a Cluster, how far the log is complete. */
export const LOG_MARK_CHANNEL = 'history:mark';

/**
 * All entries up to `offset` have been published: what a node sends after this has a higher one, provided that one listens where
 * they are published.
 */
export type LogMark = { readonly offset: number; readonly places: readonly LogPlace[] };

/**
 * To which node the writer has written the logs of a slot. Told when it is another than before: who listened elsewhere has
 * missed something, or gets it by a way on which a mark may overtake it.
 *
 * - `first`: this writer had not written them before;
 * - `moved`: it had, to another node;
 * - `ahead`: to the node to which the slot is just moving, and where nobody can listen yet.
 */
export type LogPlace = readonly [slot: number, address: string, how: 'first' | 'moved' | 'ahead'];

export function encodeLogMark(mark: LogMark): string {
  return JSON.stringify(mark);
}

/** `null` where the text is no mark. */
export function decodeLogMark(text: string): LogMark | null {
  try {
    const mark = JSON.parse(text) as Partial<LogMark> | null;
    if (mark === null || !Number.isSafeInteger(mark.offset) || !Array.isArray(mark.places)) return null;
    return mark as LogMark;
  } catch {
    return null;
  }
}

/** How far all logs are complete, as the writer keeps it for who reads; and the ids of the nodes on which they are whole. */
export type KeptLogEnd = { readonly offset: number; readonly nodes: readonly string[] };

export function encodeLogEnd({ offset, nodes }: KeptLogEnd): string {
  return [offset, ...nodes].join(' ');
}

export function decodeLogEnd(text: string): KeptLogEnd {
  const [offset, ...nodes] = text.split(' ');
  return { offset: Number(offset) || 0, nodes };
}
