import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Plain JavaScript, for a worker has no other file than this text. It takes ports, and flushes their servers in that order. */
const SOURCE = `
const { connect } = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');
const flush = (port) => new Promise((resolve, reject) => {
  const socket = connect(port, '127.0.0.1', () => socket.write('FLUSHALL\\r\\n'));
  socket.on('data', () => { socket.destroy(); resolve(); });
  socket.on('error', reject);
});
parentPort.on('message', async (ports) => {
  for (const port of ports) await flush(port);
  Atomics.store(workerData, 0, 1);
  Atomics.notify(workerData, 0);
});
parentPort.postMessage('ready');
`;

/**
 * Empties several Redis servers, one after the other, while this thread stands still: however slow the machine is, what runs on this
 * thread notices nothing before all of them are empty.
 */
export class BlockingFlush implements AsyncDisposable {
  readonly #flag = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker = new Worker(SOURCE, { eval: true, workerData: this.#flag });

  static async start(): Promise<BlockingFlush> {
    const flush = new BlockingFlush();
    await once(flush.#worker, 'message');
    return flush;
  }

  run(ports: readonly number[]): void {
    Atomics.store(this.#flag, 0, 0);
    this.#worker.postMessage(ports);
    const outcome = Atomics.wait(this.#flag, 0, 0, 60_000);
    if (outcome === 'timed-out') throw new Error('the servers could not be emptied');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
