import { type Backoff, chooseDelayMs, DEFAULT_BACKOFF } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import type { CloseCause } from './close-codes.ts';
import type { OpenEventStream } from './event-stream.ts';
import type { GraphQLErrors, LiveOperation, LiveSink, LiveTransport } from './live-transport.ts';
import type { StartPolling } from './polling.ts';
import type { WebSocketTransport } from './web-socket-transport.ts';

export type LadderOptions = {
  readonly socket: Pick<WebSocketTransport, 'subscribe' | 'getState' | 'watchState'>;
  readonly openStream: OpenEventStream;
  readonly startPolling: StartPolling;
  /** Attempts at the WebSocket that come to nothing, in a row, before others stand in for it. Default: 10. */
  readonly fallAfter?: number;
  /** Streams at a time: a browser has six connections to a host over HTTP/1.1, and queries need some. Default: 4. */
  readonly maxStreams?: number;
  /** Between two tries of a stream. */
  readonly backoff?: Backoff;
  /** While streams come to nothing one is tried so often. Default: 30 s. */
  readonly streamProbeMs?: number;
  readonly random?: () => number;
  readonly clock?: Clock;
};

/** What stands in for the WebSocket, as seen from outside. */
export type StandIn =
  /** Nothing does, for now or at all. */
  | 'none'
  | 'streams'
  | 'queries'
  /** They have tried, and nothing is answered. */
  | 'silence';

export type Ladder = LiveTransport & {
  readonly readStandIn: () => StandIn;
  readonly watchStandIn: (listener: () => void) => () => void;
};

/** Streams in a row that come to nothing before queries take their place. */
const STREAM_FAILURES = 3;

type Run = {
  readonly operation: LiveOperation;
  readonly sink: LiveSink;
  stopStream: (() => void) | null;
  isStreaming: boolean;
  stopPolling: (() => void) | null;
  /** It waits before it opens its stream again. */
  cancelWait: (() => void) | null;
  stopSocket: () => void;
};

/**
 * Three ways to the same events: the WebSocket, server-sent events, queries. The WebSocket is tried all the time; after it has
 * failed too often in a row streams stand in for it, and where they do not come through either, queries do. As soon as the
 * better way stands each operation goes on there, after what it had by the other.
 */
export function createLadder(options: LadderOptions): Ladder {
  const { socket, openStream, startPolling, fallAfter = 10, maxStreams = 4, streamProbeMs = 30_000 } = options;
  const { backoff = DEFAULT_BACKOFF, random = Math.random, clock = systemClock } = options;
  const runs = new Set<Run>();
  const listeners = new Set<() => void>();
  let isFallen = false;
  /** `trial`: one stream is tried, while queries go on. */
  let streams: 'used' | 'trial' | 'barred' = 'used';
  let streamFailures = 0;
  let cancelTrial = (): void => {};
  /** Whether the newest query was answered; `null`: none has been asked. */
  let isAnswered: boolean | null = null;
  let standIn: StandIn = 'none';

  function readStandIn(): StandIn {
    if (!isFallen) return 'none';
    if ([...runs].some(({ isStreaming }) => isStreaming)) return 'streams';
    return isAnswered === null ? 'none' : isAnswered ? 'queries' : 'silence';
  }
  function tell(): void {
    const next = readStandIn();
    if (next === standIn) return;
    standIn = next;
    for (const listener of listeners) listener();
  }

  socket.watchState(() => {
    const state = socket.getState();
    if (state.status === 'waiting' && state.failures >= fallAfter) isFallen = true;
    else if (state.status === 'live' || state.status === 'refused' || state.status === 'idle') isFallen = false;
    arrange();
  });

  /** Gives each operation what stands in for the WebSocket now, and takes from it what does no more. */
  function arrange(): void {
    if (!isFallen) {
      cancelTrial();
      streams = 'used';
      streamFailures = 0;
      isAnswered = null;
      for (const run of runs) leaveStandIns(run);
      tell();
      return;
    }
    const count = streams === 'used' ? maxStreams : streams === 'trial' ? 1 : 0;
    const streamed = new Set([...runs].toSorted((a, b) => rank(a) - rank(b)).slice(0, count));
    for (const run of runs) {
      if (!streamed.has(run)) stopStream(run);
      else if (run.stopStream === null && run.cancelWait === null) stream(run);
      // A stream that is being opened for the first time has a moment; one that is tried has shown nothing yet.
      const isStreamed = streamed.has(run) && (run.isStreaming || streams === 'used');
      if (isStreamed) stopPolling(run);
      else poll(run);
    }
    tell();
  }

  function stream(run: Run): void {
    run.stopStream = openStream(run.operation, {
      open: () => {
        run.sink.begin?.();
        run.isStreaming = true;
        streamFailures = 0;
        if (streams === 'trial') streams = 'used';
        arrange();
      },
      start: (cursor) => run.sink.start?.(cursor),
      next: (result) => run.sink.next(result),
      fail: (errors) => fail(run, errors),
      end: () => {
        run.stopStream = null;
        run.isStreaming = false;
        streamFailures++;
        if (streams === 'trial' || streamFailures >= STREAM_FAILURES) bar();
        else waitBeforeStream(run);
        arrange();
      },
    });
  }

  function waitBeforeStream(run: Run): void {
    run.cancelWait = clock.schedule(
      () => {
        run.cancelWait = null;
        arrange();
      },
      chooseDelayMs(streamFailures - 1, backoff, random),
    );
  }

  function bar(): void {
    streams = 'barred';
    cancelTrial();
    // Between a half and the whole, so that the clients of a server that comes back do not all try at once.
    cancelTrial = clock.schedule(
      () => {
        streams = 'trial';
        for (const run of runs) stopWait(run);
        arrange();
      },
      streamProbeMs * (0.5 + random() / 2),
    );
  }

  function poll(run: Run): void {
    if (run.stopPolling !== null || run.operation.polled === null) return;
    const answer = (isOne: boolean): void => {
      isAnswered = isOne;
      tell();
    };
    run.stopPolling = startPolling(run.operation.polled, {
      round: (round) => {
        answer(true);
        run.sink.poll?.(round);
      },
      fail: (errors) => {
        answer(true);
        fail(run, errors);
      },
      miss: (_cause: CloseCause) => answer(false),
    });
  }

  function fail(run: Run, errors: GraphQLErrors): void {
    leave(run);
    run.sink.fail(errors);
  }

  function stopStream(run: Run): void {
    run.stopStream?.();
    run.stopStream = null;
    run.isStreaming = false;
    stopWait(run);
  }
  function stopWait(run: Run): void {
    run.cancelWait?.();
    run.cancelWait = null;
  }
  function stopPolling(run: Run): void {
    run.stopPolling?.();
    run.stopPolling = null;
  }
  function leaveStandIns(run: Run): void {
    stopStream(run);
    stopPolling(run);
  }
  function leave(run: Run): void {
    runs.delete(run);
    leaveStandIns(run);
    run.stopSocket();
    if (isFallen) arrange();
  }

  return {
    subscribe: (operation, sink) => {
      const run: Run = {
        operation,
        sink,
        stopStream: null,
        isStreaming: false,
        stopPolling: null,
        cancelWait: null,
        stopSocket: () => {},
      };
      runs.add(run);
      const over = (): void => {
        runs.delete(run);
        leaveStandIns(run);
      };
      // It runs on the WebSocket all the time, which sends it as soon as it stands, and says in the same breath that it does:
      // what stood in is left then, with nothing heard of it in between.
      run.stopSocket = socket.subscribe(operation, {
        begin: () => sink.begin?.(),
        next: (result) => sink.next(result),
        fail: (errors) => {
          over();
          sink.fail(errors);
        },
        refuse: (error) => sink.refuse(error),
        complete: () => {
          over();
          sink.complete();
        },
      });
      if (isFallen) arrange();
      return () => leave(run);
    },
    readStandIn: () => standIn,
    watchStandIn: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Who streams first: what no query can tell, then logs, then the rest. */
function rank({ operation }: Run): number {
  if (operation.polled === null) return 0;
  return operation.isLog ? 1 : 2;
}
