import { type Clock, systemClock } from './clock.ts';
import type { CloseCause } from './close-codes.ts';
import type { Ladder } from './ladder.ts';
import type { Network } from './network.ts';
import type { SocketState, WebSocketTransport } from './web-socket-transport.ts';

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

export type TapeStatusOptions = {
  readonly socket: Pick<WebSocketTransport, 'getState' | 'watchState' | 'retryNow'>;
  readonly ladder: Pick<Ladder, 'readStandIn' | 'watchStandIn'>;
  readonly network: Network;
  readonly clock?: Clock;
};

/** The store, and how to tell it of what waits. */
export function createTapeStatus({ socket, ladder, network, clock = systemClock }: TapeStatusOptions) {
  const listeners = new Set<() => void>();
  let wasLive = false;
  let waiting = 0;
  let snapshot: TapeStatus = {
    state: 'connecting',
    since: clock.now(),
    failures: 0,
    retryAt: null,
    cause: null,
    isRefused: false,
    waiting,
  };

  function update(): void {
    const at = socket.getState();
    if (at.status === 'live') wasLive = true;
    else if (at.status === 'idle') wasLive = false;
    const state = readState(at);
    const next: TapeStatus = {
      state,
      since: state === snapshot.state ? snapshot.since : clock.now(),
      failures: 'failures' in at ? at.failures : 0,
      retryAt: at.status === 'waiting' ? at.retryAt : null,
      cause: 'cause' in at ? at.cause : at.status === 'connecting' ? snapshot.cause : null,
      isRefused: at.status === 'refused',
      waiting,
    };
    const isSame = (Object.keys(next) as (keyof TapeStatus)[]).every((key) => next[key] === snapshot[key]);
    if (isSame) return;
    snapshot = next;
    for (const listener of listeners) listener();
  }

  function readState({ status }: SocketState): TapeState {
    if (status === 'live') return 'live';
    if (status === 'refused') return 'offline';
    const standIn = ladder.readStandIn();
    if (standIn === 'streams') return 'degraded';
    if (standIn === 'queries') return 'polling';
    if (standIn === 'silence' || !network.isOnline()) return 'offline';
    return wasLive ? 'resuming' : 'connecting';
  }

  const stops = [
    socket.watchState(update),
    ladder.watchStandIn(update),
    network.watch(() => {
      // A network that came back, or left: the one is a reason to try at once, the other to look whether it is true.
      socket.retryNow();
      update();
    }),
  ];
  update();

  const store: TapeStatusStore = {
    getSnapshot: () => snapshot,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    retryNow: () => socket.retryNow(),
  };
  return {
    store,
    setWaiting: (count: number) => {
      waiting = count;
      update();
    },
    dispose: () => {
      for (const stop of stops) stop();
    },
  };
}
