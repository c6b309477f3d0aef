import type { CloseCause } from './close-codes.ts';

/** How the client stands with its server, in one word. */
export type TapeState =
  /** Nothing is wrong, and nothing has been heard yet. Also where nothing is subscribed. */
  | 'connecting'
  /** The WebSocket stands. */
  | 'live'
  /** The WebSocket broke, and is being made anew: what ran on it goes on where it was. */
  | 'resuming'
  /** No WebSocket comes through: events arrive at once all the same, by server-sent events. */
  | 'degraded'
  /** Neither comes through: the server is asked every few seconds. */
  | 'polling'
  /** The server cannot be reached, or has refused this client. What is asked for meanwhile waits. */
  | 'offline';

/** One object for as long as nothing of it changes. */
export type TapeStatus = {
  readonly state: TapeState;
  /** Since when it has been in this state, in Unix ms. */
  readonly since: number;
  /** Attempts in a row that came to nothing. */
  readonly failures: number;
  /** When the WebSocket is tried next, in Unix ms; `null` where it stands, is being tried, or is not wanted. */
  readonly retryAt: number | null;
  /** Why the WebSocket does not stand; `null` where it does, or was never tried. */
  readonly cause: CloseCause | null;
  /** The server has refused this client for good (credentials, origin): nothing is tried until `retryNow`. */
  readonly isRefused: boolean;
  /** Queries and mutations that wait for the server to be reached. */
  readonly waiting: number;
};

/** Fit for React's `useSyncExternalStore(status.subscribe, status.getSnapshot)`; both may be called unbound. */
export type TapeStatusStore = {
  readonly getSnapshot: () => TapeStatus;
  /** Calls the listener at each change; returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Tries to connect at once, whatever the wait, and also where the server has refused: for a button. */
  readonly retryNow: () => void;
};
