import { availableParallelism } from 'node:os';
import { type Config, ConfigError, readConfig } from './config.ts';
import type { Logger } from './market/logger.ts';
import { systemTimers } from './market/timers.ts';
import { createLogger } from './server/log.ts';
import type { MetricsReport } from './server/metrics.ts';
import { addCounts } from './server/total-metrics.ts';
import type { Tapeql, TapeqlOptions } from './tapeql.ts';
import { WORKER_ARGUMENT } from './workers/messages.ts';
import { Supervisor } from './workers/supervisor.ts';
import { type Channel, type Seat, takeSeat } from './workers/worker.ts';
import type { DatabaseOptions } from './ledger/database.ts';

const STOP_DEADLINE_MS = 5000;
/** The supervisor's comes when all of its workers have had theirs. */
const SUPERVISOR_STOP_DEADLINE_MS = 6000;

const AUDIT_ARGUMENT = 'audit';
const KEYS_ARGUMENT = 'keys';
const COMMAND_OPENING_WAIT_MS = 60_000;

/** Runs until SIGTERM or SIGINT; what cannot be closed in time is left behind. */
async function run(): Promise<void> {
  if (process.argv[2] === WORKER_ARGUMENT) {
    await runWorker();
    return;
  }
  const { env } = process;
  let config: Config;
  try {
    config = readConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
    return;
  }
  const logger = createLogger(config.logLevel);
  if (process.argv[2] === AUDIT_ARGUMENT) {
    await runAudit(config, logger);
    return;
  }
  if (process.argv[2] === KEYS_ARGUMENT) {
    await runKeys(process.argv.slice(3), config);
    return;
  }
  surviveRejections(logger);
  const workers = config.workers === 'auto' ? availableParallelism() : config.workers;
  if (config.role !== 'ingest' && workers > 1) {
    await runSupervisor(config, workers, logger);
    return;
  }
  if (workers > 1) logger.info({ workers }, 'WORKERS is without effect: workers serve clients, which ingest does not');
  // An ingest process serves no clients: it opens a port, for the operator's routes, only where it is told one, by PORT or ADMIN_PORT.
  const listens = config.role !== 'ingest' || (env['PORT'] ?? '') !== '';
  await runTapeql(config, { logger, listens });
}

/** For a command, whose user waits longer for a database that is being opened than a client of the API should. */
function locateDatabase({ databaseUrl, dataDir }: Config): Pick<DatabaseOptions, 'url' | 'dataDir' | 'patience'> {
  return { url: databaseUrl, dataDir, patience: { openingMs: COMMAND_OPENING_WAIT_MS } };
}

/** Creates, lists and revokes API keys, also beside a system that runs. */
async function runKeys(args: string[], config: Config): Promise<void> {
  const { manageKeys } = await import('./access/manage-keys.ts');
  const [{ ApiKeys }, { Database }] = await Promise.all([
    import('./ledger/api-keys.ts'),
    import('./ledger/database.ts'),
  ]);
  // Its result is what is printed.
  const database = new Database({ ...locateDatabase(config), logger: createLogger('fatal') });
  try {
    const { text, isWrong } = await manageKeys(args, new ApiKeys(database));
    (isWrong ? process.stderr : process.stdout).write(`${text}\n`);
    if (isWrong) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`The keys cannot be reached: ${(error as Error).message}\n`);
    process.exitCode = 1;
  } finally {
    await database.close();
  }
}

/** Compares the ledger's balances with its movements, also beside a system that runs; exit status 1 where they differ. */
async function runAudit(config: Config, logger: Logger): Promise<void> {
  const [{ audit }, { Database }] = await Promise.all([import('./ledger/audit.ts'), import('./ledger/database.ts')]);
  const database = new Database({ ...locateDatabase(config), logger });
  try {
    const { accounts, movements, differences } = await audit(database);
    for (const { account, asset, balance, movements: sum } of differences) {
      process.stdout.write(`${account} holds ${balance} ${asset}, and its movements come to ${sum}\n`);
    }
    const verdict =
      differences.length === 0 ? 'every balance is the sum of its movements' : `${differences.length} differ`;
    process.stdout.write(`${accounts} accounts, ${movements} movements: ${verdict}\n`);
    if (differences.length > 0) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`The ledger cannot be read: ${(error as Error).message}\n`);
    process.exitCode = 1;
  } finally {
    await database.close();
  }
}

/** The system in this process, or the part of it that ROLE names. */
async function runTapeql(config: Config, options: { logger: Logger; listens: boolean; seat?: Seat }): Promise<void> {
  const { logger, listens, seat } = options;
  const starting = start(config, { logger, listens, ...(seat !== undefined && { crew: seat.crew }) });
  let hasStarted = false;
  const stop = stopOnce(() => starting.then((tapeql) => tapeql.close()), {
    deadlineMs: STOP_DEADLINE_MS,
    // Who is stopped before it has started leaves nothing undone.
    lateStatus: () => (hasStarted ? 1 : 0),
    logger,
  });
  if (seat === undefined) {
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  } else {
    // Whoever signals a whole group of processes signals the supervisor as well, whose word may come twice then; a
    // terminal's interruption is left to it.
    process.on('SIGTERM', stop);
    process.on('SIGINT', () => {});
    seat.onAbandoned(() => stop('the supervisor is gone'));
  }
  try {
    const { url, adminUrl, demoToken } = await starting;
    hasStarted = true;
    if (seat === undefined) {
      logger.info(
        { url, adminUrl, role: config.role, feed: config.feed },
        url === null ? 'started' : `TapeQL is at ${url}`,
      );
      tellDemoToken(demoToken, logger);
    } else {
      logger.info({ url, role: config.role, pid: process.pid }, 'worker started');
      seat.noteStarted({ url, adminUrl, demoToken });
    }
  } catch (error) {
    logger.error({ err: error }, 'could not start');
    process.exitCode = 1;
    // The channel to the supervisor would keep it.
    if (seat !== undefined) process.exit();
  }
}

/** Loads its code here and not above: one that supervises others has no use for any of it. */
async function start(config: Config, options: TapeqlOptions): Promise<Tapeql> {
  const { startThreads } = await import('./assembly/threads.ts');
  const threads = startThreads(config, options);
  const { startTapeql } = await import('./tapeql.ts');
  return startTapeql(config, { ...options, threads });
}

/** Of this machine, for who tries it out: where users can be told apart there is none. */
function tellDemoToken(token: string | null, logger: Logger): void {
  if (token !== null) logger.info({ token }, 'the demo viewer is signed in by this token');
}

/** Several processes that share the port, under this one. */
async function runSupervisor(config: Config, workers: number, logger: Logger): Promise<void> {
  const supervisor = new Supervisor(config, {
    count: workers,
    program: import.meta.filename,
    addCounts: (sum, gone) => addCounts(sum as MetricsReport | undefined, gone as MetricsReport),
    onFailed: (error) => {
      logger.error({ err: error }, 'a worker cannot be started again');
      process.exitCode = 1;
      stop('a worker cannot be started again');
    },
    timers: systemTimers,
    logger,
  });
  const stop = stopOnce(() => supervisor.close(), {
    deadlineMs: SUPERVISOR_STOP_DEADLINE_MS,
    lateStatus: () => 1,
    logger,
  });
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    const { url, adminUrl, demoToken } = await supervisor.start();
    logger.info({ url, adminUrl, role: config.role, feed: config.feed, workers }, `TapeQL is at ${url}`);
    tellDemoToken(demoToken, logger);
  } catch (error) {
    // Who stops it before it has started has no need to know.
    if (supervisor.isClosing) return;
    logger.error({ err: error }, 'could not start');
    process.exitCode = 1;
    stop('could not start');
  }
}

async function runWorker(): Promise<void> {
  let seat: Seat;
  try {
    seat = await takeSeat(process as Channel, systemTimers);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
    return;
  }
  const logger = createLogger(seat.config.logLevel).child({ worker: seat.worker });
  surviveRejections(logger);
  await runTapeql(seat.config, { logger, listens: seat.config.role === 'api', seat });
}

/** A promise whose failure nobody waited for is a mistake of ours, to be seen in the log: no reason to leave all clients. */
function surviveRejections(logger: Logger): void {
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled promise rejection'));
}

/** Ends the process when all is closed, at the first signal; `process.exitCode` is its status where that was set before. */
function stopOnce(
  close: () => Promise<void>,
  options: { readonly deadlineMs: number; readonly lateStatus: () => number; readonly logger: Logger },
): (signal: string) => void {
  const { deadlineMs, lateStatus, logger } = options;
  let isStopping = false;
  return (signal) => {
    if (isStopping) return;
    isStopping = true;
    logger.info({ signal }, 'stopping');
    const late = setTimeout(() => {
      const status = lateStatus();
      logger[status === 0 ? 'info' : 'error']({ deadlineMs }, 'could not stop in time: what is under way is given up');
      process.exit(status);
    }, deadlineMs);
    close().then(
      () => {
        clearTimeout(late);
        logger.info({}, 'stopped');
        process.exit();
      },
      (error: unknown) => {
        logger.error({ err: error }, 'could not stop in order');
        process.exit(1);
      },
    );
  };
}

if (import.meta.main) await run();
