import type pg from 'pg';
import type { Timers } from '../market/timers.ts';
import { waitAtMost } from '../market/timers.ts';
import { DatabaseConnectError, DatabaseDeadlineError } from './database-faults.ts';

/** How long a connection may take to be ended in order. */
const END_MS = 500;

/** @throws {DatabaseConnectError} */
export async function connectClient(client: pg.Client): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    throw new DatabaseConnectError('The database cannot be connected to.', { cause: error });
  }
}

/** Ends a connection at once, without a word: what is under way on it fails. Harmless where it has ended. */
export function cutOff(client: pg.Client | pg.PoolClient): void {
  // `end()` says goodbye and waits for an answer, which a peer that is silent never gives.
  (client as pg.Client).connection.stream.destroy();
}

/** Ends a connection in order, or after half a second by force. */
export async function endClient(client: pg.Client, timers: Timers): Promise<void> {
  const ended = client.end().catch(() => {});
  if (!(await waitAtMost(END_MS, timers, ended))) cutOff(client);
}

/**
 * Waits for what a database is to answer; where it takes longer than `deadlineMs`, `onLate` is called and the wait is over.
 * @throws {DatabaseDeadlineError}
 */
export async function waitForAnswer<T>(
  work: Promise<T>,
  options: { readonly deadlineMs: number; readonly timers: Timers; readonly onLate: () => void },
): Promise<T> {
  const { deadlineMs, timers, onLate } = options;
  const { promise: late, reject } = Promise.withResolvers<never>();
  let isOver = false;
  const cancel = timers.after(deadlineMs, () => {
    // Where this very process was busy, the answer may lie in the socket unread: one turn of the loop to read it.
    setImmediate(() => {
      if (isOver) return;
      reject(new DatabaseDeadlineError(`The database did not answer within ${deadlineMs} ms.`));
      onLate();
    });
  });
  work.catch(() => {});
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    isOver = true;
    cancel();
  }
}
