import { type DestinationStream, type LevelWithSilent, pino } from 'pino';
import type { Logger } from '../market/logger.ts';

/** What waits to be written where stdout does not take it, in bytes. Lines beyond it are dropped. */
const MAX_WAITING = 4 * 1024 * 1024;

/** Structured logs, one JSON object a line; to stdout unless told otherwise. What may hold a secret is never printed. */
export function createLogger(level: LevelWithSilent, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['authorization', '*.authorization', '["x-api-key"]', '*["x-api-key"]', 'apiKey', '*.apiKey'],
        censor: '[redacted]',
      },
    },
    destination ?? createStdout(),
  );
}

function createStdout(): DestinationStream {
  const stdout = pino.destination({ fd: 1, sync: false, maxLength: MAX_WAITING });
  // A reader that is gone (EPIPE) or a disk that is full (ENOSPC) costs the log, and nothing else.
  stdout.on('error', () => {});
  return stdout;
}
