/** Tests share their address, and their machine, which is busy: what is measured of them is not little. */
const MUCH = { burstMs: 1e9, msPerSecond: 1e9 };
export const UNLIMITED_WORK = { connection: MUCH, account: MUCH, pace: MUCH, all: MUCH };
