import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualTimers } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { fetchJson, type Stats } from '../../test/tapeql.ts';
import { until } from '../../test/until.ts';
import { readConfig } from '../config.ts';
import type { MetricsReport } from '../server/metrics.ts';
import { addCounts } from '../server/total-metrics.ts';
import { Supervisor } from './supervisor.ts';

/** No worker waits longer before it is started again. */
const MAX_DELAY_MS = 5000;
const PROGRAM = path.resolve(import.meta.dirname, '..', 'main.ts');

/** In the test's own process, so that what becomes of its workers can be decided between their end and their next start. */
describe('a supervisor of api processes', () => {
  let redis: TestRedis;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis?.stop());

  /** No worker is started again before the test moves the timers on. */
  function makeSupervisor(env: Record<string, string> = {}) {
    const timers = new ManualTimers();
    const base = { PORT: '0', HOST: '127.0.0.1', ROLE: 'api', WORKERS: '2', REDIS_URL: redis.url, LOG_LEVEL: 'silent' };
    const { logger, records } = recordingLogger();
    const failed = Promise.withResolvers<Error>();
    const supervisor = new Supervisor(readConfig({ ...base, ...env }), {
      count: 2,
      program: PROGRAM,
      addCounts: (sum, gone) => addCounts(sum as MetricsReport | undefined, gone as MetricsReport),
      onFailed: failed.resolve,
      timers,
      logger,
    });
    const readEnded = (): unknown[] =>
      records.flatMap(({ message, fields }) =>
        message === 'a worker ended and is started again' ? [(fields as Stats)['ended']] : [],
      );
    return { supervisor, timers, failed: failed.promise, readEnded };
  }

  describe('whose workers serve', () => {
    let parts: ReturnType<typeof makeSupervisor>;
    let url: string;
    beforeAll(async () => {
      parts = makeSupervisor();
      url = (await parts.supervisor.start()).url!;
    });
    afterAll(() => parts?.supervisor.close());

    /** What all of them tell; one that is late by a second is left out. */
    const readWorkers = (): Promise<Stats[]> =>
      until(async () => {
        const stats = await fetchJson(`${url}/stats`);
        expect(stats['workersMissing']).toEqual([]);
        return stats['workers'] as Stats[];
      });

    it('starts no ingest, starts each again that ends, also in order, and lets it have the same port', async () => {
      const workers = await readWorkers();
      expect(workers.map(({ worker }: Stats) => worker)).toEqual(['api-1', 'api-2']);
      // Asked once, so that there are counts to keep.
      await expect
        .poll(async () => (await fetch(`${url}/metrics`)).text())
        .toContain('tapeql_workers{state="answering"} 2');

      process.kill(workers[1]!['pid'], 'SIGTERM');
      await expect.poll(parts.readEnded).toEqual(['api-2']);
      // Meanwhile the other one answers, and says who is missing.
      await expect
        .poll(() => fetchJson(`${url}/health`).catch(() => null))
        .toMatchObject({ workers: [{ worker: 'api-1' }], workersMissing: ['api-2'] });
      process.kill(workers[0]!['pid'], 'SIGKILL');
      await expect.poll(parts.readEnded).toEqual(['api-2', 'api-1']);
      parts.timers.advance(MAX_DELAY_MS);
      const after = await readWorkers();
      expect(after).toHaveLength(2);
      for (const { pid } of after) expect(workers.map((worker) => worker['pid'])).not.toContain(pid);
    });

    it('gives the whole up where what has served cannot be started again, time after time', async () => {
      const before = parts.readEnded().length;
      for (const { pid } of await readWorkers()) process.kill(pid, 'SIGKILL');
      await expect.poll(parts.readEnded).toHaveLength(before + 2);
      // Somebody else takes the port before they are there again.
      await using squatter = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve, reject) => {
        squatter.once('error', reject);
        squatter.listen(Number(new URL(url).port), '127.0.0.1', resolve);
      });
      for (const ended of [2, 4, 6]) {
        await expect.poll(parts.readEnded).toHaveLength(before + ended);
        parts.timers.advance(MAX_DELAY_MS);
      }
      expect((await parts.failed).message).toContain('3 times in a row');
      await parts.supervisor.close();
    });
  });

  it('can be stopped before it has started', async () => {
    const { supervisor } = makeSupervisor();
    const starting = supervisor.start().catch((error: unknown) => error);
    await supervisor.close();
    expect(await starting).toMatchObject({ message: 'stopped before it had started' });
  });
});
