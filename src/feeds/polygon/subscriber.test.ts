import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualTimers } from '../../../test/manual-time.ts';
import { type LogRecord, recordingLogger } from '../../../test/recording-logger.ts';
import { FEED_LIMITS } from './limits.ts';
import { Subscriber } from './subscriber.ts';

const saidIn = (records: readonly LogRecord[], level: LogRecord['level']) =>
  records.filter((record) => record.level === level);

const TOPICS = ['T', 'Q', 'A', 'AM'];

/** Calls of one turn are gathered until it ends. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp(initial: readonly string[] = []) {
  const wanted = new Set(initial);
  const sent: { action: string; params: string }[] = [];
  const timers = new ManualTimers();
  const { logger, records } = recordingLogger();
  const counts = { settled: 0 };
  const subscriber = new Subscriber({
    topics: TOPICS,
    wanted,
    send: (message) => sent.push(message),
    onSettled: () => (counts.settled += 1),
    limits: FEED_LIMITS,
    timers,
    logger,
  });
  return {
    subscriber,
    sent,
    timers,
    records,
    counts,
    want: (...symbols: string[]) => {
      for (const symbol of symbols) wanted.add(symbol);
      subscriber.noteChange(symbols);
    },
    leave: (...symbols: string[]) => {
      for (const symbol of symbols) wanted.delete(symbol);
      subscriber.noteChange(symbols);
    },
    ack: (pair: string, prefix = 'subscribed to: ') =>
      subscriber.confirm({ status: 'success', message: prefix + pair }),
    ackAll: () => {
      for (const { params } of sent) {
        for (const pair of params.split(',')) {
          subscriber.confirm({ status: 'success', message: `subscribed to: ${pair}` });
        }
      }
    },
  };
}

const symbolsOf = (count: number) => Array.from({ length: count }, (_, n) => `SYM${n}`);

describe('what is asked for', () => {
  it('is every topic of a symbol', async () => {
    const { sent, want } = setUp();
    want('AAPL');
    await turn();
    expect(sent).toEqual([{ action: 'subscribe', params: 'T.AAPL,Q.AAPL,A.AAPL,AM.AAPL' }]);
  });

  it('is gathered over the calls of one turn, and what is undone within it is not asked for', async () => {
    const { sent, want, leave } = setUp();
    want('AAPL');
    want('MSFT', 'AAPL');
    want('GONE');
    leave('GONE');
    await turn();
    expect(sent).toEqual([
      { action: 'subscribe', params: 'T.AAPL,Q.AAPL,A.AAPL,AM.AAPL,T.MSFT,Q.MSFT,A.MSFT,AM.MSFT' },
    ]);
  });

  it('is not asked for twice', async () => {
    const { sent, want, timers } = setUp(['AAPL']);
    await turn();
    want('AAPL');
    timers.advance(1000);
    await turn();
    expect(sent).toHaveLength(1);
  });

  it('is sent in chunks with pauses between them', async () => {
    const { sent, timers } = setUp(symbolsOf(1000));
    await turn();
    expect(sent).toHaveLength(1);
    timers.advance(49);
    expect(sent).toHaveLength(1);
    timers.advance(1);
    expect(sent).toHaveLength(2);
    timers.advance(50 * 50);
    const pairs = sent.flatMap(({ params }) => params.split(','));
    expect(new Set(pairs)).toEqual(
      new Set(symbolsOf(1000).flatMap((symbol) => TOPICS.map((topic) => `${topic}.${symbol}`))),
    );
    expect(pairs).toHaveLength(4000);
    for (const message of sent) {
      expect(message.params.split(',').length).toBeLessThanOrEqual(200);
      expect(JSON.stringify(message).length).toBeLessThanOrEqual(4096);
    }
  });

  it('is bounded by text where symbols are long', async () => {
    const long = Array.from({ length: 60 }, (_, n) => `${n}`.padStart(32, 'X'));
    const { sent, timers } = setUp(long);
    await turn();
    timers.advance(1000);
    expect(sent.length).toBeGreaterThan(1);
    for (const message of sent) expect(JSON.stringify(message).length).toBeLessThanOrEqual(4096);
    expect(sent.flatMap(({ params }) => params.split(','))).toHaveLength(240);
  });

  it('is taken back where it is no longer wanted, and asked for anew where it is wanted again', async () => {
    const { sent, want, leave, timers } = setUp(['AAPL', 'MSFT']);
    await turn();
    leave('AAPL');
    timers.advance(50);
    want('AAPL');
    timers.advance(50);
    expect(sent.slice(1)).toEqual([
      { action: 'unsubscribe', params: 'T.AAPL,Q.AAPL,A.AAPL,AM.AAPL' },
      { action: 'subscribe', params: 'T.AAPL,Q.AAPL,A.AAPL,AM.AAPL' },
    ]);
  });

  it('comes to what is wanted, whatever the changes on the way', async () => {
    const symbol = fc.constantFrom('A', 'B', 'C', 'D');
    const step = fc.record({ symbol, isWanted: fc.boolean(), waitMs: fc.constantFrom(0, 20, 60) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const { sent, want, leave, timers } = setUp();
        const wanted = new Set<string>();
        for (const { symbol: name, isWanted, waitMs } of steps) {
          if (isWanted) wanted.add(name);
          else wanted.delete(name);
          (isWanted ? want : leave)(name);
          await turn();
          timers.advance(waitMs);
        }
        timers.advance(1000);
        const held = new Set<string>();
        for (const { action, params } of sent) {
          for (const pair of params.split(',')) {
            // Neither asked for twice nor taken back unasked.
            expect(held.has(pair)).toBe(action === 'unsubscribe');
            if (action === 'subscribe') held.add(pair);
            else held.delete(pair);
          }
        }
        expect(held).toEqual(new Set([...wanted].flatMap((name) => TOPICS.map((topic) => `${topic}.${name}`))));
      }),
      { numRuns: 50 },
    );
  });

  it('is nothing once stopped', async () => {
    const { sent, want, subscriber, timers } = setUp(symbolsOf(100));
    await turn();
    subscriber.stop();
    want('AAPL');
    await turn();
    timers.advance(60_000);
    expect(sent).toHaveLength(1);
    expect(timers.delays).toEqual([]);
  });
});

describe('confirmations', () => {
  it('are counted per topic and symbol', async () => {
    const { subscriber, ack, want } = setUp();
    want('BRK.B');
    await turn();
    expect(subscriber.readStats()).toEqual({ confirmed: 0, pending: 4, unconfirmed: 0 });
    expect(ack('T.BRK.B')).toBe(true);
    expect(ack('Q.BRK.B', 'subscribed to:')).toBe(true);
    expect(ack('Q.BRK.B')).toBe(true);
    expect(subscriber.readStats()).toEqual({ confirmed: 2, pending: 2, unconfirmed: 0 });
  });

  it('that are overdue are told once and counted, and may still come', async () => {
    const { subscriber, ack, timers, records } = setUp(['AAPL']);
    await turn();
    ack('T.AAPL');
    timers.advance(9999);
    expect(saidIn(records, 'warn')).toEqual([]);
    timers.advance(1);
    expect(subscriber.readStats()).toEqual({ confirmed: 1, pending: 0, unconfirmed: 3 });
    expect(saidIn(records, 'warn')).toEqual([
      expect.objectContaining({ fields: { count: 3, topics: ['Q.AAPL', 'A.AAPL', 'AM.AAPL'] } }),
    ]);
    ack('Q.AAPL');
    expect(subscriber.readStats()).toEqual({ confirmed: 2, pending: 0, unconfirmed: 2 });
    timers.advance(60_000);
    expect(saidIn(records, 'warn')).toHaveLength(1);
  });

  it('have their time from when each was asked for', async () => {
    const { subscriber, want, timers } = setUp(['AAPL']);
    await turn();
    timers.advance(6000);
    want('MSFT');
    await turn();
    timers.advance(4000);
    expect(subscriber.readStats()).toMatchObject({ pending: 4, unconfirmed: 4 });
    timers.advance(6000);
    expect(subscriber.readStats()).toMatchObject({ pending: 0, unconfirmed: 8 });
  });

  it('of what nobody asked for add nothing', async () => {
    const { subscriber, ack } = setUp(['AAPL']);
    await turn();
    expect(ack('T.MSFT')).toBe(true);
    expect(subscriber.readStats()).toEqual({ confirmed: 0, pending: 4, unconfirmed: 0 });
  });

  it('of what was taken back are taken and forgotten', async () => {
    const { subscriber, ack, ackAll, leave, timers } = setUp(['AAPL']);
    await turn();
    ackAll();
    leave('AAPL');
    timers.advance(50);
    expect(ack('T.AAPL', 'unsubscribed to: ')).toBe(true);
    expect(subscriber.readStats()).toEqual({ confirmed: 0, pending: 0, unconfirmed: 0 });
  });

  it('are not what another status says', () => {
    const { subscriber } = setUp();
    expect(subscriber.confirm({ status: 'success', message: 'welcome' })).toBe(false);
    expect(subscriber.confirm({ status: 'error', message: 'subscribed to: T.AAPL' })).toBe(false);
  });
});

describe('a new connection settles', () => {
  it('at once where nothing is wanted', async () => {
    const { counts } = setUp();
    await turn();
    expect(counts.settled).toBe(1);
  });

  it('when the last confirmation is in, and once', async () => {
    const { counts, timers, ack, ackAll, want } = setUp(symbolsOf(60));
    await turn();
    ackAll();
    expect(counts.settled).toBe(0);
    timers.advance(50);
    ackAll();
    expect(counts.settled).toBe(1);
    want('MORE');
    timers.advance(50);
    ack('T.MORE');
    timers.advance(60_000);
    expect(counts.settled).toBe(1);
  });

  it('two seconds after the last was asked for, where some are not confirmed', async () => {
    const { counts, timers } = setUp(symbolsOf(60));
    await turn();
    timers.advance(50 + 1999);
    expect(counts.settled).toBe(0);
    timers.advance(1);
    expect(counts.settled).toBe(1);
  });
});
