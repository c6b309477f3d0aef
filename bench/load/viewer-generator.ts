/** A process for the bench: viewers with live portfolios, and how long each change of a price took to reach them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { quoteChannel } from '../../src/bus/bus.ts';
import { createRedisBus } from '../../src/bus/redis.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { Client, sourceAddress } from './client.ts';
import { type Percentiles, summarize } from './percentiles.ts';
import { measureWaits, type PriceFrame, PriceTrail } from './price-trail.ts';
import { speaksOfPortfolios } from './protocol.ts';
import { serve } from './servant.ts';
import { signToken } from './token.ts';

export type OpenRequest = {
  readonly redisUrl: string;
  readonly port: number;
  readonly secret: string;
  /** By user, the symbols of which shares are held. */
  readonly symbolsOf: ReadonlyMap<string, readonly string[]>;
};

export type Opened = { readonly tookMs: number; /** Viewers who were told nothing. */ readonly without: number };

export type Received = {
  readonly frames: number;
  /** The fewest and the most that any viewer has received. */
  readonly least: number;
  readonly most: number;
  /** In ms, of the viewers whose frames were looked into: see `Waits`. */
  readonly sinceChange: Percentiles;
  readonly sinceDue: Percentiles;
  /** In ms, between two frames of a viewer. */
  readonly between: Percentiles;
  /** What was no whole portfolio, and connections that were refused or lost: how often, and a few in their own words. */
  readonly troubles: number;
  readonly words: readonly string[];
};

/** The frames of one viewer of so many are looked into; of the others they are counted. */
const LOOKED_INTO = 5;
const AT_A_TIME = 32;
const READ_BYTES = 256 * 1024;
const WORDS = 3;
const FIRST_FRAMES_MS = 60_000;
/** A viewer is told of moved prices at most once in this. */
const PACE_MS = 1_000;

type Message = {
  readonly payload: {
    readonly data?: {
      readonly portfolio: {
        readonly positions: readonly { readonly symbol: string; readonly marketPrice: string | null }[];
      };
    };
  };
};

type Watching = { readonly client: Client; readonly symbols: readonly string[]; frames: PriceFrame[] };

const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
const viewers: Watching[] = [];
const trails = new Map<string, PriceTrail>();
let troubles = 0;
const words: string[] = [];

function takeTrouble(trouble: string): void {
  troubles += 1;
  if (words.length < WORDS) words.push(trouble);
}

/** Hears of prices where the server does, and keeps when ingest had read each. */
async function followPrices(redisUrl: string, symbols: Iterable<string>): Promise<void> {
  const bus = createRedisBus({ url: redisUrl, historyMs: 60_000, logger: recordingLogger().logger });
  await new Promise<void>((resolve) => {
    bus.onState(({ connected }) => connected && resolve());
    if (bus.readState().connected) resolve();
  });
  for (const symbol of symbols) {
    const trail = new PriceTrail();
    trails.set(symbol, trail);
    await bus.subscribe(quoteChannel(symbol), ({ price, receivedAt }) => trail.note(price, receivedAt));
  }
}

function takeFrame(viewer: Watching, message: Buffer): void {
  const at = Date.now();
  const positions = (JSON.parse(message.toString()) as Message).payload.data?.portfolio.positions ?? [];
  const prices = new Map(positions.map(({ symbol, marketPrice }) => [symbol, marketPrice]));
  if (!viewer.symbols.every((symbol) => prices.has(symbol))) takeTrouble(message.toString('utf8', 0, 300));
  viewer.frames.push({
    at,
    prices: viewer.symbols.map((symbol) => {
      const price = prices.get(symbol);
      return price == null ? null : Number(price);
    }),
  });
}

/** Resolves when all have their first portfolio; with those who have none after a minute. */
async function open({ redisUrl, port, secret, symbolsOf }: OpenRequest): Promise<Opened> {
  await followPrices(redisUrl, new Set([...symbolsOf.values()].flat()));
  const began = performance.now();
  const users = symbolsOf.entries();
  const openInTurn = async (): Promise<void> => {
    for (const [user, symbols] of users) {
      const client = new Client({
        port,
        localAddress: sourceAddress(viewers.length),
        protocol: speaksOfPortfolios,
        symbols: [],
        token: signToken(user, secret),
        buffer,
        onSample: (message) => takeFrame(viewer, message),
        onTrouble: takeTrouble,
      });
      const viewer: Watching = { client, symbols, frames: [] };
      viewers.push(viewer);
      await client.opened.catch((error: unknown) => takeTrouble(String(error)));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, openInTurn));
  for (;;) {
    const without = viewers.filter(({ client }) => client.walker.messages === 0).length;
    const tookMs = performance.now() - began;
    if (without === 0 || tookMs > FIRST_FRAMES_MS) return { tookMs, without };
    await sleep(10);
  }
}

/** Counts anew. */
function reset(): void {
  for (const [number, viewer] of viewers.entries()) {
    viewer.client.walker.reset(number % LOOKED_INTO === 0 ? 1 : 0, 0);
    viewer.frames = [];
  }
}

function read(): Received {
  const counts = viewers.map(({ client }) => client.walker.messages);
  const waits = viewers.map(({ symbols, frames }) =>
    measureWaits(
      frames,
      symbols.map((symbol) => trails.get(symbol)!),
      PACE_MS,
    ),
  );
  const between = viewers.flatMap(({ frames }) => frames.slice(1).map(({ at }, index) => at - frames[index]!.at));
  return {
    frames: counts.reduce((sum, count) => sum + count, 0),
    least: Math.min(...counts),
    most: Math.max(...counts),
    sinceChange: summarize(waits.flatMap(({ sinceChange }) => sinceChange)),
    sinceDue: summarize(waits.flatMap(({ sinceDue }) => sinceDue)),
    between: summarize(between),
    troubles,
    words,
  };
}

const commands = { open, reset, read };
export type ViewerGeneratorCommands = typeof commands;
serve(commands);
