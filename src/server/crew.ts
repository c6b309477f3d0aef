import type { HealthReport } from './health.ts';
import type { MetricsReport } from './metrics.ts';
import type { Stats } from './stats.ts';

/** What a process tells of itself to the one that answers for all; each can be cloned to another process. */
export type Reports = {
  readonly health: () => HealthReport;
  /** Where its clients come from, each address once. */
  readonly addresses: () => readonly string[];
  readonly stats: () => Stats & { readonly pid: number };
  readonly metrics: () => Promise<MetricsReport>;
};

export type Topic = keyof Reports;

export type Answer<T> = { readonly worker: string; readonly answer: T };

export type Answers<T> = {
  /** Of this process and of all that answered in time, by name. */
  readonly answers: readonly Answer<T>[];
  /** Those that did not answer in time, or that are being started again. */
  readonly missing: readonly string[];
  /** What those said last that are silent or gone, for counts that must not go back: of metrics only. */
  readonly past: readonly T[];
};

/** The processes of this host that share its port, seen from one of them. */
export type Crew = {
  /** Resolves within about a second, whatever the others do; rejects only where this process cannot tell of itself. */
  ask<K extends Topic>(topic: K): Promise<Answers<Awaited<ReturnType<Reports[K]>>>>;
  /** To be called before this process says that it has started: from then on it is asked. */
  answerWith(reports: Reports): void;
};
