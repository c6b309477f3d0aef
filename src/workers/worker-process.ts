import { type ChildProcess, fork } from 'node:child_process';
import type { Config } from '../config.ts';
import { type ToSupervisor, type ToWorker, WORKER_ARGUMENT } from './messages.ts';

export type Ending = { readonly status: number | null; readonly signal: string | null };

export type WorkerProcessOptions = {
  /** The file that Node is to run. */
  readonly program: string;
  readonly worker: string;
  readonly config: Config;
  readonly onMessage: (message: ToSupervisor) => void;
  /** Called once, whatever it ended of; also where it could not even be started. */
  readonly onEnd: (ending: Ending) => void;
};

/** One worker, from its start to its end. */
export class WorkerProcess {
  readonly #child: ChildProcess;

  constructor({ program, worker, config, onMessage, onEnd }: WorkerProcessOptions) {
    this.#child = fork(program, [WORKER_ARGUMENT], {
      // What it logs goes where its supervisor's log goes.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Figures may be no number, which JSON cannot tell.
      serialization: 'advanced',
      // A debugger listens at a port that the supervisor has.
      execArgv: process.execArgv.filter((flag) => !flag.startsWith('--inspect')),
    });
    let ended = false;
    // What still comes through the channel after its end is of nobody.
    this.#child.on('message', (message) => {
      if (!ended) onMessage(message as ToSupervisor);
    });
    const end = (status: number | null, signal: string | null): void => {
      if (ended) return;
      ended = true;
      onEnd({ status, signal });
    };
    this.#child.once('exit', end);
    // What cannot be started has no number and no exit; any other error says nothing of its end.
    this.#child.on('error', () => {
      if (this.#child.pid === undefined) end(null, null);
    });
    this.tell({ kind: 'start', worker, config });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  tell(message: ToWorker): void {
    // That it is gone is told by its end.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  end(): void {
    this.#child.kill('SIGTERM');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
