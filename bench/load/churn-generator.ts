/** A process for the bench: visitors who come, read or stall, and leave in order or without a word, at a steady rate. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, sourceAddress } from './client.ts';
import { EventStreamVisit } from './event-stream-visit.ts';
import { QUOTE_UPDATES, speakGraphQL, TRADES } from './protocol.ts';
import { serve } from './servant.ts';
import { pickSymbols, type Watching } from './symbols.ts';
import { signToken } from './token.ts';

export type ChurnRequest = {
  readonly port: number;
  /** New visitors a second. When there are `held` of them, one leaves for each that comes. */
  readonly perSecond: number;
  readonly held: number;
  readonly watching: Watching;
  readonly secret: string;
};

export type Churned = {
  readonly came: number;
  readonly held: number;
  /** Visitors who were refused, or left by the server though they read: how often, and a few in their own words. */
  readonly troubles: number;
  readonly words: readonly string[];
};

type Visit = Pick<Client, 'stopReading' | 'leave' | 'reset'>;

const TURN_MS = 10;
const READ_BYTES = 256 * 1024;
const WORDS = 5;
/** One visitor in so many: by server-sent events; with a document of its own; reads nothing from some time on. */
const EVENT_STREAM_EVERY = 4;
const OWN_DOCUMENT_EVERY = 8;
const STALLED_EVERY = 16;

const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
const visits: { readonly visit: Visit; readonly isStalled: boolean }[] = [];
let came = 0;
let troubles = 0;
let words: string[] = [];
let churning: Promise<void> | null = null;
let isOver = false;
let state = 1;

/** The same sequence in each run. */
function chooseBelow(limit: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

function come({ port, watching, secret }: ChurnRequest): void {
  const number = came++;
  const isStalled = chooseBelow(STALLED_EVERY) === 0;
  const plain = number % 2 === 0 ? QUOTE_UPDATES : TRADES;
  const query =
    chooseBelow(OWN_DOCUMENT_EVERY) === 0 ? plain.replace('{ symbol ', `{ symbol own${number}: price `) : plain;
  const common = {
    port,
    localAddress: sourceAddress(number),
    symbols: pickSymbols(number, watching),
    token: signToken(`visitor-${number}`, secret),
    buffer,
    onTrouble: (trouble: string) => {
      // Who reads nothing is ended when it has waited for too long.
      if (isStalled) return;
      troubles += 1;
      if (words.length < WORDS && !words.includes(trouble)) words.push(trouble);
    },
  };
  let visit: Visit;
  if (chooseBelow(EVENT_STREAM_EVERY) === 0) {
    visit = new EventStreamVisit({ ...common, query });
    if (isStalled) setTimeout(() => visit.stopReading(), 1_000);
  } else {
    const protocol = speakGraphQL(query, () => 0);
    const client = new Client({ ...common, protocol, onSample: () => undefined });
    client.opened.then(
      () => isStalled && client.stopReading(),
      (error: unknown) => common.onTrouble(String(error)),
    );
    visit = client;
  }
  visits.push({ visit, isStalled });
}

function leaveOne(): void {
  const at = chooseBelow(visits.length);
  const { visit, isStalled } = visits[at]!;
  visits[at] = visits.at(-1)!;
  visits.pop();
  // Who reads nothing cannot hear how a server takes its leave.
  if (isStalled || chooseBelow(2) === 0) visit.reset();
  else visit.leave();
}

/** Begins; goes on until {@link end}. */
function begin(request: ChurnRequest): void {
  const churn = async (): Promise<void> => {
    const began = performance.now();
    for (let begun = 0; !isOver;) {
      const due = ((performance.now() - began) / 1_000) * request.perSecond;
      for (; begun < due; begun += 1) {
        if (visits.length >= request.held) leaveOne();
        come(request);
      }
      await sleep(TURN_MS);
    }
  };
  churning = churn();
}

function read(): Churned {
  return { came, held: visits.length, troubles, words };
}

/** All leave. */
async function end(): Promise<void> {
  isOver = true;
  await churning;
  while (visits.length > 0) leaveOne();
  words = [];
}

const commands = { begin, read, end };
export type ChurnCommands = typeof commands;
serve(commands);
