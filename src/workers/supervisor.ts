import { createServer } from 'node:net';
import type { Config } from '../config.ts';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import type { Answers, Topic } from '../server/crew.ts';
import { Inquiry } from './inquiry.ts';
import { type AddCounts, KeptCounts } from './kept-counts.ts';
import { ANSWER_TIMEOUT_MS, type Started, type ToSupervisor } from './messages.ts';
import { type Ending, WorkerProcess } from './worker-process.ts';

export type SupervisorOptions = {
  /** Api processes; more than one. */
  readonly count: number;
  /** The file that a worker runs. */
  readonly program: string;
  readonly addCounts: AddCounts;
  /** A worker cannot be started again, time after time: the whole is to end. Not called before `start` has resolved. */
  readonly onFailed: (error: Error) => void;
  readonly timers: Timers;
  readonly logger: Logger;
};

/** Nobody starts for the first time in vain so often by accident. */
const MAX_FAILED_STARTS = 3;
const INITIAL_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;
/** One that has served so long begins anew with the shortest delay. */
const STEADY_MS = 30_000;
/** A worker gives itself less: who is still there then does not run any more. */
const KILL_AFTER_MS = 5500;
/** One that owes so many answers is asked no more before it gives one: what it would be asked is not kept for it. */
const MAX_OWED = 8;
/** What holds counts that must not go back. */
const COUNTS: Topic = 'metrics';

/** A place among the workers; the process in it changes. */
type Place = {
  readonly worker: string;
  readonly role: 'api' | 'ingest';
  readonly maxConnections: number;
  process: WorkerProcess | null;
  /** Since when it serves, by the timers' clock; `null`: it does not. */
  servingSince: number | null;
  failedStarts: number;
  delayMs: number;
  owed: number;
  cancelRestart: (() => void) | null;
};

/**
 * Keeps the workers running: api processes that share the port, each of which is a whole, and with ROLE=all one ingest
 * process. That is a process of its own as well, so that what the market prints takes no time from a delivery, and the
 * supervisor nothing but to look after them: it stays up whatever becomes of the rest.
 */
export class Supervisor {
  readonly #config: Config;
  readonly #options: SupervisorOptions;
  readonly #places: readonly Place[];
  readonly #inquiries = new Map<number, Inquiry>();
  /** What all are being asked. */
  readonly #asking = new Map<Topic, Promise<Answers<unknown>>>();
  #questions = 0;
  readonly #counts: KeptCounts;
  #port: number;
  #adminPort: number | null;
  #url = '';
  #adminUrl: string | null = null;
  #demoToken: string | null = null;
  #closing = false;
  readonly #closed = Promise.withResolvers<void>();
  readonly #failures: Error[] = [];
  readonly #started = Promise.withResolvers<Started>();
  #hasStarted = false;

  constructor(config: Config, options: SupervisorOptions) {
    this.#config = config;
    this.#options = options;
    this.#port = config.port;
    this.#adminPort = config.adminPort;
    this.#counts = new KeptCounts(options.addCounts, options.logger);
    const apis = Array.from({ length: options.count }, (_, index) =>
      makePlace(`api-${index + 1}`, 'api', shareOf(config.maxConnections, options.count, index)),
    );
    this.#places = config.role === 'all' ? [makePlace('ingest', 'ingest', 0), ...apis] : apis;
    this.#started.promise.catch(() => undefined);
  }

  /**
   * Resolves once all of them serve.
   * @throws where the port is taken, or a worker cannot be started
   */
  async start(): Promise<Started> {
    // Workers share their port with whoever wants to share it, also with another system than theirs: it has to be free.
    const { host, port, adminHost, adminPort } = this.#config;
    if (port !== 0) await tryPort(host, port);
    if (adminPort !== null && adminPort !== 0) await tryPort(adminHost, adminPort);
    // The first tells the port to the others, where the system chooses it, and shows what it takes to start.
    const first = this.#places.find(({ role }) => role === 'api');
    for (const place of this.#places) {
      if (!this.#closing && (place === first || place.role === 'ingest')) this.#launch(place);
    }
    return this.#started.promise;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  /**
   * Ends all in order, at once.
   * @throws where one did not end in order
   */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#started.reject(new Error('stopped before it had started'));
      for (const place of this.#places) {
        place.cancelRestart?.();
        place.process?.end();
      }
      const cancel = this.#options.timers.after(KILL_AFTER_MS, () => {
        for (const { process } of this.#places) process?.kill();
      });
      void this.#closed.promise.then(cancel);
      this.#closeWhenEmpty();
    }
    return this.#closed.promise.then(() => {
      if (this.#failures.length > 0) throw new AggregateError(this.#failures, 'not every worker ended in order');
    });
  }

  #closeWhenEmpty(): void {
    if (this.#places.every(({ process }) => process === null)) this.#closed.resolve();
  }

  #launch(place: Place): void {
    const { worker, role, maxConnections } = place;
    place.cancelRestart = null;
    place.owed = 0;
    place.process = new WorkerProcess({
      program: this.#options.program,
      worker,
      config: { ...this.#config, role, port: this.#port, adminPort: this.#adminPort, maxConnections },
      onMessage: (message) => this.#hear(place, message),
      onEnd: (ending) => this.#noteEnd(place, ending),
    });
  }

  #hear(place: Place, message: ToSupervisor): void {
    switch (message.kind) {
      case 'started':
        this.#noteStarted(place, message);
        break;
      case 'ask':
        this.#ask(place, message.question, message.topic);
        break;
      case 'answer':
        place.owed--;
        if (message.topic === COUNTS) this.#counts.note(place.worker, message.answer);
        this.#inquiries.get(message.question)?.take(place.worker, message.answer);
        break;
      case 'no answer':
        place.owed--;
        this.#inquiries.get(message.question)?.giveUp(place.worker);
        break;
    }
  }

  #noteStarted(place: Place, { url, adminUrl, demoToken }: Started): void {
    place.servingSince = this.#options.timers.now();
    place.failedStarts = 0;
    this.#demoToken ??= demoToken;
    if (url !== null) {
      this.#url = url;
      // A URL does not name the port that its protocol has anyway.
      this.#port = Number(new URL(url).port || 80);
    }
    if (adminUrl !== null) {
      this.#adminUrl = adminUrl;
      this.#adminPort = Number(new URL(adminUrl).port || 80);
    }
    if (this.#closing) return;
    // Those that have waited for the first.
    if (place.role === 'api') {
      for (const other of this.#places) {
        if (other.process === null && other.cancelRestart === null) this.#launch(other);
      }
    }
    if (this.#places.every(({ servingSince }) => servingSince !== null)) {
      this.#hasStarted = true;
      this.#started.resolve({ url: this.#url, adminUrl: this.#adminUrl, demoToken: this.#demoToken });
    }
  }

  #noteEnd(place: Place, ending: Ending): void {
    const { worker, servingSince } = place;
    const { logger, timers } = this.#options;
    const pid = place.process?.pid;
    place.process = null;
    place.servingSince = null;
    this.#counts.retire(worker);
    for (const inquiry of this.#inquiries.values()) inquiry.giveUp(worker);
    if (this.#closing) {
      // One that had not come to serve had nothing to end in order.
      if (servingSince !== null && ending.status !== 0)
        this.#failures.push(new Error(`${worker} ended with ${ending.signal ?? `status ${ending.status}`}`));
      this.#closeWhenEmpty();
      return;
    }
    if (servingSince === null) {
      place.failedStarts++;
      if (place.failedStarts === MAX_FAILED_STARTS) {
        const error = new Error(`the worker ${worker} could not be started, ${MAX_FAILED_STARTS} times in a row`);
        if (this.#hasStarted) this.#options.onFailed(error);
        else this.#started.reject(error);
        return;
      }
    } else if (timers.now() - servingSince >= STEADY_MS) {
      place.delayMs = INITIAL_DELAY_MS;
    }
    const { delayMs } = place;
    place.delayMs = Math.min(MAX_DELAY_MS, 2 * delayMs);
    logger.warn({ ended: worker, pid, ...ending, delayMs }, 'a worker ended and is started again');
    place.cancelRestart = timers.after(delayMs, () => this.#launch(place));
  }

  /** Who asks while all are being asked the same shares their answers: however many ask, each worker is asked once at a time. */
  #ask(asking: Place, question: number, topic: Topic): void {
    const answers = this.#asking.get(topic) ?? this.#askAll(topic);
    // Who comes in its place has asked nothing.
    const { process } = asking;
    answers.then(
      (told) => process?.tell({ kind: 'answers', question, answers: told }),
      (error: unknown) => this.#options.logger.error({ err: error, topic }, 'the workers could not be asked'),
    );
  }

  #askAll(topic: Topic): Promise<Answers<unknown>> {
    const asked = this.#places.filter(({ servingSince, owed }) => servingSince !== null && owed < MAX_OWED);
    const missing = this.#places.filter((place) => !asked.includes(place));
    const inquiry = new Inquiry({
      asked: asked.map(({ worker }) => worker),
      missing: missing.map(({ worker }) => worker),
      timers: this.#options.timers,
      timeoutMs: ANSWER_TIMEOUT_MS,
    });
    const question = this.#questions++;
    this.#inquiries.set(question, inquiry);
    for (const place of asked) {
      place.owed++;
      place.process?.tell({ kind: 'question', question, topic });
    }
    const answers = inquiry.outcome.then(async (outcome) => {
      this.#inquiries.delete(question);
      this.#asking.delete(topic);
      return { ...outcome, past: topic === COUNTS ? await this.#counts.list(outcome.missing) : [] };
    });
    this.#asking.set(topic, answers);
    return answers;
  }
}

function makePlace(worker: string, role: Place['role'], maxConnections: number): Place {
  return {
    worker,
    role,
    maxConnections,
    process: null,
    servingSince: null,
    failedStarts: 0,
    delayMs: INITIAL_DELAY_MS,
    owed: 0,
    cancelRestart: null,
  };
}

/** All shares together are the whole, but that everyone has at least one. */
function shareOf(whole: number, count: number, index: number): number {
  return Math.max(1, Math.floor(whole / count) + (index < whole % count ? 1 : 0));
}

/** @throws where somebody has the port */
function tryPort(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer((socket) => socket.destroy());
    probe.once('error', reject);
    probe.listen({ host, port }, () => probe.close(() => resolve()));
  });
}
