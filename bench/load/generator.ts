/** A process for the bench: the clients of one server, thousands of them, and what they received. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, sourceAddress } from './client.ts';
import { type Percentiles, summarize } from './percentiles.ts';
import { type ProtocolName, protocols } from './protocol.ts';
import { serve } from './servant.ts';
import { pickSymbols, type Watching } from './symbols.ts';
import { signToken } from './token.ts';

/** Who is measured, and who is there beside them. */
export type Group = 'measured' | 'beside';

export type OpenRequest = {
  readonly group: Group;
  readonly count: number;
  readonly port: number;
  readonly protocol: ProtocolName;
  readonly watching: Watching;
  /** New connections a second; without it as fast as the server takes them, some at a time. */
  readonly perSecond?: number;
  /** What signs their tokens. */
  readonly secret: string;
};

export type Opened = {
  readonly opened: number;
  readonly failures: readonly string[];
  /** From the connect to the subscribe message, in ms. */
  readonly took: Percentiles;
};

export type Received = {
  readonly messages: number;
  /** The fewest and the most that any client has received. */
  readonly least: number;
  readonly most: number;
  /** Of the samples of each group, in ms. */
  readonly ages: Readonly<Record<Group, Percentiles>>;
  /** Messages that were no quotes, and connections that were lost: a few of them in their own words. */
  readonly troubles: number;
  readonly words: readonly string[];
};

const AT_A_TIME = 64;
const READ_BYTES = 256 * 1024;
const WORDS = 3;

const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
const clients: Record<Group, Client[]> = { measured: [], beside: [] };
let ages: Record<Group, number[]> = { measured: [], beside: [] };
let troubles = 0;
let words: string[] = [];
let sources = 0;

function takeTrouble(trouble: string): void {
  troubles += 1;
  if (words.length < WORDS) words.push(trouble);
}

function openOne(request: OpenRequest, number: number): Client {
  const { group, port, watching, secret } = request;
  const protocol = protocols[request.protocol];
  sources += 1;
  const client = new Client({
    port,
    localAddress: sourceAddress(sources),
    protocol,
    symbols: pickSymbols(number, watching),
    token: signToken(`user-${group}-${number}`, secret),
    buffer,
    onSample: (message) => {
      const age = protocol.readAge(message);
      if (age === null) takeTrouble(message.toString('utf8', 0, 300));
      else ages[group].push(age);
    },
    onTrouble: takeTrouble,
  });
  clients[group].push(client);
  return client;
}

async function open(request: OpenRequest): Promise<Opened> {
  const { count, perSecond, group } = request;
  const before = clients[group].length;
  const took: number[] = [];
  const failures: string[] = [];
  const openNext = async (number: number): Promise<void> => {
    const began = performance.now();
    try {
      await openOne(request, before + number).opened;
      took.push(performance.now() - began);
    } catch (error) {
      failures.push(String(error));
    }
  };
  let next = 0;
  if (perSecond === undefined) {
    const openInTurn = async (): Promise<void> => {
      while (next < count) await openNext(next++);
    };
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, count) }, openInTurn));
  } else {
    const began = performance.now();
    const opening: Promise<void>[] = [];
    while (next < count) {
      const due = Math.min(count, Math.ceil(((performance.now() - began) / 1_000) * perSecond));
      while (next < due) opening.push(openNext(next++));
      await sleep(1);
    }
    await Promise.all(opening);
  }
  return { opened: took.length, failures: [...new Set(failures)].slice(0, WORDS), took: summarize(took) };
}

type ResetRequest = { readonly sampleEvery: number; readonly group?: Group };

/** A group counts anew; `sampleEvery`: one message of so many is looked at, of each client. */
function reset({ sampleEvery, group = 'measured' }: ResetRequest): void {
  for (const [number, client] of clients[group].entries()) client.walker.reset(sampleEvery, number);
  ages[group] = [];
}

function read(): Received {
  let messages = 0;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const { walker } of clients.measured) {
    messages += walker.messages;
    least = Math.min(least, walker.messages);
    most = Math.max(most, walker.messages);
  }
  const summaries = { measured: summarize(ages.measured), beside: summarize(ages.beside) };
  return { messages, least, most, ages: summaries, troubles, words };
}

/** The first `count` of a group. */
function stopReading({ group, count }: { readonly group: Group; readonly count: number }): void {
  for (const client of clients[group].slice(0, count)) client.stopReading();
}

function close(): void {
  for (const client of [...clients.measured, ...clients.beside]) client.close();
  clients.measured = [];
  clients.beside = [];
  ages = { measured: [], beside: [] };
  troubles = 0;
  words = [];
}

const commands = { open, reset, read, stopReading, close };
export type GeneratorCommands = typeof commands;
serve(commands);
