import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createCalendar } from '../../market/calendar.ts';
import type { Logger } from '../../market/logger.ts';
import { Broadcast } from './broadcast.ts';
import type { CloseCause, Connection } from './connection.ts';
import { FaultSwitches } from './faults.ts';
import type { FaultName, FaultValue } from './faults.ts';
import { LISTINGS } from './listings.ts';
import { MarketState } from './market-state.ts';
import type { KeyPlan } from './plans.ts';
import { Plans } from './plans.ts';
import { pushElements } from './push.ts';
import { Random } from './random.ts';
import { RestServer } from './rest.ts';
import { ContinuousSchedule, NewYorkSchedule } from './schedule.ts';
import { SocketServer } from './socket-server.ts';
import { Tape } from './tape.ts';
import type { TapeListener } from './tape.ts';

export type SimulatorOptions = {
  /** 0 (default): any free one. */
  readonly port?: number;
  /** Loopback only: the exchange has no protection against strangers. Default `127.0.0.1`. */
  readonly host?: '127.0.0.1' | '::1';
  /** Whole number; the same seed, options and starting time make the same tape. Default 1. */
  readonly seed?: number;
  /** The keys that are accepted, each with what it may do. Default: every key that is not empty may do everything. */
  readonly keys?: Readonly<Record<string, KeyPlan>>;
  /** How many stocks and funds trade, the most active ones. Default and at most: all of the listings (more than 500). */
  readonly symbols?: number;
  /** Trades and quotes a second on average over the whole tape, 1 to 100,000; default 2,000. Bars and index values come on top. */
  readonly eventsPerSecond?: number;
  /** `false`: nothing happens but what is pushed. Default true. */
  readonly tape?: boolean;
  /** Keeps the hours and holidays of New York. Default false: in session at any hour of any day. */
  readonly newYorkHours?: boolean;
  /** How long a connection may stay without a key. Default 10,000. */
  readonly authTimeoutMs?: number;
  /** Connections of one key per cluster, where its plan does not say. Default 1, as on individual plans. */
  readonly maxConnectionsPerKey?: number;
  /** Which connection ends when there is one too many. Default `oldest`. */
  readonly quotaVictim?: 'oldest' | 'newest';
  /** A connection with more unread bytes is cut. Default 16 MiB. */
  readonly maxBufferedBytes?: number;
  /** A frame holds the events of such a slice of time. 1 to 1,000, default 5. */
  readonly frameSliceMs?: number;
  /** Prints of all symbols together that /v3/trades can look back on. Default 262,144. */
  readonly printCapacity?: number;
  /** Faults from the start, as in {@link Simulator.setFault}. Default none. */
  readonly faults?: Readonly<Partial<Record<FaultName, FaultValue>>>;
  /** Unix ms. Default: the real time. */
  readonly clock?: { now(): number };
  /** Default: silent. Keys are never logged. */
  readonly logger?: Logger;
};

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

const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child() {
    return this;
  },
};

/** The tape has run for this long before the doors open, but for no more events than that, so that there is something to ask for. */
const WARM_UP_MS = 30_000;
const WARM_UP_EVENTS = 150_000;

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
  const tape = startTape(settings, clock.now());
  if (settings.tape) tape.listener = broadcast;
  faults.onChange = (name, value) => {
    logger.info({ fault: name, value }, value === null ? 'simulator: fault off' : 'simulator: fault on');
    if (name !== 'halt') return;
    const halted = new Set(value === null ? [] : String(value).split(','));
    for (const instrument of tape.market.instruments) {
      if (instrument.halted !== halted.has(instrument.symbol)) {
        instrument.halted = halted.has(instrument.symbol);
        broadcast.onBand(instrument, clock.now(), instrument.halted ? 17 : 18);
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

type Settings = Required<Omit<SimulatorOptions, 'keys' | 'faults'>>;

/** Every option with its default; those out of their range are named. */
function readSettings(options: SimulatorOptions): Settings {
  const settings: Settings = {
    port: options.port ?? 0,
    host: options.host ?? '127.0.0.1',
    seed: options.seed ?? 1,
    symbols: options.symbols ?? LISTINGS.length,
    eventsPerSecond: options.eventsPerSecond ?? 2_000,
    tape: options.tape ?? true,
    newYorkHours: options.newYorkHours ?? false,
    authTimeoutMs: options.authTimeoutMs ?? 10_000,
    maxConnectionsPerKey: options.maxConnectionsPerKey ?? 1,
    quotaVictim: options.quotaVictim ?? 'oldest',
    maxBufferedBytes: options.maxBufferedBytes ?? 16 << 20,
    frameSliceMs: options.frameSliceMs ?? 5,
    printCapacity: options.printCapacity ?? 262_144,
    clock: options.clock ?? Date,
    logger: options.logger ?? SILENT,
  };
  const wrong = Object.entries({
    port: [settings.port, 0, 65_535],
    seed: [settings.seed, 0, Number.MAX_SAFE_INTEGER],
    symbols: [settings.symbols, 1, LISTINGS.length],
    eventsPerSecond: [settings.eventsPerSecond, 1, 100_000],
    authTimeoutMs: [settings.authTimeoutMs, 1, 3_600_000],
    maxConnectionsPerKey: [settings.maxConnectionsPerKey, 1, 1_000_000],
    maxBufferedBytes: [settings.maxBufferedBytes, 1, 2 ** 31],
    frameSliceMs: [settings.frameSliceMs, 1, 1_000],
    printCapacity: [settings.printCapacity, 1, 2 ** 24],
  } as const).filter(([, [value, min, max]]) => !(Number.isInteger(value) && value >= min && value <= max));
  if (wrong.length > 0) {
    const ranges = wrong.map(
      ([name, [value, min, max]]) => `${name} is ${value}, not a whole number of ${min} to ${max}`,
    );
    throw new RangeError(`simulator: ${ranges.join('; ')}`);
  }
  return settings;
}

/** A tape that has run until now, so that quotes, prints and bars are there from the first question on. */
function startTape(settings: Settings, now: number): Tape {
  const { seed, symbols, eventsPerSecond } = settings;
  const schedule = settings.newYorkHours ? new NewYorkSchedule(createCalendar()) : new ContinuousSchedule();
  const warmUpMs = settings.tape ? Math.min(WARM_UP_MS, (WARM_UP_EVENTS / eventsPerSecond) * 1_000) : 0;
  // From a whole minute on where that is affordable, so that the first minute's bar is a whole one too.
  const fromMinute = Math.floor((now - warmUpMs) / 60_000) * 60_000;
  const affordable = ((now - fromMinute) / 1_000) * eventsPerSecond <= WARM_UP_EVENTS;
  const startAt = settings.tape && affordable ? fromMinute : now - warmUpMs;
  const tape = new Tape({
    market: new MarketState({ seed, symbols, eventsPerSecond, schedule, beganAt: startAt }),
    seed,
    eventsPerSecond,
    generates: settings.tape,
    startAt,
    printCapacity: settings.printCapacity,
    listener: DEAF,
  });
  tape.advance(now);
  return tape;
}

/** Hears nothing: while the tape warms up, and where nothing but pushed events is to be heard. */
const DEAF: TapeListener = { onPrint() {}, onQuote() {}, onBar() {}, onBand() {}, onIndexValue() {} };
