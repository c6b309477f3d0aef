/** No bound on CPU time: all clients of a test share one address, and on a busy machine each document takes long. */
const MUCH = { burstMs: 1e9, msPerSecond: 1e9 };
export const UNLIMITED_WORK = { connection: MUCH, account: MUCH, pace: MUCH, all: MUCH };
