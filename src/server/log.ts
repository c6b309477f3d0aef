import { type DestinationStream, type LevelWithSilent, pino } from 'pino';
import type { Logger } from '../market/logger.ts';
import { LogWriter } from './log-writer.ts';

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
    destination ?? new LogWriter(),
  );
}
