import type { Bus, LogEntry, LogKey } from '../bus/bus.ts';
import { ClientError } from '../errors.ts';
import { encodeCursor, type LogPosition, OFFSETS_PER_MS } from '../market/log.ts';

/** The bus keeps the log for this much longer than is promised, so that the oldest cursor that was told can still be used. */
export const RESUME_GRACE_MS = 10_000;

/**
 * Whether the log still reaches back to `after`.
 * @throws {ClientError} HISTORY_EXPIRED with `oldestCursor`, from which a reader can go on
 */
export function checkResume(after: LogPosition, log: { epoch: string; oldestMs: number }): void {
  const oldest = Math.floor(log.oldestMs) * OFFSETS_PER_MS;
  if (after.epoch === log.epoch && after.offset >= oldest - RESUME_GRACE_MS * OFFSETS_PER_MS) return;
  throw expired(
    after.epoch === log.epoch
      ? 'The log no longer reaches back to this cursor.'
      : 'The log was lost since this cursor was given.',
    { epoch: log.epoch, offset: oldest },
  );
}

/**
 * All entries of the logs after a position, in the order of the log. `oldestMs`: how far back resuming is promised.
 * @throws {ClientError} HISTORY_EXPIRED where one of the logs has lost entries after that position
 */
export async function readResumed(
  bus: Bus,
  keys: readonly LogKey[],
  after: LogPosition,
  oldestMs: number,
): Promise<LogEntry[]> {
  const parts = await Promise.all(keys.map((key) => bus.readHistory(key, { after: after.offset })));
  // Asked after reading: what was cut off meanwhile is among what was read, or counts as lost.
  const floors = await bus.readHistoryFloors(keys);
  const floor = Math.max(...floors);
  if (floor > after.offset) {
    const { symbol } = keys[floors.indexOf(floor)]!;
    throw expired(`The history of ${symbol} no longer reaches back to this cursor.`, {
      epoch: after.epoch,
      // What was cut off by age just now is told like any that is too old: by a cursor that stays good for a while.
      offset: Math.max(floor, Math.floor(oldestMs) * OFFSETS_PER_MS),
    });
  }
  return parts.flat().toSorted((a, b) => a.offset - b.offset);
}

function expired(message: string, oldest: LogPosition): ClientError {
  return new ClientError('HISTORY_EXPIRED', message, { oldestCursor: encodeCursor(oldest) });
}
