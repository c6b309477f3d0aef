/**
 * A process for the bench: what ingest is to the servers under test. It publishes quotes on the channels of their symbols as
 * ingest does, at the rate that it is told, and keeps up what an api process wants to see of ingest.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { quoteChannel } from '../../src/bus/bus.ts';
import { codecs } from '../../src/bus/codec.ts';
import { createRedisBus } from '../../src/bus/redis.ts';
import type { Quote } from '../../src/market/quote.ts';
import { makeQuote, makeStatus } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { nowMicros, volumeAt } from './clock.ts';
import { serve } from './servant.ts';
import { symbolName } from './symbols.ts';

export type PublishRequest = { readonly symbols: number; readonly eventsPerSecond: number; readonly events: number };
export type Published = { readonly events: number; readonly elapsedMs: number };

const STATUS_MS = 5_000;
const TURN_MS = 1;
const CHUNK_EVENTS = 256;
/** With more than this unsent Redis is behind: nothing is published until it has caught up. */
const MAX_UNSENT_BYTES = 1 << 20;
const LINE_END = 10;

const url = process.argv[2]!;
const { hostname, port } = new URL(url);
const { logger } = recordingLogger();
const bus = createRedisBus({ url, historyMs: 60_000, logger });
const connected = Promise.withResolvers<void>();
bus.onState((state) => {
  if (state.connected) connected.resolve();
});
if (bus.readState().connected) connected.resolve();
const redis = new Redis(url);
const socket = connect(Number(port), hostname);
await once(socket, 'connect');
let answered = 0;
socket.on('data', (data: Buffer) => {
  for (const byte of data) if (byte === LINE_END) answered += 1;
});

let published = 0;
/** Whether it stands for ingest; where one runs, its word alone counts. */
let isIngest = false;

function makeNext(symbol: string): Quote {
  published += 1;
  const price = 100 + (published % 900) / 100 + 0.01;
  const now = Date.now();
  return makeQuote(symbol, {
    price,
    change: 1.27,
    changePercent: 1.262626,
    bid: Number((price - 0.01).toFixed(2)),
    ask: Number((price + 0.01).toFixed(2)),
    volume: volumeAt(nowMicros()),
    timestamp: now,
    receivedAt: now,
  });
}

function encodePublish(symbol: string): string {
  const channel = quoteChannel(symbol).name;
  const message = codecs.quote.encode(makeNext(symbol));
  return `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${message.length}\r\n${message}\r\n`;
}

async function tellStatus(): Promise<void> {
  if (!isIngest) return;
  await bus.publishStatus(makeStatus({ timestamp: Date.now() }));
}

/**
 * An empty Redis, but for what ingest keeps in it: its status, and a quote of each symbol, which is wanted. Without symbols it
 * stays empty, for an ingest that is to come.
 */
async function prepare({ symbols }: { readonly symbols: number }): Promise<void> {
  await connected.promise;
  await redis.flushall();
  isIngest = symbols > 0;
  if (!isIngest) return;
  const names = Array.from({ length: symbols }, (_, index) => symbolName(index));
  await tellStatus();
  await bus.publishDemandTotals(new Map(names.map((name) => [name, 1])));
  await bus.publishQuotes(names.map(makeNext));
}

/** Symbol after symbol, so that each gets as many as any other where the number divides. */
async function publish({ symbols, eventsPerSecond, events }: PublishRequest): Promise<Published> {
  const began = performance.now();
  const awaited = answered + events;
  let sent = 0;
  while (sent < events) {
    const due = Math.min(events, Math.ceil(((performance.now() - began) / 1_000) * eventsPerSecond));
    while (sent < due && socket.writableLength < MAX_UNSENT_BYTES) {
      let text = '';
      for (const end = Math.min(due, sent + CHUNK_EVENTS); sent < end; sent += 1)
        text += encodePublish(symbolName(sent % symbols));
      socket.write(text, 'latin1');
    }
    await sleep(TURN_MS);
  }
  while (answered < awaited) await sleep(TURN_MS);
  return { events, elapsedMs: performance.now() - began };
}

setInterval(() => {
  tellStatus().catch((error: unknown) => console.error('the status could not be published', error));
}, STATUS_MS);

const commands = { prepare, publish };
export type PublisherCommands = typeof commands;
serve(commands);
