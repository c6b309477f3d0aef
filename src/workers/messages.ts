import type { Config } from '../config.ts';
import type { Answers, Topic } from '../server/crew.ts';

/** What the supervisor says to a worker; both speak over the channel that Node opens between a process and its child. */
export type ToWorker =
  /** What the worker is, and all that it has to know: it reads no environment. */
  | { readonly kind: 'start'; readonly worker: string; readonly config: Config }
  | { readonly kind: 'question'; readonly question: number; readonly topic: Topic }
  | { readonly kind: 'answers'; readonly question: number; readonly answers: Answers<unknown> };

/** What there is to know of a worker that does its work. */
export type Started = {
  /** Where it listens; `null` where it serves no clients. */
  readonly url: string | null;
  /** Where the operator's pages are, where they have a port of their own. */
  readonly adminUrl: string | null;
  /** Signs in the one user that there is where no way to tell users apart is configured. */
  readonly demoToken: string | null;
};

/** What a worker says to its supervisor. */
export type ToSupervisor =
  /** It does its work. */
  | ({ readonly kind: 'started' } & Started)
  /** It was asked for what all have to tell together: all are to be asked, itself among them. */
  | { readonly kind: 'ask'; readonly question: number; readonly topic: Topic }
  | { readonly kind: 'answer'; readonly question: number; readonly topic: Topic; readonly answer: unknown }
  | { readonly kind: 'no answer'; readonly question: number };

/** The argument that makes a process of this program a worker. */
export const WORKER_ARGUMENT = 'worker';

/** Who does not answer within this is left out. */
export const ANSWER_TIMEOUT_MS = 1000;
