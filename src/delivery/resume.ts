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
 * All entries of the logs after a position, in the order of the log.
 * @throws {ClientError} HISTORY_EXPIRED where a log was cut by its size after that position
 */
export async function readResumed(bus: Bus, keys: readonly LogKey[], after: LogPosition): Promise<LogEntry[]> {
  const parts = await Promise.all(
    keys.map(async (key) => {
      const [[oldest], entries] = await Promise.all([
        bus.readHistory(key, { after: -1, limit: 1 }),
        bus.readHistory(key, { after: after.offset }),
      ]);
      // Cut by age, a log has lost only what is older than the position; cut by size, it may have lost what came after.
      if (oldest !== undefined && oldest.offset > after.offset && entries.length >= bus.maxHistoryEntries) {
        throw expired(`The history of ${key.symbol} no longer reaches back to this cursor.`, {
          epoch: oldest.epoch,
          offset: oldest.offset - 1,
        });
      }
      return entries;
    }),
  );
  return parts.flat().toSorted((a, b) => a.offset - b.offset);
}

function expired(message: string, oldest: LogPosition): ClientError {
  return new ClientError('HISTORY_EXPIRED', message, { oldestCursor: encodeCursor(oldest) });
}
