import { type Clock, systemClock } from '../../graphql/clock.ts';
import type { TapeClient } from '../../graphql/tape-client.ts';
import type { TapeState } from '../../graphql/tape-status.ts';
import { readGap } from '../../graphql/resumption.ts';
import { type Notice, readNotice } from './notice.ts';
import { NoticeLog, type NoticeMemory, type NoticePlace } from './notice-log.ts';
import { NoticesBegin, OrdersPage, TradeNotifications } from './operations.ts';

export type FollowNoticesOptions = {
  readonly client: TapeClient;
  /** How far this viewer was told, over reloads. */
  readonly memory: NoticeMemory;
  /** Is given what is new, oldest first; with its return it counts as told. */
  readonly tell: (notices: readonly Notice[]) => void;
  /** Default: the platform's. */
  readonly clock?: Clock;
};

/** What comes within it is told together: a replay after an absence comes in one go. */
const GATHER_MS = 100;
/** After the connection stands, until the subscription does as well. */
const SETTLE_MS = 1_000;
/** Between two looks at the orders, where that is the only way to hear of them. */
const LOOK_MS = 3_000;
/** How far the orders are looked through. */
const LOOK_BACK = 100;

/**
 * Follows what one viewer is to be told, each once, from where this browser was told last, and returns what ends it. The log says it
 * wherever events come through. The orders themselves do where the log has no place to go on from (nothing was told yet, or it was
 * lost), and where only queries come through.
 */
export function followNotices({ client, memory, tell, clock = systemClock }: FollowNoticesOptions): () => void {
  const stops: (() => void)[] = [];
  let isOver = false;
  let waiting: Notice[] = [];
  let cancelGathering: (() => void) | null = null;
  let cancelLooking = (): void => {};
  /** Since when the orders have to be looked through. */
  let missedSince: string | null = null;

  function gather(log: NoticeLog, notices: readonly Notice[]): void {
    for (const notice of notices) {
      const twin = waiting.findIndex(({ orderId, cursor }) => orderId === notice.orderId && cursor === null);
      // The log and the orders may both tell it: the log's has a place, and goes before the other.
      if (twin === -1) waiting.push(notice);
      else if (notice.cursor !== null) waiting[twin] = notice;
    }
    if (waiting.length === 0) return;
    cancelGathering ??= clock.schedule(() => {
      cancelGathering = null;
      const told = waiting;
      waiting = [];
      tell(told);
      for (const notice of told) log.markTold(notice);
    }, GATHER_MS);
  }

  /** Looks through the orders for what the log does not tell, from `since` on: what was over by then was told, or is no news. */
  function look(log: NoticeLog, delayMs: number, since: string = log.place.since): void {
    if (missedSince === null || since < missedSince) missedSince = since;
    cancelLooking();
    cancelLooking = clock.schedule(() => void catchUp(log), delayMs);
  }

  async function catchUp(log: NoticeLog): Promise<void> {
    const since = missedSince ?? log.place.since;
    missedSince = null;
    const { data } = await client.query(OrdersPage, { first: LOOK_BACK, after: null });
    if (isOver) return;
    // Where they cannot be read now, they are later.
    if (data === undefined) return look(log, LOOK_MS, since);
    const orders = data.orders.edges.map(({ node }) => node);
    const isWaiting = (orderId: string): boolean => waiting.some((notice) => notice.orderId === orderId);
    gather(
      log,
      log.findMissed(orders, since).filter(({ orderId }) => !isWaiting(orderId)),
    );
    if (readState() === 'polling') look(log, LOOK_MS);
  }

  const readState = (): TapeState => client.status.getSnapshot().state;

  function watchConnection(log: NoticeLog): void {
    let last: TapeState | null = null;
    const watch = (): void => {
      const state = readState();
      if (state === last) return;
      last = state;
      if (state === 'polling') look(log, 0);
      // Before anything was told, an interruption loses the place in the log.
      else if ((state === 'live' || state === 'degraded') && log.place.cursor === null) look(log, SETTLE_MS);
    };
    stops.push(client.status.subscribe(watch));
    watch();
  }

  function follow(log: NoticeLog): void {
    const subscription = client.subscription(TradeNotifications, { after: log.place.cursor }).subscribe((result) => {
      if (readGap(result) !== null) look(log, 0);
      if (result.data === undefined) return;
      const notice = readNotice(result.data.tradeNotifications);
      if (log.isNews(notice)) gather(log, [notice]);
    });
    stops.push(() => subscription.unsubscribe());
    watchConnection(log);
  }

  async function start(): Promise<void> {
    const place = memory.read() ?? (await begin());
    if (isOver) return;
    memory.keep(place);
    follow(new NoticeLog(place, memory.keep));
  }

  async function begin(): Promise<NoticePlace> {
    const { data } = await client.query(NoticesBegin, {});
    return NoticeLog.begin(data?.portfolio.timestamp ?? new Date().toISOString());
  }

  void start();
  return () => {
    isOver = true;
    cancelGathering?.();
    cancelLooking();
    for (const stop of stops) stop();
  };
}
