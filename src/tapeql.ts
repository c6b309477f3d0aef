import { randomUUID } from 'node:crypto';
import { openBus } from './assembly/bus.ts';
import { openServer } from './assembly/server.ts';
import { startThreads, type Threads } from './assembly/threads.ts';
import type { Tuning } from './assembly/tuning.ts';
import { openUpstream } from './assembly/upstream.ts';
import type { Config } from './config.ts';
import { PauseSwitch } from './delivery/pause-switch.ts';
import { StatusBoard } from './delivery/status-board.ts';
import { createPolygonFeed, feedNameOf } from './feeds/polygon/socket.ts';
import { createIngest } from './ingest/ingest.ts';
import { createLeasedIngest, type LeasedIngest } from './ingest/lease.ts';
import { createCalendar } from './market/calendar.ts';
import { watchClock } from './market/clock-watch.ts';
import type { Logger } from './market/logger.ts';
import { ReferenceBook } from './market/reference-book.ts';
import { systemTimers } from './market/timers.ts';
import type { Crew } from './server/crew.ts';

export type Tapeql = {
  /** Where it listens; `null` for an ingest process without a PORT. */
  readonly url: string | null;
  /** Where the operator's pages are, where they have a port of their own. */
  readonly adminUrl: string | null;
  /** Signs in the one user that there is where no way to tell users apart is configured. */
  readonly demoToken: string | null;
  /** Stops everything in reverse order of its start. */
  close(): Promise<void>;
};

export type TapeqlOptions = {
  readonly logger: Logger;
  /** Whether this process opens its port; default true. An ingest process beside an api process needs none. */
  readonly listens?: boolean;
  /** The processes that share this one's port: the operator's pages tell of all of them. Default: none. */
  readonly crew?: Crew;
  readonly tuning?: Tuning;
  /** Those that were started before this code was loaded. Default: they are started here. */
  readonly threads?: Threads;
};

/** The composition root: config → bus → ingest → server. */
export async function startTapeql(config: Config, options: TapeqlOptions): Promise<Tapeql> {
  const { logger, tuning = {} } = options;
  const now = tuning.clock ?? Date.now;
  const startedAt = now();
  const stack = new AsyncDisposableStack();
  try {
    const last = stack.use(new AsyncDisposableStack());
    const { embedded, simulator } = stack.use(options.threads ?? startThreads(config, { tuning, logger }));
    const { bus, store, cache } = await openBus(config, now, logger, stack);
    stack.defer(watchClock(now, systemTimers, logger));
    const calendar = createCalendar();
    const feedName = config.feed === 'simulated' ? 'SIMULATED' : feedNameOf(config.polygon.wsUrl);
    const pause = new PauseSwitch({
      bus,
      ...(tuning.pausePatienceMs !== undefined && { patienceMs: tuning.pausePatienceMs }),
      logger,
    });
    stack.defer(() => pause.close());
    await pause.start();
    const status = new StatusBoard({
      bus,
      pause,
      feed: feedName,
      marketStatusAt: (time) => calendar.statusAt(time),
      now,
      ...(tuning.statusTimers !== undefined && { timers: tuning.statusTimers }),
      logger,
    });
    stack.defer(() => status.close());
    status.start();
    const reference = new ReferenceBook();
    const isExtendedHours = (time: number): boolean => status.isExtendedHours(time);
    const upstream = await openUpstream({ config, simulator, store, reference, isExtendedHours, now, logger }, stack);
    stack.defer(reference.keepCurrent(upstream.source, systemTimers, logger));

    let ingest: LeasedIngest | null = null;
    if (config.role !== 'api') {
      ingest = createLeasedIngest({
        bus,
        process: randomUUID(),
        openFeed: () =>
          createPolygonFeed({
            ...upstream.socket,
            name: feedName,
            clock: now,
            logger: logger.child({ part: 'feed' }),
            ...(tuning.feedLimits !== undefined && { limits: tuning.feedLimits }),
          }),
        openIngest: (feed, writer) =>
          createIngest({
            feed,
            bus,
            writer,
            source: upstream.source,
            reference,
            clock: now,
            timers: systemTimers,
            logger: logger.child({ part: 'ingest' }),
            quoteIntervalMs: config.quoteIntervalMs,
            indices: config.indices,
            ...(tuning.demandLingerMs !== undefined && { demandLingerMs: tuning.demandLingerMs }),
            ...(tuning.historyLagMs !== undefined && { historyLagMs: tuning.historyLagMs }),
          }),
        onRole: upstream.announce,
        timers: systemTimers,
        logger: logger.child({ part: 'ingest' }),
      });
      stack.defer(() => ingest?.close());
      await ingest.start();
    }

    const { listens = true, crew = null } = options;
    const system = {
      ...{ config, tuning, startedAt, now, logger },
      bus,
      cache,
      upstream,
      reference,
      pause,
      status,
      ingest,
      embedded,
    };
    const hasPages = listens || crew !== null || config.adminPort !== null;
    const server = hasPages ? await openServer({ ...system, last, listens, crew }, stack) : null;
    stack.defer(async () => {
      status.announceShutdown();
      // Another process can take over while this one still says goodbye to its clients; it is waited for in its turn.
      if (bus.shared) void ingest?.close();
      // What was told is written before its connections are closed.
      await new Promise(setImmediate);
    });
    return {
      url: server?.url ?? null,
      adminUrl: server?.adminUrl ?? null,
      demoToken: server?.demoToken ?? null,
      close: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
