/**
 * Where an entry stands in the event log. `offset` orders the entries of all symbols and kinds within one `epoch`;
 * it grows but is not contiguous, and follows the writer's clock (milliseconds × 1024 + counter), so that a span of
 * time is a span of offsets. A new epoch begins where the log was lost; offsets of two epochs do not compare.
 */
export type LogPosition = {
  readonly epoch: string;
  readonly offset: number;
};

/** An epoch's name begins with the time (Unix ms) at which it began. */
const EPOCH_TIME = /^\d{13}(?=-)/;

/** Whether one epoch began after another; `false` where a name does not say when it began. */
export function isLaterEpoch(epoch: string, than: string): boolean {
  const [later, earlier] = [EPOCH_TIME.exec(epoch), EPOCH_TIME.exec(than)];
  return later !== null && earlier !== null && later[0] > earlier[0];
}

/** How many entries a millisecond of offsets holds before the numbering runs ahead of the clock. */
export const OFFSETS_PER_MS = 1024;

/** The opaque text that clients hold: base64url of `epoch:offset`. */
export function encodeCursor(position: LogPosition): string {
  return Buffer.from(`${position.epoch}:${position.offset}`).toString('base64url');
}

/** The inverse of {@link encodeCursor}; `null` where the text is no cursor of ours. */
export function decodeCursor(cursor: string): LogPosition | null {
  if (!/^[\w-]{1,128}$/.test(cursor)) return null;
  const match = /^([\w-]{1,64}):(0|[1-9]\d{0,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (match === null) return null;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset) ? { epoch: match[1]!, offset } : null;
}
