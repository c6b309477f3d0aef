import { ClientError } from '../errors.ts';
import { decodeCursor, encodeCursor, type LogPosition, OFFSETS_PER_MS } from '../market/log.ts';

/** The bus keeps the log for this much longer than is promised, so that the oldest cursor that was told can still be used. */
export const RESUME_GRACE_MS = 10_000;

/**
 * A cursor may be ahead of this process by so much: offsets follow the clock of Redis, which may be another than that of this host, and a
 * cursor of one symbol may be used for another one, whose log ends before it.
 */
const CLOCK_DIFFERENCE_MS = 60_000;

/** The places, other than a field's argument, where a client can say after which cursor it wants to go on. */
export type ResumeRequest = {
  /** `extensions` of the operation: those of the subscribe payload, or of the HTTP request. */
  readonly extensions?: unknown;
  /** What an EventSource sends by itself when it reconnects. */
  readonly lastEventId?: string | null;
};

/** Where one operation asks to go on in the log. A state has no place: it does not look at it. */
export class ResumePoint {
  readonly #request: ResumeRequest;

  constructor(request: ResumeRequest) {
    this.#request = request;
  }

  /**
   * The first that is given of the field's argument, `extensions.resumeFrom` and `Last-Event-ID`; `null`: none is.
   * @throws {ClientError} BAD_USER_INPUT with `argument` where one of them is no cursor, also one that is not the first
   */
  choose(after: LogPosition | null | undefined): LogPosition | null {
    const { extensions, lastEventId } = this.#request;
    const resumeFrom =
      typeof extensions === 'object' && extensions !== null ? Reflect.get(extensions, 'resumeFrom') : null;
    const fromExtensions = resumeFrom == null ? null : parse('extensions.resumeFrom', resumeFrom);
    const fromHeader = lastEventId ? parse('Last-Event-ID', lastEventId) : null;
    return after ?? fromExtensions ?? fromHeader;
  }
}

function parse(name: string, value: unknown): LogPosition {
  const position = typeof value === 'string' ? decodeCursor(value) : null;
  if (position !== null) return position;
  throw new ClientError('BAD_USER_INPUT', `"${name}": this is no cursor of this service`, { argument: name });
}

/**
 * Whether the log still reaches back to `after`. `oldestMs`: how far back resuming is promised, in Unix ms.
 * @throws {ClientError} HISTORY_EXPIRED with `oldestCursor`, from which a reader can go on
 */
export function checkResume(after: LogPosition, log: { epoch: string; oldestMs: number }): void {
  const oldest = Math.floor(log.oldestMs) * OFFSETS_PER_MS;
  if (after.epoch === log.epoch && after.offset >= oldest - RESUME_GRACE_MS * OFFSETS_PER_MS) return;
  throw expired(
    after.epoch === log.epoch
      ? 'The log no longer reaches back to this cursor.'
      : 'The log was lost since this cursor was given.',
    // Offsets follow the writer's clock in every epoch: what the reader has already had is not given to it again.
    { ...log, floor: after.offset },
  );
}

/**
 * Whether the log has reached `after`, which a reader says to have. Nothing would be told of a place in the future until the log comes
 * there, and all entries before it would be left out. `newest`: the offset of the newest entry of what is asked for.
 * @throws {ClientError} HISTORY_EXPIRED with `oldestCursor`, as for every other cursor that is no place of this log
 */
export function checkReached(
  after: LogPosition,
  log: { readonly epoch: string; readonly newest: number; readonly oldestMs: number; readonly nowMs: number },
): void {
  const reached = Math.max(log.newest, Math.ceil(log.nowMs + CLOCK_DIFFERENCE_MS) * OFFSETS_PER_MS);
  if (after.offset <= reached) return;
  throw expired('The log has not reached this cursor: it was not given by this service.', { ...log, floor: 0 });
}

/**
 * A place in a log that begins at `floor` from which a reader can go on for a while. A log that is cut by its size, before its time,
 * loses its oldest entries all the time: a reader that went on at its very edge would be told again at once.
 */
export function placeAfterEdge(floor: number, span: { readonly oldestMs: number; readonly nowMs: number }): number {
  const isCutBySize = floor > Math.floor(span.oldestMs) * OFFSETS_PER_MS;
  const heldOffsets = Math.max(0, Math.floor(span.nowMs) * OFFSETS_PER_MS - floor);
  return isCutBySize ? floor + Math.floor(heldOffsets / 8) : floor;
}

/**
 * HISTORY_EXPIRED with the oldest cursor from which a reader can go on: from what the log still holds (`floor`), but no
 * older than is promised, so that it stays good for a while.
 */
export function expired(message: string, log: { epoch: string; oldestMs: number; floor: number }): ClientError {
  const offset = Math.max(log.floor, Math.floor(log.oldestMs) * OFFSETS_PER_MS);
  return new ClientError('HISTORY_EXPIRED', message, { oldestCursor: encodeCursor({ epoch: log.epoch, offset }) });
}
