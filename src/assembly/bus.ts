import type { Bus } from '../bus/bus.ts';
import { type MarketKinds, marketKinds } from '../bus/cache-kinds.ts';
import { type Cache, createCache } from '../bus/cache.ts';
import { createMemoryStore } from '../bus/memory-store.ts';
import { createMemoryBus } from '../bus/memory.ts';
import type { Store } from '../bus/store.ts';
import type { Config } from '../config.ts';
import { RESUME_GRACE_MS } from '../delivery/resume.ts';
import type { Logger } from '../market/logger.ts';
import { createSteadyClock } from '../market/steady-clock.ts';
import { systemTimers } from '../market/timers.ts';

/** Redis where it is configured, else this process's memory; the cache's fallback is always the latter. */
export async function openBus(
  config: Config,
  clock: () => number,
  logger: Logger,
  stack: AsyncDisposableStack,
): Promise<{ bus: Bus; store: Store; cache: Cache<MarketKinds> }> {
  const url = config.redisUrls.join(',');
  // What is waited for, and how old the log is, does not change where the clock of this host is set.
  const steadyClock = createSteadyClock(clock, systemTimers);
  const memory = createMemoryStore({ clock: steadyClock });
  const busLogger = logger.child({ part: 'bus' });
  const caching = { kinds: marketKinds, clock, elapsed: steadyClock, logger: busLogger };
  const historyMs = config.historyMs + RESUME_GRACE_MS;
  if (url === '') {
    const bus = createMemoryBus({ historyMs, store: memory, clock: steadyClock, logger: busLogger });
    stack.defer(() => bus.close());
    return { bus, store: memory, cache: createCache({ store: memory, ...caching }) };
  }
  // Loaded where it is used: a start without Redis is the quicker for it.
  const [{ createRedisStore }, { createRedisBus }] = await Promise.all([
    import('../bus/redis-store.ts'),
    import('../bus/redis.ts'),
  ]);
  const store = createRedisStore({ url, logger: busLogger });
  stack.defer(() => store.close());
  // Its log follows the clock of Redis, which all processes share.
  const bus = createRedisBus({ url, historyMs, logger });
  stack.defer(() => bus.close());
  return { bus, store, cache: createCache({ store, fallback: memory, ...caching }) };
}
