import type { Logger } from '../../market/logger.ts';

export type LogLine = { readonly level: string; readonly fields: object; readonly message: string };

/** A logger that keeps what is said, bindings included. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[];
  readonly #bindings: object;

  constructor(lines: LogLine[] = [], bindings: object = {}) {
    this.lines = lines;
    this.#bindings = bindings;
  }

  debug(fields: object, message: string): void {
    this.#keep('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#keep('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#keep('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#keep('error', fields, message);
  }

  child(bindings: Record<string, unknown>): Logger {
    return new RecordingLogger(this.lines, { ...this.#bindings, ...bindings });
  }

  /** All that was said at this level. */
  said(level: string): LogLine[] {
    return this.lines.filter((line) => line.level === level);
  }

  #keep(level: string, fields: object, message: string): void {
    this.lines.push({ level, fields: { ...this.#bindings, ...fields }, message });
  }
}
