import pg from 'pg';
import type { Timers } from '../market/timers.ts';
import { connectClient, cutOff, endClient, waitForAnswer } from './database-client.ts';

/** What the role of the one process that works open orders is locked by. */
const WORK_LOCK = 7_283_002;
/** How often its connection is looked at, and how long it may take to answer. */
const LOOK_MS = 3_000;
const ANSWER_MS = 5_000;

export type WorkRoleOptions = {
  readonly connection: pg.ClientConfig;
  readonly timers: Timers;
  /** Called once, where the role is lost and not given back. */
  readonly onLost: () => void;
  /** Called with what ends the connection at once, while the role is asked for. */
  readonly onConnection: (abort: () => void) => void;
};

/**
 * Asks a server for the role of the one process that works open orders: `null` where another has it, else what gives it back. The
 * role is held by a connection, and lost with it: also with one that is silent, which is looked for on both sides.
 */
export async function takeWorkRole(options: WorkRoleOptions): Promise<(() => Promise<void>) | null> {
  const { timers, onLost } = options;
  const client = new pg.Client(options.connection);
  options.onConnection(() => cutOff(client));
  let isHeld = false;
  let stopLooking = (): void => {};
  const lose = (): void => {
    stopLooking();
    if (!isHeld) return;
    isHeld = false;
    cutOff(client);
    onLost();
  };
  client.on('error', lose);
  client.on('end', lose);
  const release = async (): Promise<void> => {
    isHeld = false;
    stopLooking();
    await endClient(client, timers);
  };
  try {
    await connectClient(client);
    const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [WORK_LOCK]);
    if (rows[0]?.held !== true) {
      await release();
      return null;
    }
    // Where this host is gone without a word, the server would keep the role for it for two hours.
    await client.query(`SELECT set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '5', false),
      set_config('tcp_keepalives_count', '3', false)`);
  } catch (error) {
    await release();
    throw error;
  }
  isHeld = true;
  const look = (): void => {
    stopLooking = timers.after(LOOK_MS, () => {
      const answer = client.query('SELECT 1');
      waitForAnswer(answer, { deadlineMs: ANSWER_MS, timers, onLate: lose }).then(() => {
        if (isHeld) look();
      }, lose);
    });
  };
  look();
  return release;
}
