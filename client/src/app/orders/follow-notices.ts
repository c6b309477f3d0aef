import type { TapeClient } from '../../graphql/tape-client.ts';
import { readGap } from '../../graphql/resumption.ts';
import { recall, remember } from '../remembered.ts';
import { type Notice, readNotice } from './notice.ts';
import { NoticeLog, type NoticePlace, parseNoticePlace } from './notice-log.ts';
import { NoticesBegin, OrdersPage, TradeNotifications } from './operations.ts';

/** What comes within it is told together: a replay after an absence comes in one go. */
const GATHER_MS = 100;
/** After the connection stands, until the subscription does as well. */
const SETTLE_MS = 1_000;
/** How far the orders are looked through where the log has no place to go on from. */
const LOOK_BACK = 100;

/**
 * Follows what one viewer is to be told, from where this browser was told last, and returns what ends it. `tell` is given what is
 * new, oldest first; with its return it counts as told.
 */
export function followNotices(
  client: TapeClient,
  userId: string,
  tell: (notices: readonly Notice[]) => void,
): () => void {
  const memory = { name: `notices:${userId}`, version: 1 } as const;
  const stops: (() => void)[] = [];
  let isOver = false;
  let waiting: Notice[] = [];
  let gathering: ReturnType<typeof setTimeout> | undefined;

  function gather(log: NoticeLog, notices: readonly Notice[]): void {
    for (const notice of notices) {
      // The log and the orders may both tell it: the log's has a place, and goes before the other.
      const twin = waiting.findIndex((other) => other.orderId === notice.orderId && other.cursor === null);
      if (twin === -1) waiting.push(notice);
      else if (notice.cursor !== null) waiting[twin] = notice;
    }
    if (waiting.length === 0) return;
    gathering ??= setTimeout(() => {
      gathering = undefined;
      const told = waiting;
      waiting = [];
      tell(told);
      for (const notice of told) log.markTold(notice);
    }, GATHER_MS);
  }

  async function catchUp(log: NoticeLog, since: string): Promise<void> {
    const { data } = await client.query(OrdersPage, { first: LOOK_BACK, after: null });
    if (isOver || data === undefined) return;
    const orders = data.orders.edges.map(({ node }) => node);
    const missed = log.findMissed(orders, since);
    gather(
      log,
      missed.filter(({ orderId }) => !waiting.some((notice) => notice.orderId === orderId)),
    );
  }

  function follow(log: NoticeLog): void {
    const { cursor } = log.place;
    const subscription = client.subscription(TradeNotifications, { after: cursor }).subscribe((result) => {
      const { since } = log.place;
      if (readGap(result) !== null) void catchUp(log, since);
      if (result.data === undefined) return;
      const notice = readNotice(result.data.tradeNotifications);
      if (log.isNews(notice)) gather(log, [notice]);
    });
    stops.push(() => subscription.unsubscribe());
    watchReturns(log);
  }

  /** Before anything was told, an interruption loses the place in the log. */
  function watchReturns(log: NoticeLog): void {
    let settling: ReturnType<typeof setTimeout> | undefined;
    const isReached = (): boolean => ['live', 'degraded'].includes(client.status.getSnapshot().state);
    let wasReached = false;
    const look = (): void => {
      if (isReached() === wasReached) return;
      wasReached = !wasReached;
      clearTimeout(settling);
      if (!wasReached || log.place.cursor !== null) return;
      settling = setTimeout(() => void catchUp(log, log.place.since), SETTLE_MS);
    };
    stops.push(client.status.subscribe(look), () => clearTimeout(settling));
    look();
  }

  async function start(): Promise<void> {
    const place = recall(memory, parseNoticePlace) ?? (await begin());
    if (isOver) return;
    const keep = (next: NoticePlace): void => remember(memory, next);
    keep(place);
    follow(new NoticeLog(place, keep));
  }

  async function begin(): Promise<NoticePlace> {
    const { data } = await client.query(NoticesBegin, {});
    return NoticeLog.begin(data?.portfolio.timestamp ?? new Date().toISOString());
  }

  void start();
  return () => {
    isOver = true;
    clearTimeout(gathering);
    for (const stop of stops) stop();
  };
}
