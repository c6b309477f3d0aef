import type { Config } from '../config.ts';
import { type SimulatorProcess, startSimulatorProcess } from '../feeds/simulator/simulator-process.ts';
import { EmbeddedPostgres } from '../ledger/embedded-postgres.ts';
import type { Logger } from '../market/logger.ts';
import type { Tuning } from './tuning.ts';

/** What runs in threads beside the process's own. */
export type Threads = AsyncDisposable & {
  /** `null`: a server of Postgres, or none. */
  readonly embedded: EmbeddedPostgres | null;
  /** `null`: the exchange is a real one, or is run by another process. */
  readonly simulator: Promise<SimulatorProcess> | null;
};

/**
 * Starts them at once, so that they open while this process loads its code; nothing else is loaded for it. The embedded database is
 * opened where accounts are kept from before, for orders may be open, and where one process is the whole system, for its first viewer
 * should not wait. Elsewhere its memory is saved until a viewer comes.
 */
export function startThreads(config: Config, { tuning = {}, logger }: { tuning?: Tuning; logger: Logger }): Threads {
  let embedded: EmbeddedPostgres | null = null;
  if (config.databaseUrl === null && config.role !== 'ingest') {
    embedded = new EmbeddedPostgres({ dataDir: config.dataDir, logger: logger.child({ part: 'ledger' }) });
    const isWantedSoon = tuning.opensDatabaseAtStart ?? config.role === 'all';
    if (embedded.exists || isWantedSoon) embedded.open();
  }
  const runsSimulator = config.feed === 'simulated' && config.simulator === null && config.role !== 'api';
  const simulator = runsSimulator ? startSimulatorProcess({ logger: logger.child({ part: 'simulator' }) }) : null;
  // Whoever waits for it hears of a failure; until then nobody does.
  simulator?.catch(() => {});
  return {
    embedded,
    simulator,
    async [Symbol.asyncDispose]() {
      const running = await simulator?.catch(() => null);
      await Promise.all([embedded?.close(), running?.close()]);
    },
  };
}
