import type { Logger } from '../src/market/logger.ts';

export type LogLine = { readonly level: string; readonly message: string; readonly fields: object };

/** A logger that keeps its lines, for tests to look at. */
export function createTestLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, message, fields });
  const logger = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}
