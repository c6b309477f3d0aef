import { ConnectionLimit } from '../src/access/connection-limit.ts';
import { readAddressOf } from '../src/access/client-address.ts';
import { RATE_KINDS, type RateKind, RateLimits } from '../src/access/limits.ts';
import { recordingLogger } from './recording-logger.ts';

const limits = Object.fromEntries(RATE_KINDS.map((kind) => [kind, 1_000_000])) as Record<RateKind, number>;
const connectionLimit = new ConnectionLimit({
  max: 1_000_000,
  shared: null,
  process: 'test',
  logger: recordingLogger().logger,
});

/** The limits of a server that is put together by hand for what has nothing to do with them. */
export const unlimited = {
  admission: {
    rateLimits: new RateLimits({ limits, shared: null }),
    readAddress: readAddressOf(0),
    maxEventStreams: 1_000_000,
  },
  connections: {
    readAddress: readAddressOf(0),
    takeSeat: (user: string, onRefused: () => void) => connectionLimit.take(user, onRefused),
    maxPendingPerAddress: 1_000_000,
  },
};
