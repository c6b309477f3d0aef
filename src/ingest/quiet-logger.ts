import type { Logger } from '../market/logger.ts';

/** A logger for tests that keeps silent. */
export const quietLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => quietLogger,
};
