import type { Logger } from '../src/market/logger.ts';

export type LogRecord = {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
};

/** A logger whose records a test can look at; those of its children are among them. */
export function recordingLogger(): { readonly logger: Logger; readonly records: LogRecord[] } {
  const records: LogRecord[] = [];
  const log = (bindings: object): Logger => ({
    debug: (fields, message) => void records.push({ level: 'debug', fields: { ...bindings, ...fields }, message }),
    info: (fields, message) => void records.push({ level: 'info', fields: { ...bindings, ...fields }, message }),
    warn: (fields, message) => void records.push({ level: 'warn', fields: { ...bindings, ...fields }, message }),
    error: (fields, message) => void records.push({ level: 'error', fields: { ...bindings, ...fields }, message }),
    child: (more) => log({ ...bindings, ...more }),
  });
  return { logger: log({}), records };
}
