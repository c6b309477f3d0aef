import type { Config } from '../config.ts';
import type { Timers } from '../market/timers.ts';
import type { Answers, Crew, Reports, Topic } from '../server/crew.ts';
import { ANSWER_TIMEOUT_MS, type Started, type ToSupervisor, type ToWorker } from './messages.ts';

/** The supervisor answers in time whoever is silent. Where it is silent itself, a process tells of itself alone, and that. */
const SUPERVISOR_TIMEOUT_MS = ANSWER_TIMEOUT_MS + 500;
const NO_ANSWERS: Answers<unknown> = { answers: [], missing: ['supervisor'], past: [] };

/** A worker's end of the channel to its supervisor; `process` has all of it. */
export type Channel = {
  readonly connected: boolean;
  readonly send?: (message: ToSupervisor, handle: undefined, options: undefined, done: () => void) => boolean;
  on(event: 'message', listener: (message: ToWorker) => void): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
};

/** What a worker was told to be. */
export type Seat = {
  readonly worker: string;
  readonly config: Config;
  readonly crew: Crew;
  /** Tells the supervisor that this worker has begun its work. */
  noteStarted(started: Started): void;
  /** The supervisor is gone: nobody would end this worker or start it again. It is to end by itself. */
  onAbandoned(listener: () => void): void;
};

/**
 * Resolves once the supervisor has said what this process is to be.
 * @throws where there is no supervisor, or none any more
 */
export function takeSeat(channel: Channel, timers: Timers): Promise<Seat> {
  const tell = (message: ToSupervisor): void => {
    // One that is gone is told nothing; that it is gone is noticed by `onAbandoned`.
    if (channel.connected) channel.send?.(message, undefined, undefined, () => {});
  };
  const onAbandoned = (listener: () => void): void => {
    if (channel.connected) channel.once('disconnect', listener);
    else listener();
  };
  return new Promise((resolve, reject) => {
    onAbandoned(() => reject(new Error('A worker needs its supervisor: start the program without arguments.')));
    let crew: WorkerCrew | null = null;
    channel.on('message', (message) => {
      switch (message.kind) {
        case 'start': {
          const { worker, config } = message;
          crew = new WorkerCrew(worker, tell, timers);
          resolve({
            worker,
            config,
            crew,
            noteStarted: (started) => tell({ kind: 'started', ...started }),
            onAbandoned,
          });
          break;
        }
        case 'question':
          crew?.answer(message.question, message.topic);
          break;
        case 'answers':
          crew?.settle(message.question, message.answers);
          break;
      }
    });
  });
}

class WorkerCrew implements Crew {
  readonly #worker: string;
  readonly #tell: (message: ToSupervisor) => void;
  readonly #timers: Timers;
  #reports: Reports | null = null;
  readonly #asked = new Map<number, (answers: Answers<unknown>) => void>();
  #questions = 0;

  constructor(worker: string, tell: (message: ToSupervisor) => void, timers: Timers) {
    this.#worker = worker;
    this.#tell = tell;
    this.#timers = timers;
  }

  answerWith(reports: Reports): void {
    this.#reports = reports;
  }

  ask<K extends Topic>(topic: K): Promise<Answers<Awaited<ReturnType<Reports[K]>>>> {
    const question = this.#questions++;
    const { promise, resolve, reject } = Promise.withResolvers<Answers<unknown>>();
    const cancel = this.#timers.after(SUPERVISOR_TIMEOUT_MS, () => {
      this.#asked.delete(question);
      const own = Promise.resolve(this.#reports?.[topic]());
      own.then((answer) => resolve({ ...NO_ANSWERS, answers: [{ worker: this.#worker, answer }] }), reject);
    });
    this.#asked.set(question, (answers) => {
      cancel();
      this.#asked.delete(question);
      resolve(answers);
    });
    this.#tell({ kind: 'ask', question, topic });
    return promise as Promise<Answers<Awaited<ReturnType<Reports[K]>>>>;
  }

  /** A process asks: another one, or this one through the supervisor. */
  answer(question: number, topic: Topic): void {
    Promise.resolve(this.#reports?.[topic]()).then(
      (answer) => this.#tell({ kind: 'answer', question, topic, answer }),
      () => this.#tell({ kind: 'no answer', question }),
    );
  }

  settle(question: number, answers: Answers<unknown>): void {
    this.#asked.get(question)?.(answers);
  }
}
