import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Broadcast } from './broadcast.ts';
import type { CloseCause, Connection } from './connection.ts';
import { FaultSwitches } from './faults.ts';
import type { FaultName, FaultValue } from './faults.ts';
import { Plans } from './plans.ts';
import { pushElements } from './push.ts';
import { Random } from './random.ts';
import { RestServer } from './rest.ts';
import { readSettings } from './simulator-options.ts';
import type { SimulatorOptions } from './simulator-options.ts';
import { SocketServer } from './socket-server.ts';
import { startWarmTape } from './warm-tape.ts';

export type { SimulatorOptions };

/** What tests can listen to. A connection is told by its number, from 1. */
export type SimulatorEvents = {
  connected: [{ connection: number; cluster: string }];
  authenticated: [{ connection: number; cluster: string }];
  subscribed: [{ connection: number; cluster: string; pairs: readonly string[] }];
  unsubscribed: [{ connection: number; cluster: string; pairs: readonly string[] }];
  closed: [{ connection: number; cluster: string; code: number; cause: CloseCause }];
  request: [{ path: string; query: string; status: number }];
};

export type SimulatorStats = {
  readonly connections: readonly {
    readonly id: number;
    readonly cluster: string;
    readonly authenticated: boolean;
    readonly pairs: readonly string[];
  }[];
  /** Since the start. */
  readonly connectionsOpened: number;
  readonly frames: number;
  /** Elements in those frames, status messages included. */
  readonly events: number;
  readonly bytes: number;
  /** Events of the tape that somebody listened to, once for all listeners. */
  readonly eventsByTopic: Readonly<Record<string, number>>;
  /** REST requests by path; of more than 10,000 paths the rest is counted as `other`. */
  readonly requests: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, FaultValue>>;
};

export interface Simulator {
  /** `ws://127.0.0.1:port`, to which a client appends `/stocks` or another cluster. */
  readonly wsUrl: string;
  /** `http://127.0.0.1:port`. */
  readonly restUrl: string;
  readonly events: EventEmitter<SimulatorEvents>;
  /**
   * Sends these elements as they are, in one frame per connection, to the connections that subscribed to them; what is
   * no event with a topic and a symbol (a status, a malformed element) goes to every authenticated one. Well-formed
   * trades and quotes of listed symbols are also put on record for REST.
   */
  push(elements: readonly unknown[]): void;
  /** @see FAULTS for names and values. @throws {RangeError} for a wrong one. `times`: after so many uses it ends by itself. */
  setFault(name: FaultName, value?: FaultValue, times?: number): void;
  /** Ends one fault, or all. */
  clearFault(name?: FaultName): void;
  /** Cuts connections without a close frame now: one by its number, or all. */
  dropConnections(connection?: number): void;
  readStats(): SimulatorStats;
  /** The first such event from now on that satisfies `matches`. */
  waitFor<K extends keyof SimulatorEvents>(
    event: K,
    matches?: (detail: SimulatorEvents[K][0]) => boolean,
  ): Promise<SimulatorEvents[K][0]>;
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

/** How far one turn of the timer may take the tape, and from which lag on it leaps: a bound of work per turn. */
const MAX_STEP_MS = 250;
const MAX_LAG_MS = 5_000;

/** @throws {RangeError} for an option out of its range, {@link Error} where the port is taken */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = readSettings(options);
  const { clock, logger } = settings;
  const faults = new FaultSwitches();
  const faultRandom = new Random(settings.seed, 4_711);
  const chance = (): number => faultRandom.next();
  const plans = new Plans(options.keys);
  const events = new EventEmitter<SimulatorEvents>();
  // Tests wait for many things at once.
  events.setMaxListeners(0);

  let connectionsOpened = 0;
  const idOf = ({ id, cluster }: Connection): { connection: number; cluster: string } => ({ connection: id, cluster });
  const sockets = new SocketServer({
    ...settings,
    plans,
    faults,
    chance,
    on: {
      connected: (connection) => {
        connectionsOpened += 1;
        events.emit('connected', idOf(connection));
      },
      authenticated: (connection) => void events.emit('authenticated', idOf(connection)),
      subscribed: (connection, pairs) => void events.emit('subscribed', { ...idOf(connection), pairs }),
      unsubscribed: (connection, pairs) => void events.emit('unsubscribed', { ...idOf(connection), pairs }),
      closed: (connection, code, cause) => void events.emit('closed', { ...idOf(connection), code, cause }),
    },
  });
  const broadcast = new Broadcast(sockets, clock);
  const tape = startWarmTape(settings, clock.now());
  if (settings.tape) tape.listener = broadcast;
  faults.onChange = (name, value) => {
    logger.info({ fault: name, value }, value === null ? 'simulator: fault off' : 'simulator: fault on');
    if (name !== 'halt') return;
    const halted = new Set(value === null ? [] : String(value).split(','));
    for (const instrument of tape.market.instruments) {
      if (instrument.halted !== halted.has(instrument.symbol)) {
        instrument.halted = halted.has(instrument.symbol);
        broadcast.tellHalt(instrument, clock.now());
      }
    }
  };

  const rest = new RestServer({
    tape,
    plans,
    faults,
    clock,
    onRequest: (path, query, status) => void events.emit('request', { path, query, status }),
  });
  const server = createServer((request, response) => rest.handle(request, response));
  server.on('connection', (socket) => {
    if (faults.use('refuse-connections') !== null) socket.resetAndDestroy();
  });
  server.on('upgrade', (request, socket, head) => sockets.upgrade(request, socket, head));
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(settings.port, settings.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => logger.error({ error }, 'simulator: server error'));
  const { port } = server.address() as AddressInfo;
  const authority = settings.host === '::1' ? `[::1]:${port}` : `127.0.0.1:${port}`;
  rest.origin = `http://${authority}`;

  const turn = (): void => {
    const now = clock.now();
    if (now - tape.time > MAX_LAG_MS) tape.skipTo(now);
    else if (now > tape.time) tape.advance(Math.min(now, tape.time + MAX_STEP_MS));
    broadcast.sendLateBars();
    sockets.flush();
    sockets.dropByFaults();
  };
  const timer = setInterval(turn, settings.frameSliceMs);
  for (const [name, value] of Object.entries(options.faults ?? {})) faults.set(name, value);

  let closing: Promise<void> | null = null;
  return {
    wsUrl: `ws://${authority}`,
    restUrl: `http://${authority}`,
    events,
    push: (elements) => pushElements(elements, { tape, connections: sockets.connections }),
    setFault: (name, value, times) => faults.set(name, value, times),
    clearFault: (name) => faults.clear(name),
    dropConnections: (id) => {
      for (const connection of sockets.connections) {
        if (id === undefined || connection.id === id) connection.cut('fault');
      }
    },
    readStats: () => ({
      connections: [...sockets.connections].map(({ id, cluster, plan, pairs }) => ({
        id,
        cluster,
        authenticated: plan !== null,
        pairs: [...pairs],
      })),
      connectionsOpened,
      ...sockets.sent,
      eventsByTopic: { ...broadcast.counts },
      requests: rest.readCounts(),
      faults: faults.list(),
    }),
    waitFor: (event, matches = () => true) =>
      new Promise((resolve) => {
        const listener = (detail: never): void => {
          if (!matches(detail)) return;
          events.off(event, listener as never);
          resolve(detail);
        };
        events.on(event, listener as never);
      }),
    close: () => {
      closing ??= new Promise((resolve) => {
        clearInterval(timer);
        sockets.close();
        rest.close();
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}
