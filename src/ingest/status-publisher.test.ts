import { expect, onTestFinished, test } from 'vitest';
import { letRun, ManualTime } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import type { IngestStatus } from '../bus/bus.ts';
import type { MarketHoliday, UpstreamMarketStatus } from '../market/market-status.ts';
import { MarketHours } from './market-hours.ts';
import { StatusPublisher } from './status-publisher.ts';

/** A Friday: the opening bell in New York. */
const BELL = Date.UTC(2026, 10, 20, 14, 30);
const HOUR_MS = 3_600_000;

function build(now: number) {
  const time = new ManualTime(now);
  /** By how much the clock of the host is ahead of the time that passes. */
  const host = { aheadMs: 0 };
  const { logger, records } = recordingLogger();
  const statuses: IngestStatus[] = [];
  const upstream = {
    failures: 0,
    busFailures: 0,
    holidays: [] as MarketHoliday[],
    reads: [] as string[],
    status: { market: 'open', earlyHours: false, afterHours: false, alwaysOpen: false } as Omit<
      UpstreamMarketStatus,
      'serverTime'
    >,
    fail(): void {
      upstream.failures -= 1;
      if (upstream.failures >= 0) throw new Error('no answer');
    },
    async readMarketStatus(): Promise<UpstreamMarketStatus> {
      upstream.reads.push(`status ${time.clock() - now}`);
      upstream.fail();
      return { ...upstream.status, serverTime: time.clock() };
    },
    async readHolidays(): Promise<MarketHoliday[]> {
      upstream.reads.push(`holidays ${time.clock() - now}`);
      upstream.fail();
      return upstream.holidays;
    },
  };
  const bus = {
    async publishStatus(status: IngestStatus): Promise<void> {
      upstream.busFailures -= 1;
      if (upstream.busFailures >= 0) throw new Error('away');
      statuses.push(status);
    },
  };
  const hours = new MarketHours();
  const publisher = new StatusPublisher({
    bus,
    source: upstream,
    hours,
    feed: 'LIVE',
    clock: () => time.clock() + host.aheadMs,
    timers: time.timers,
    logger,
    onTick: () => {},
  });
  onTestFinished(() => publisher.close());
  return { time, host, publisher, upstream, statuses, records, hours };
}

test('a clock that is set back leaves the signs of life as they were', async () => {
  const { publisher, statuses, time, host } = build(BELL);
  await publisher.start();
  const published = statuses.length;
  host.aheadMs = -HOUR_MS;
  await time.advance(60_000);
  expect(statuses.length - published).toBeGreaterThanOrEqual(11);
});

test('the opening bell is told when it rings', async () => {
  const { publisher, statuses, time, upstream } = build(BELL - 1_700);
  upstream.status = { ...upstream.status, market: 'extended-hours', earlyHours: true };
  void publisher.start();
  upstream.failures = 9;
  await time.advance(1_699);
  expect(statuses.map(({ market }) => market.session)).toEqual(['PRE_MARKET']);
  await time.advance(1);
  expect(statuses.at(-1)).toMatchObject({ timestamp: BELL, market: { session: 'REGULAR', isOpen: true } });
});

test('it is published every five seconds though nothing changes', async () => {
  const { publisher, statuses, time } = build(BELL + 10_000);
  void publisher.start();
  await time.advance(20_000);
  expect(statuses.map(({ timestamp }) => (timestamp - BELL) / 1_000)).toEqual([10, 15, 20, 25, 30]);
  expect(statuses[0]!.feed).toEqual({ feed: 'LIVE', connected: false, reason: 'not connected yet' });
});

test('a market that never closes is open at night, and its prints are those of a regular session', async () => {
  const night = BELL + 12 * 3_600_000;
  const { publisher, statuses, time, upstream, hours } = build(night);
  upstream.status = { ...upstream.status, alwaysOpen: true };
  expect(hours.isRegular(night)).toBe(false);
  void publisher.start();
  await time.advance(1_000);
  expect(statuses.at(-1)!.market).toMatchObject({ isOpen: true, session: 'REGULAR' });
  expect(hours.isRegular(night)).toBe(true);
});

test('a closure that the upstream announces overrides the rules', async () => {
  const { publisher, statuses, time, upstream } = build(BELL + 60_000);
  upstream.status = { ...upstream.status, market: 'closed' };
  upstream.holidays = [{ date: '2026-11-20', name: 'Storm', status: 'closed', open: null, close: null }];
  void publisher.start();
  await time.advance(1_000);
  expect(statuses.at(-1)!.market).toMatchObject({ isOpen: false, session: 'CLOSED', holiday: 'Storm' });
});

test('an upstream that does not answer leaves the calendar standing, and is asked again', async () => {
  const { publisher, statuses, time, upstream, records } = build(BELL + 60_000);
  upstream.failures = 5;
  void publisher.start();
  await time.advance(120_000);
  expect(statuses.at(-1)!.market.session).toBe('REGULAR');
  expect(publisher.readStats().statusReadFailures).toBe(5);
  expect(records).toHaveLength(2);
  expect(upstream.reads.slice(0, 4)).toEqual(['status 0', 'holidays 0', 'status 5000', 'holidays 5000']);
  expect(upstream.reads.filter((read) => read.startsWith('status')).at(-1)).toBe('status 75000');
});

test('a bus that is away misses states, not the next one', async () => {
  const { publisher, statuses, time, upstream } = build(BELL + 60_000);
  upstream.busFailures = 2;
  void publisher.start();
  await time.advance(11_000);
  expect(statuses).toHaveLength(1);
  expect(publisher.readStats()).toMatchObject({ statusFailures: 2, statusPublished: 1 });
});

test('after closing nothing is published and no timer is left', async () => {
  const { publisher, statuses, time } = build(BELL);
  void publisher.start();
  await letRun();
  await publisher.close();
  const count = statuses.length;
  publisher.setFeed({ feed: 'LIVE', connected: true, reason: null });
  await time.advance(60_000);
  expect(statuses).toHaveLength(count);
  expect(time.pendingTimers).toBe(0);
});
