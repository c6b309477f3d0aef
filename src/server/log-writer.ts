import { fstatSync, write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

const STDOUT = 1;
/** Lines that wait to be written, in characters. What comes beyond is dropped, and counted in a line of its own. */
const MAX_WAITING = 4 * 1024 * 1024;
/** Between two tries where stdout takes nothing now, and how many there are at the end of the process. */
const RETRY_MS = 20;
const MAX_LAST_TRIES = 10;

/** Writes a text and calls back, whatever has come of it. */
type Output = (text: string, done: () => void) => void;

/**
 * Writes the log to stdout, in order, and never hinders the process: a reader that is gone or stands still, or a disk that is
 * full, costs lines and nothing else. pino's own destination (sonic-boom 4.2.1) keeps a process from ending then: at the exit it
 * tries for ever to write what cannot be written, and a pipe that is full blocks the thread that writes to it.
 */
export class LogWriter implements DestinationStream {
  readonly #output: Output;
  #lines: string[] = [];
  #waiting = 0;
  #dropped = 0;
  #isWriting = false;

  constructor() {
    this.#output = isPipe() ? writeToPipe() : (text, done) => writeAll(Buffer.from(text), done);
    process.once('exit', () => this.#finish());
  }

  write(line: string): void {
    if (this.#waiting + line.length > MAX_WAITING) {
      this.#dropped += 1;
      return;
    }
    this.#lines.push(line);
    this.#waiting += line.length;
    if (!this.#isWriting) this.#writeNext();
  }

  #writeNext(): void {
    const text = this.#take();
    if (text === '') return;
    this.#isWriting = true;
    this.#output(text, () => {
      this.#isWriting = false;
      this.#writeNext();
    });
  }

  #take(): string {
    if (this.#dropped > 0) {
      const fields = { level: 'warn', time: new Date().toISOString(), dropped: this.#dropped };
      this.#lines.push(
        `${JSON.stringify({ ...fields, msg: 'lines of the log were dropped: stdout did not take them' })}\n`,
      );
      this.#dropped = 0;
    }
    const text = this.#lines.join('');
    this.#lines = [];
    this.#waiting = 0;
    return text;
  }

  /** There is no event loop any more. */
  #finish(): void {
    let rest = Buffer.from(this.#take());
    for (let tries = 0; rest.length > 0 && tries < MAX_LAST_TRIES;) {
      try {
        rest = rest.subarray(writeSync(STDOUT, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        tries += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }
}

/** A pipe or a socket, which has a reader. */
function isPipe(): boolean {
  try {
    const status = fstatSync(STDOUT);
    return status.isFIFO() || status.isSocket();
  } catch {
    return false;
  }
}

/** Node writes there without waiting for the reader. */
function writeToPipe(): Output {
  const stdout = process.stdout;
  // Nobody reads any more: each write says so.
  stdout.on('error', () => {});
  return (text, done) => void stdout.write(text, () => done());
}

function writeAll(bytes: Buffer, done: () => void): void {
  write(STDOUT, bytes, 0, bytes.length, null, (error, written) => {
    if (error?.code === 'EAGAIN') setTimeout(writeAll, RETRY_MS, bytes, done);
    // The next line is tried again: there may be room on the disk by then.
    else if (error !== null || written === bytes.length) done();
    else writeAll(bytes.subarray(written), done);
  });
}
