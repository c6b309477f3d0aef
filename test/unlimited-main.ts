import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/server/log.ts';
import { startTapeql } from '../src/tapeql.ts';
import { UNLIMITED_WORK } from './unlimited-work.ts';

/* The system in a process of its own, as src/main.ts starts it, for a test of one bound that the bound on CPU time would keep it from. */

const config = readConfig(process.env);
const logger = createLogger(config.logLevel);
const { url } = await startTapeql(config, { logger, tuning: { workLimits: UNLIMITED_WORK } });
logger.info({ url }, `TapeQL is at ${url}`);
