/**
 * Thousands of readers whose server dies by kill -9: `npm run bench -- resume [--clients 10000] [--staying 500] [--watchlist 5]
 * [--rate 800] [--jitter 1000]`. Two api processes over one Redis, ingest and a simulated exchange of `rate` trades and quotes a
 * second; `clients` read the prints of some symbols each from the one that is killed, `staying` from the other one. Each client
 * goes on at the other one after its last cursor, when a first retry's jitter (in ms) is over, as the project's own client does it.
 *
 * Counts the prints of every client against where each log ends in Redis: none may be missing, and none come twice. All are to be
 * given what they had missed within ten seconds of the kill, and to be level with the tape by then.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createRedisBus } from '../src/bus/redis.ts';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { startRedis } from '../test/redis.ts';
import { recordingLogger } from '../test/recording-logger.ts';
import { JWT_SECRET, type RunningServer, startContestant, startExchange } from './delivery/contestants.ts';
import { nowMicros } from './load/clock.ts';
import { LOAD_CORE, pinProcess, readCpuSeconds, readFileLimit, SERVER_CORE } from './load/cores.ts';
import type { LogGeneratorCommands, Returned } from './load/log-generator.ts';
import type { Percentiles } from './load/percentiles.ts';
import { startServant } from './load/servant.ts';

const GOAL_MS = 10_000;
const SYMBOLS = LISTINGS.slice(0, 500).map(({ symbol }) => symbol);
/** Files that a process has open beside its connections. */
const OTHER_FILES = 200;
/** Until ingest is connected, the tape moves, and every process has warmed up on it. */
const WARM_UP_MS = 8_000;
const BEFORE_MS = 5_000;
/** How long it is watched at the most after the kill, and at the least. */
const PATIENCE_MS = 60_000;
const WATCHED_MS = 15_000;
const LAST_PRINTS_MS = 10_000;

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '10000' },
    staying: { type: 'string', default: '500' },
    watchlist: { type: 'string', default: '5' },
    rate: { type: 'string', default: '800' },
    jitter: { type: 'string', default: '1000' },
  },
});
const [clients, staying, watchlist, rate, jitterMs] = [
  values.clients,
  values.staying,
  values.watchlist,
  values.rate,
  values.jitter,
].map(Number) as [number, number, number, number, number];
if (clients + staying + OTHER_FILES > readFileLimit()) {
  console.log(
    `skipped: needs ${clients + staying + OTHER_FILES} files open in a process; ulimit -n allows ${readFileLimit()}`,
  );
  process.exit(0);
}

// What runs beside this process ends at its `exit`, which a signal alone does not bring.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
pinProcess(process.pid, LOAD_CORE);
await using redis = await startRedis();
pinProcess(redis.pid, LOAD_CORE);
const exchange = await startExchange(redis.url, { symbols: SYMBOLS.length, eventsPerSecond: rate });
const startApi = (): Promise<RunningServer> =>
  startContestant('tapeql', { redisUrl: redis.url, core: SERVER_CORE, env: exchange.env });
const [dying, surviving] = [await startApi(), await startApi()];
const generator = startServant<LogGeneratorCommands>(
  path.join(import.meta.dirname, 'load/log-generator.ts'),
  LOAD_CORE,
);

/** Connections that the kernel has turned away since the machine's start because a server did not take them in time. */
function readOverflows(): number {
  const [names, figures] = readFileSync('/proc/net/netstat', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '));
  return Number(figures?.[names!.indexOf('ListenOverflows')] ?? 0);
}

/** The number of the last print of each symbol. */
async function readEnds(): Promise<Map<string, number>> {
  const bus = createRedisBus({ url: redis.url, historyMs: 300_000, logger: recordingLogger().logger });
  await new Promise<void>((resolve) => {
    bus.onState(({ connected }) => connected && resolve());
    if (bus.readState().connected) resolve();
  });
  const entries = await bus.readLastEntries(SYMBOLS.map((symbol) => ({ kind: 'trade', symbol })));
  await bus.close();
  return new Map(SYMBOLS.map((symbol, index) => [symbol, entries[index]?.sequence ?? 0]));
}

const watching = { symbols: SYMBOLS.length, watchlist, names: SYMBOLS };
const common = { watching, jitterMs, secret: JWT_SECRET };
await generator.ask('open', { ...common, group: 'staying', count: staying, ports: [surviving.port] });
await generator.ask('open', { ...common, group: 'moving', count: clients, ports: [dying.port, surviving.port] });
// The prints begin when all are there: a server that carries them is not asked to accept thousands of clients meanwhile.
exchange.startIngest();
await sleep(WARM_UP_MS);
await generator.ask('forgetAges', undefined);
const entriesBefore = (await generator.ask('read', 'moving')).entries;
await sleep(BEFORE_MS);
const before = { staying: await generator.ask('read', 'staying'), moving: await generator.ask('read', 'moving') };
await generator.ask('forgetAges', undefined);

const overflows = readOverflows();
const cpuBefore = readCpuSeconds(surviving.pid);
const killedAt = nowMicros();
process.kill(dying.pid, 'SIGKILL');
let back: Returned;
let busySeconds = 0;
do {
  await sleep(250);
  back = await generator.ask('readReturn', { since: killedAt });
  // What it took the survivor to take them over: until the last one had its first print.
  if (busySeconds === 0 && back.resumed === clients) busySeconds = readCpuSeconds(surviving.pid) - cpuBefore;
} while (nowMicros() - killedAt < (back.resumed < clients ? PATIENCE_MS : WATCHED_MS) * 1e3);

const after = { staying: await generator.ask('read', 'staying'), moving: await generator.ask('read', 'moving') };
await exchange.stop();
await sleep(1_000);
const missing = await generator.ask('countMissing', { ends: await readEnds(), limitMs: LAST_PRINTS_MS });
const last = { staying: await generator.ask('read', 'staying'), moving: await generator.ask('read', 'moving') };
await generator.stop();
await dying.stop();
await surviving.stop();

const show = ({ p50, p99, max }: Percentiles): string =>
  [p50, p99, max].map((value) => Math.round(value).toLocaleString('en-GB')).join(', ');
const silentGaps = last.moving.silentGaps + last.staying.silentGaps;
const repeated = last.moving.repeated + last.staying.repeated;
const gapsTold = last.moving.gapsTold + last.staying.gapsTold;
const perSecond = (before.moving.entries - entriesBefore) / (BEFORE_MS / 1_000);
console.table({
  'clients of the process that was killed': clients,
  'of these, without a print so far and so without a cursor': back.placeless,
  'prints a second to them, before': Math.round(perSecond),
  'noticed, ms after the kill: p50, p99, last': show(back.lostAfter),
  'subscribed again: p50, p99, last': show(back.askedAfter),
  'first print of those missed: p50, p99, last': show(back.resumedAfter),
  'level with the tape from': Math.round(back.levelAfter).toLocaleString('en-GB'),
  'CPU of the survivor until all had it, s': busySeconds.toFixed(1),
  'connections that the kernel turned away': readOverflows() - overflows,
  [`its own ${staying} clients, age of a print in ms before: p50, p99, max`]: show(before.staying.ages),
  'the same, from the kill on': show(after.staying.ages),
  'refused or lost beyond the kill': last.moving.troubles + last.staying.troubles - back.lost,
  'prints compared': last.moving.entries + last.staying.entries,
  'missing in silence': silentGaps,
  'missing at the end': missing,
  'twice, or out of order': repeated,
  'gaps told': gapsTold,
});
for (const words of [...last.moving.words, ...last.staying.words]) console.log(`   ${words}`);

const failures = [
  back.resumed < clients &&
    `${clients - back.resumed} of ${clients} clients had not resumed after ${PATIENCE_MS / 1_000} s`,
  back.resumedAfter.max > GOAL_MS &&
    `the last client had its first print later than ${GOAL_MS / 1_000} s after the kill`,
  back.levelAfter > GOAL_MS && `not all were level with the tape ${GOAL_MS / 1_000} s after the kill`,
  silentGaps + missing > 0 && `${silentGaps} prints are missing in silence, ${missing} at the end`,
  repeated > 0 && `${repeated} prints came twice or out of order`,
].filter((failure) => failure !== false);
for (const failure of failures) console.error(failure);
process.exit(failures.length === 0 ? 0 : 1);
