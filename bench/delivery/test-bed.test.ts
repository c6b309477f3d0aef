import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTESTANTS, NotStartedError } from './contestants.ts';
import { figuresOf } from './scenario.ts';
import { TestBed } from './test-bed.ts';
import { until } from '../../test/until.ts';

const WATCHING = { symbols: 5, watchlist: 2 };
/** One event of each symbol: however slow the machine is, none is replaced by a newer one. */
const ONE_ROUND = { eventsPerSecond: 50, seconds: 0.1 };

describe('TestBed', () => {
  let bed: TestBed;
  beforeAll(async () => {
    bed = await TestBed.start();
  });
  afterAll(() => bed.stop());

  it.each(CONTESTANTS)('sees each client of %s receive exactly what is published for it', async (contestant) => {
    const measured = await bed.run(contestant, WATCHING.symbols, async (arena) => {
      await arena.open(20, WATCHING);
      await arena.settle(200);
      // It waits as long as this only for what does not come.
      return arena.measure(ONE_ROUND, 80_000);
    });
    expect(measured).toMatchObject({ offered: 40, delivered: 40, isExact: true, troubles: 0 });
    expect(figuresOf(measured)['p99']).toBeGreaterThanOrEqual(0);
  });

  it('sees what clients that stop reading do not take', async () => {
    await bed.run('pre-framed', WATCHING.symbols, async (arena) => {
      await arena.open(20, WATCHING);
      await arena.settle(200);
      await arena.generator.ask('stopReading', { group: 'measured', count: 5 });
      const measured = await arena.measure(ONE_ROUND, 0);
      expect(measured.isExact).toBe(false);
      const seen = { messages: 30, least: 0, most: 2 };
      const look = async () => expect(await arena.generator.ask('read', undefined)).toMatchObject(seen);
      await until(look);
    });
  });

  it('tells why a server does not start', async () => {
    const start = bed.run('tapeql', 1, () => Promise.resolve(), { env: { PORT: 'nowhere' } });
    await expect(start).rejects.toThrow(NotStartedError);
    await expect(start).rejects.toThrow('PORT');
  });
});
