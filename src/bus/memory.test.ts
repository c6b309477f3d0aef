import { expect, it } from 'vitest';
import { makeQuote, makeStatus, makeTrade } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { OFFSETS_PER_MS } from '../market/log.ts';
import { quoteChannel, tradeChannel } from './bus.ts';
import { createMemoryBus } from './memory.ts';
import { until } from '../../test/until.ts';

const START = 1_800_000_000_000;
const { logger } = recordingLogger();

function makeBus(options: { maxQueuedMessages?: number } = {}) {
  const time = { now: START };
  return { time, bus: createMemoryBus({ historyMs: 60_000, clock: () => time.now, logger, ...options }) };
}

it('is always connected and never says otherwise', () => {
  const { bus } = makeBus();
  expect(bus.readState()).toEqual({ connected: true, reason: null });
  bus.onState(() => expect.unreachable())();
  expect(bus.shared).toBe(false);
});

it('lets the demand of a process end with its lease', async () => {
  const { bus, time } = makeBus();
  await bus.setDemand('api-1', new Map([['AAPL', 1]]));
  await bus.setDemand('api-2', new Map([['MSFT', 1]]));
  time.now += 24_000;
  await bus.renewDemand('api-2', new Map([['MSFT', 1]]));
  time.now += 24_000;
  expect(await bus.readDemand()).toEqual(new Map([['MSFT', 1]]));
});

it('takes a status of more than a minute ago for none', async () => {
  const { bus, time } = makeBus();
  await bus.publishStatus(makeStatus());
  time.now += 59_999;
  expect(await bus.readStatus()).not.toBeNull();
  time.now += 1;
  expect(await bus.readStatus()).toBeNull();
});

it('bounds what is published in one turn, and keeps no log entry that it does not publish', async () => {
  const { bus } = makeBus({ maxQueuedMessages: 3 });
  const heard: string[] = [];
  await bus.subscribe(quoteChannel('AAPL'), (quote) => void heard.push(`quote ${quote.price}`));
  await bus.subscribe(tradeChannel('AAPL'), () => void heard.push('trade'));
  await bus.publishQuotes([1, 2, 3].map((price) => makeQuote('AAPL', { price })));
  const trade = makeTrade('AAPL', START * OFFSETS_PER_MS);
  await expect(bus.append([trade])).rejects.toThrow('undelivered');
  expect(await bus.readLastEntries([{ kind: 'trade', symbol: 'AAPL' }])).toEqual([null]);
  expect(bus.readStats()).toMatchObject({ messagesDropped: 1, messagesPublished: 3 });
  await until(() => expect(heard).toHaveLength(3));
  await bus.append([trade]);
  await until(() => expect(heard).toEqual(['quote 1', 'quote 2', 'quote 3', 'trade']));
});

it('delivers nothing more once it is closed', async () => {
  const { bus } = makeBus();
  await bus.subscribe(quoteChannel('AAPL'), () => expect.unreachable());
  await bus.publishQuotes([makeQuote('AAPL')]);
  await bus.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(bus.readStats()['messagesReceived']).toBe(0);
});
