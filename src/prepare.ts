/**
 * A program that `npm run build` runs, and with it `npm ci`. It does in advance what every first start would have to do: it creates the
 * database that is copied then, and loads the code once, for Node to keep what it compiles in NODE_COMPILE_CACHE. Without it all works
 * as well, and starts more slowly.
 */

const [{ prepareDatabase }] = await Promise.all([
  import('./ledger/create-database.ts'),
  import('./ledger/ledger.ts'),
  import('./ledger/api-keys.ts'),
  import('./bus/redis.ts'),
  import('./bus/redis-counts.ts'),
  import('./feeds/simulator/simulator.ts'),
  import('./main.ts'),
  import('./tapeql.ts'),
]);
await prepareDatabase();
