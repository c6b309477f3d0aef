import { ConnectionLimit } from '../src/access/connection-limit.ts';
import { readAddressOf } from '../src/access/client-address.ts';
import { RATE_KINDS, type RateKind, RateLimits } from '../src/access/limits.ts';
import { TimerWheel } from '../src/delivery/timer-wheel.ts';
import { Sessions } from '../src/server/sessions.ts';
import { recordingLogger } from './recording-logger.ts';

const limits = Object.fromEntries(RATE_KINDS.map((kind) => [kind, 1_000_000])) as Record<RateKind, number>;
const connectionLimit = new ConnectionLimit({
  max: 1_000_000,
  shared: null,
  processName: 'test',
  logger: recordingLogger().logger,
});

/** Nobody is signed in. */
const anonymous = new Sessions({
  identity: { identify: () => null, isValid: () => true },
  anonymousMarketData: true,
  wheel: new TimerWheel(),
  now: Date.now,
});

/** The limits of a server that is put together by hand for what has nothing to do with them. */
export const unlimited = {
  admission: {
    rateLimits: new RateLimits({ limits, shared: null }),
    readAddress: readAddressOf(0),
    maxEventStreams: 1_000_000,
  },
  sessions: anonymous,
  connections: {
    readAddress: readAddressOf(0),
    takeSeat: (user: string, onRefused: () => void) => connectionLimit.take(user, onRefused),
    maxPendingPerAddress: 1_000_000,
    readUpgrade: () => null,
    openSession: () => null,
  },
};
