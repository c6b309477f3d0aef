import fc from 'fast-check';
import { expect, test } from 'vitest';
import { letRun, ManualTime } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import type { Quote } from '../market/quote.ts';
import { ReferenceBook } from '../market/reference-book.ts';
import { MarketHours } from './market-hours.ts';
import { QuoteFold } from './quote-book.ts';
import { createPublication, QuotePublisher, type Publication } from './quote-publisher.ts';

const NOON = Date.UTC(2026, 10, 20, 16);
const hours = new MarketHours();

class ScriptedBus {
  readonly published: { readonly at: number; readonly symbol: string; readonly price: number }[] = [];
  readonly calls: number[] = [];
  isAway = false;
  gate: Promise<void> = Promise.resolve();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async publishQuotes(quotes: readonly Quote[]): Promise<void> {
    this.calls.push(quotes.length);
    await this.gate;
    if (this.isAway) throw new Error('away');
    for (const { symbol, price } of quotes) this.published.push({ at: this.#clock(), symbol, price });
  }
}

function build(intervalMs: number) {
  const time = new ManualTime(NOON);
  const bus = new ScriptedBus(time.clock);
  const { logger, records } = recordingLogger();
  const publisher = new QuotePublisher({ bus, timers: time.timers, logger, intervalMs });
  return { time, bus, publisher, records, prices: () => bus.published.map(({ price }) => price) };
}

function watch(symbol = 'AAPL'): Publication {
  return createPublication(new QuoteFold(symbol, hours, new ReferenceBook()));
}

/** A new price of the symbol. */
function set(publisher: QuotePublisher, publication: Publication, price: number): void {
  publication.fold.foldIndexValue({
    kind: 'index-value',
    symbol: publication.fold.symbol,
    value: price,
    timestamp: NOON + price,
    receivedAt: NOON + price,
  });
  publisher.mark(publication);
}

test('symbols that change in one frame leave in one call', async () => {
  const { bus, publisher } = build(100);
  for (const symbol of ['A', 'B', 'C']) set(publisher, watch(symbol), 1);
  publisher.flush();
  await letRun();
  expect(bus.calls).toEqual([3]);
});

test('a bus that is away gets the newest value when it is back, and the outage is logged once', async () => {
  const { bus, publisher, time, records, prices } = build(100);
  const publication = watch();
  bus.isAway = true;
  for (let price = 1; price <= 9; price += 1) {
    set(publisher, publication, price);
    publisher.flush();
    await time.advance(300);
  }
  expect(prices()).toEqual([]);
  bus.isAway = false;
  publisher.resume();
  await letRun();
  expect(prices()).toEqual([9]);
  expect(records).toHaveLength(1);
  await time.advance(1_000);
  expect(prices()).toEqual([9]);
});

test('a bus that comes back unannounced is found by trying', async () => {
  const { bus, publisher, time, prices } = build(0);
  const publication = watch();
  bus.isAway = true;
  set(publisher, publication, 1);
  publisher.flush();
  await letRun();
  bus.isAway = false;
  set(publisher, publication, 2);
  publisher.flush();
  await letRun();
  expect(prices()).toEqual([]);
  await time.advance(1_000);
  expect(prices()).toEqual([2]);
});

test('behind a slow bus quotes conflate instead of queueing', async () => {
  const { bus, publisher, prices } = build(0);
  const publication = watch();
  const { promise, resolve } = Promise.withResolvers<void>();
  bus.gate = promise;
  for (let price = 1; price <= 50; price += 1) {
    set(publisher, publication, price);
    publisher.flush();
  }
  expect(bus.calls).toHaveLength(4);
  resolve();
  await letRun();
  expect(prices()).toEqual([1, 2, 3, 4, 50]);
  expect(publisher.readStats()).toMatchObject({ quotesPublished: 5, quotesConflated: 45 });
});

test('a held quote waits, one that nobody wants any more is not published, one without a price neither', async () => {
  const { publisher, prices, bus } = build(100);
  const [held, removed, empty] = [watch('H'), watch('R'), watch('E')];
  held.isHeld = true;
  set(publisher, held, 1);
  set(publisher, removed, 2);
  removed.isRemoved = true;
  publisher.mark(empty);
  publisher.flush();
  await letRun();
  expect(bus.calls).toEqual([]);
  publisher.release(held);
  publisher.release(held);
  publisher.flush();
  await letRun();
  expect(prices()).toEqual([1]);
});

test('thousands of symbols share the timer, and each gets its last value', async () => {
  const { publisher, bus, time } = build(100);
  const publications = Array.from({ length: 3_000 }, (_, index) => watch(String(index)));
  for (let price = 1; price <= 7; price += 1) {
    for (const [index, publication] of publications.entries()) {
      set(publisher, publication, price);
      if (index % 300 === 299) {
        publisher.flush();
        await time.advance(4);
      }
    }
  }
  await time.advance(110);
  const last = new Map(bus.published.map(({ symbol, price }) => [symbol, price]));
  expect([...last.values()]).toEqual(publications.map(() => 7));
  expect(bus.published.length).toBeLessThanOrEqual(5 * 3_000);
  await time.advance(110);
  expect(time.pendingTimers).toBe(0);
});

test('at the end the last value goes out though its interval has not ended', async () => {
  const { publisher, prices, time } = build(10_000);
  const publication = watch();
  set(publisher, publication, 1);
  publisher.flush();
  set(publisher, publication, 2);
  await publisher.drain();
  publisher.close();
  set(publisher, publication, 3);
  publisher.flush();
  await time.advance(60_000);
  expect(prices()).toEqual([1, 2]);
  expect(time.pendingTimers).toBe(0);
});

test('whatever the changes: no symbol more often than the interval, always rising, and the last value arrives', async () => {
  const change = fc.record({ symbol: fc.nat(4), waitMs: fc.nat(60) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { maxLength: 80 }),
      fc.integer({ min: 1, max: 150 }),
      async (changes, intervalMs) => {
        const { publisher, bus, time } = build(intervalMs);
        const publications = Array.from({ length: 5 }, (_, index) => watch(String(index)));
        const last = new Map<string, number>();
        let price = 0;
        for (const { symbol, waitMs } of changes) {
          price += 1;
          set(publisher, publications[symbol]!, price);
          last.set(String(symbol), price);
          publisher.flush();
          if (waitMs > 0) await time.advance(waitMs);
        }
        await time.advance(intervalMs + 10);
        for (const [symbol, expected] of last) {
          const published = bus.published.filter((quote) => quote.symbol === symbol);
          expect(published.at(-1)!.price).toBe(expected);
          for (const [index, { at, price: newer }] of published.entries()) {
            const before = published[index - 1];
            if (before === undefined) continue;
            expect(at - before.at).toBeGreaterThanOrEqual(intervalMs);
            expect(newer).toBeGreaterThan(before.price);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});
