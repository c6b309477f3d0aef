import { type Config, ConfigError, readConfig } from './config.ts';
import { createLogger } from './server/log.ts';
import { startTapeql } from './tapeql.ts';

const STOP_DEADLINE_MS = 5000;

/** Runs until SIGTERM or SIGINT; what cannot be closed in time is left behind. */
async function run(): Promise<void> {
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
  // An ingest process serves no clients: it opens a port, for the operator's routes, only where it is told one.
  const listens = config.role !== 'ingest' || (env['PORT'] ?? '') !== '';
  const starting = startTapeql(config, { logger, listens });
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping');
    const late = setTimeout(() => {
      logger.error({}, 'could not stop in time');
      process.exit(1);
    }, STOP_DEADLINE_MS);
    starting
      .then((tapeql) => tapeql.close())
      .then(
        () => {
          clearTimeout(late);
          logger.info({}, 'stopped');
          process.exit(0);
        },
        (error: unknown) => {
          logger.error({ err: error }, 'could not stop in order');
          process.exit(1);
        },
      );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    const { url } = await starting;
    logger.info({ url, role: config.role, feed: config.feed }, url === null ? 'started' : `TapeQL is at ${url}`);
  } catch (error) {
    logger.error({ err: error }, 'could not start');
    process.exitCode = 1;
  }
}

if (import.meta.main) await run();
