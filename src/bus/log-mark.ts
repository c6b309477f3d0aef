/** Where the writer tells, through all nodes of a Cluster, how far the log is complete. */
export const LOG_MARK_CHANNEL = 'history:mark';

/**
 * All entries up to `offset` have been published: what a node sends after this has a higher one. Those of `detours` were published
 * where nobody listens yet: at the node to which their slot is just moving.
 */
export type LogMark = { readonly offset: number; readonly detours: readonly number[] };

export function encodeLogMark({ offset, detours }: LogMark): string {
  return [offset, ...detours].join(' ');
}

/** `null` where the text is no mark. */
export function decodeLogMark(text: string): LogMark | null {
  const [offset, ...detours] = text.split(' ').map(Number);
  return offset !== undefined && [offset, ...detours].every(Number.isSafeInteger) ? { offset, detours } : null;
}
