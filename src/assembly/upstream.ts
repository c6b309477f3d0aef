import type { Store } from '../bus/store.ts';
import type { Config } from '../config.ts';
import { createPolygonRest } from '../feeds/polygon/rest.ts';
import type { SimulatorProcess } from '../feeds/simulator/simulator-process.ts';
import type { Logger } from '../market/logger.ts';
import type { ReferenceBook, ReferenceSource } from '../market/reference-book.ts';
import { type MarketDataSource, SourceUnavailableError } from '../market/source.ts';

/** Where a simulated exchange of this system says how to reach it, for the api processes beside the ingest that runs it. */
const SIMULATOR_KEY = 'simulator:rest-url';
const SIMULATOR_RENEW_MS = 20_000;
/** The simulated exchange takes any key. */
const SIMULATOR_API_KEY = 'simulated';

export type Upstream = {
  readonly source: MarketDataSource & ReferenceSource;
  readonly readStats: () => Readonly<Record<string, number>>;
  readonly socket: { readonly url: string; readonly apiKey: string };
  /** Tells api processes how to reach a simulated exchange of this system: that of the writer alone. */
  readonly announce: (isWriter: boolean) => void;
};

/** Polygon, or the simulated exchange in its place: the code behind is the same. */
export async function openUpstream(
  parts: {
    readonly config: Config;
    /** `null` where this process runs none. */
    readonly simulator: Promise<SimulatorProcess> | null;
    readonly store: Store;
    readonly reference: ReferenceBook;
    readonly isExtendedHours: (time: number) => boolean;
    readonly now: () => number;
    readonly logger: Logger;
  },
  stack: AsyncDisposableStack,
): Promise<Upstream> {
  const { config, store, reference, isExtendedHours, now, logger } = parts;
  const open = (
    wsUrl: string,
    restUrl: string | (() => Promise<string>),
    apiKey: string,
    announce: Upstream['announce'] = () => {},
  ): Upstream => {
    const rest = createPolygonRest({
      baseUrl: restUrl,
      apiKey,
      reference,
      isExtendedHours,
      clock: now,
      logger: logger.child({ part: 'rest' }),
    });
    stack.defer(() => rest.close());
    return { source: rest, readStats: () => rest.readStats(), socket: { url: wsUrl, apiKey }, announce };
  };

  if (config.feed === 'polygon') return open(config.polygon.wsUrl, config.polygon.restUrl, config.polygon.apiKey ?? '');
  if (config.simulator !== null) {
    return open(config.simulator.wsUrl, config.simulator.restUrl, config.polygon.apiKey ?? SIMULATOR_API_KEY);
  }
  if (config.role === 'api') {
    const readUrl = async (): Promise<string> => {
      const [url] = await store.read([SIMULATOR_KEY]).catch(() => [null]);
      if (url == null)
        throw new SourceUnavailableError('no ingest process with a simulated exchange is running', {
          retryAfterMs: 1000,
        });
      return url;
    };
    return open('', readUrl, SIMULATOR_API_KEY);
  }
  const simulator = await parts.simulator!;
  if (config.redisUrls.length === 0) return open(simulator.wsUrl, simulator.restUrl, SIMULATOR_API_KEY);
  let renewal: NodeJS.Timeout | undefined;
  const announce = (): void => {
    store
      .write([{ key: SIMULATOR_KEY, value: simulator.restUrl, ttlMs: 3 * SIMULATOR_RENEW_MS }])
      .catch((error: unknown) => {
        logger.debug({ err: error }, 'the simulated exchange is announced again later');
      });
  };
  stack.defer(() => clearInterval(renewal));
  return open(simulator.wsUrl, simulator.restUrl, SIMULATOR_API_KEY, (isWriter) => {
    clearInterval(renewal);
    if (!isWriter) return;
    announce();
    renewal = setInterval(announce, SIMULATOR_RENEW_MS);
  });
}
