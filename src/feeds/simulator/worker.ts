import { parentPort, workerData } from 'node:worker_threads';
import type { Logger } from '../../market/logger.ts';
import type { WorkerMessage } from './simulator-process.ts';
import { startSimulator } from './simulator.ts';
import type { SimulatorOptions } from './simulator.ts';

const port = parentPort;
if (port === null) throw new Error('worker.ts is the thread of simulator-process.ts');

const post = (message: WorkerMessage): void => port.postMessage(message);

const log =
  (level: 'debug' | 'info' | 'warn' | 'error') =>
  (fields: object, text: string): void => {
    post({ kind: 'log', level, fields, text });
  };

const logger: Logger = {
  debug: log('debug'),
  info: log('info'),
  warn: log('warn'),
  error: log('error'),
  child: () => logger,
};

try {
  const simulator = await startSimulator({ ...(workerData as SimulatorOptions), logger });
  port.once('message', () => {
    // With nothing left to wait for the thread ends.
    void simulator.close().then(() => port.close());
  });
  post({ kind: 'started', wsUrl: simulator.wsUrl, restUrl: simulator.restUrl });
} catch (error) {
  post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  port.close();
}
