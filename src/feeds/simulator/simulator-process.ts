import { Worker } from 'node:worker_threads';
import type { Logger } from '../../market/logger.ts';
import type { SimulatorOptions } from './simulator.ts';

/** Options that can cross to another thread. */
export type SimulatorProcessOptions = Omit<SimulatorOptions, 'clock' | 'logger'> & { readonly logger?: Logger };

export interface SimulatorProcess {
  readonly wsUrl: string;
  readonly restUrl: string;
  /** Resolves when the exchange is gone: closed, or failed (which the logger is told). Never rejects. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** What the thread says. */
export type WorkerMessage =
  | { readonly kind: 'started'; readonly wsUrl: string; readonly restUrl: string }
  | { readonly kind: 'failed'; readonly message: string }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly text: string;
    };

/** The heap that the exchange may take, its garbage included. */
const MAX_HEAP_MB = 512;
/** Short-lived strings are most of what it makes: a small nursery is cheap to sweep and keeps the process small. */
const MAX_NURSERY_MB = 16;

/**
 * Runs the exchange in a thread of its own, so that it shares no event loop with those that it feeds and everything
 * passes a real socket. It dies with this process.
 *
 * @throws {Error} where it cannot start: an option out of range, a port that is taken
 */
export async function startSimulatorProcess(options: SimulatorProcessOptions = {}): Promise<SimulatorProcess> {
  const { logger, ...workerData } = options;
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData,
    // Flags of the parent (a debugger, a test runner's loader) are not meant for it.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB, maxYoungGenerationSizeMb: MAX_NURSERY_MB },
  });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
  const urls = await new Promise<{ wsUrl: string; restUrl: string }>((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'started') resolve(message);
      else if (message.kind === 'failed') reject(new Error(message.message));
      // Under `node --watch` Node tells here, too, which files the thread has read.
      else if (message.kind === 'log') logger?.[message.level](message.fields, message.text);
    });
    worker.on('error', (error: Error) => {
      logger?.error({ error }, 'simulator: the exchange has failed');
      reject(error);
    });
    worker.once('exit', () => reject(new Error('the simulated exchange ended before it had started')));
  });
  return {
    wsUrl: urls.wsUrl,
    restUrl: urls.restUrl,
    ended,
    close: async () => {
      worker.postMessage('close');
      await ended;
    },
  };
}
