import type { OrderFieldsFragment } from '../../gql/graphql.ts';
import { recall, remember } from '../remembered.ts';
import { type Notice, readNoticeOf } from './notice.ts';

/** How far one viewer was told in this browser. */
export type NoticePlace = {
  /** Of the last one that was told; `null`: none was yet, so that there is no place in the log to go on from. */
  readonly cursor: string | null;
  /** The server's time of the last one, or of the first sight: what was over before is not news. */
  readonly since: string;
  /** The orders of the last ones that were told, newest last. */
  readonly told: readonly string[];
  /** Those among them that were told from the orders themselves: the log may come to tell them as well. */
  readonly caughtUp: readonly string[];
};

/** Where a place is kept, over reloads. */
export type NoticeMemory = {
  /** `null`: this viewer was told nothing here yet. */
  readonly read: () => NoticePlace | null;
  readonly keep: (place: NoticePlace) => void;
};

/** That of this browser, for one viewer. */
export function noticeMemoryOf(userId: string): NoticeMemory {
  const memory = { name: `notices:${userId}`, version: 1 } as const;
  return { read: () => recall(memory, parseNoticePlace), keep: (place) => remember(memory, place) };
}

/** More than that many are not told between two readings of the orders. */
const MEMORY = 100;

/**
 * What is news to the viewer, each once, over interruptions and reloads. The log of notifications says it, from the last place that
 * was told. Where there is no such place (nothing was told yet, or the log was lost) the orders are looked through for what has
 * become of them meanwhile.
 */
export class NoticeLog {
  readonly #keep: NoticeMemory['keep'];
  #place: NoticePlace;

  /** `keep` is called with each new place. */
  constructor(place: NoticePlace, keep: NoticeMemory['keep']) {
    this.#place = place;
    this.#keep = keep;
  }

  static begin(since: string): NoticePlace {
    return { cursor: null, since, told: [], caughtUp: [] };
  }

  get place(): NoticePlace {
    return this.#place;
  }

  /** Whether the log tells it for the first time. If not, it is done with. */
  isNews(notice: Notice): boolean {
    if (!this.#place.caughtUp.includes(notice.orderId)) return true;
    this.#move({ ...this.#place, cursor: notice.cursor });
    return false;
  }

  /** Of these orders, what is news beyond the log, oldest first. `since`: the place's, when the log was interrupted. */
  findMissed(orders: readonly OrderFieldsFragment[], since: string): Notice[] {
    return orders
      .flatMap((order) => readNoticeOf(order) ?? [])
      .filter(({ orderId, timestamp }) => timestamp >= since && !this.#place.told.includes(orderId))
      .toSorted((a, b) => Number(a.timestamp > b.timestamp) - Number(a.timestamp < b.timestamp));
  }

  /** To be called once the viewer has it before his eyes: what is lost before that is told again. */
  markTold({ orderId, cursor, timestamp }: Notice): void {
    const { since, told, caughtUp } = this.#place;
    this.#move({
      cursor: cursor ?? this.#place.cursor,
      since: timestamp > since ? timestamp : since,
      told: [...told, orderId].slice(-MEMORY),
      caughtUp: cursor === null ? [...caughtUp, orderId].slice(-MEMORY) : caughtUp,
    });
  }

  #move(place: NoticePlace): void {
    this.#place = place;
    this.#keep(place);
  }
}

/** A place as it was kept; `null` for what is none. */
export function parseNoticePlace(value: unknown): NoticePlace | null {
  if (typeof value !== 'object' || value === null) return null;
  const { cursor, since, told, caughtUp } = value as Record<string, unknown>;
  if ((cursor !== null && typeof cursor !== 'string') || typeof since !== 'string') return null;
  return isTexts(told) && isTexts(caughtUp) ? { cursor, since, told, caughtUp } : null;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
