/**
 * A process for `ingest.ts`: an exchange that says again and again what the simulated one has said in some seconds, as fast as it is
 * told. The frames are the simulator's, byte for byte but for the ids and times of events, which are new in each round.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { startSimulator } from '../src/feeds/simulator/simulator.ts';

/** What this process is told: how many events a second to send from now on; 0: none. */
export type Pace = { readonly eventsPerSecond: number };
/** What it says: once where it listens, then after each pace how many events went out at the one before. */
export type ExchangeNews = { readonly url: string } | { readonly sent: number };

const RECORDED_EVENTS_PER_SECOND = 100_000;
const RECORDED_EVENTS = 250_000;
/** With more unread bytes than this the reader is behind: nothing is sent until it has caught up. */
const MAX_UNREAD_BYTES = 1 << 20;
const TURN_MS = 1;

/** A frame with the places of the digits that are written anew: ids have ten, times thirteen. */
type Frame = { readonly bytes: Buffer; readonly ids: number[]; readonly times: number[]; readonly events: number };

async function recordFrames(): Promise<Frame[]> {
  const simulator = await startSimulator({
    symbols: Math.min(500, LISTINGS.length),
    eventsPerSecond: RECORDED_EVENTS_PER_SECOND,
  });
  const socket = new WebSocket(`${simulator.wsUrl}/stocks`);
  await once(socket, 'open');
  const frames: Frame[] = [];
  let events = 0;
  socket.send('{"action":"auth","params":"recorder"}');
  socket.send('{"action":"subscribe","params":"T.*,Q.*,A.*,AM.*"}');
  await new Promise<void>((resolve) => {
    socket.on('message', (data: RawData) => {
      const text = (data as Buffer).toString();
      if (text.includes('"ev":"status"')) return;
      const frame = prepare(text);
      frames.push(frame);
      events += frame.events;
      if (events >= RECORDED_EVENTS) resolve();
    });
  });
  socket.terminate();
  await simulator.close();
  return frames;
}

function prepare(text: string): Frame {
  const bytes = Buffer.from(text.replace(/"i":"\d+"/g, '"i":"0000000000"'), 'latin1');
  const clean = bytes.toString('latin1');
  const find = (pattern: RegExp): number[] =>
    [...clean.matchAll(pattern)].map((match) => match.index + match[0].search(/\d/));
  return {
    bytes,
    ids: find(/"i":"\d{10}"/g),
    times: find(/"t":\d{13}/g),
    events: clean.split('"ev":').length - 1,
  };
}

function writeDigits(bytes: Buffer, end: number, value: number): void {
  for (let place = end - 1, rest = value; rest > 0; place -= 1, rest = Math.floor(rest / 10)) {
    bytes[place] = 48 + (rest % 10);
  }
}

/** Sends frames at the pace that it is told, or as fast as they are taken. */
class Replay {
  readonly #frames: readonly Frame[];
  readonly #socket: WebSocket;
  #next = 0;
  #lastId = 0;
  #pace = 0;
  #since = performance.now();
  #sent = 0;

  constructor(frames: readonly Frame[], socket: WebSocket) {
    this.#frames = frames;
    this.#socket = socket;
    const timer = setInterval(() => this.#turn(), TURN_MS);
    socket.on('close', () => clearInterval(timer));
  }

  setPace(eventsPerSecond: number): number {
    const sent = this.#sent;
    this.#pace = eventsPerSecond;
    this.#since = performance.now();
    this.#sent = 0;
    return sent;
  }

  #turn(): void {
    const due = ((performance.now() - this.#since) / 1_000) * this.#pace;
    while (this.#sent < due && this.#socket.bufferedAmount < MAX_UNREAD_BYTES) {
      const frame = this.#frames[this.#next]!;
      this.#next = (this.#next + 1) % this.#frames.length;
      const now = Date.now();
      for (const place of frame.times) writeDigits(frame.bytes, place + 13, now);
      for (const place of frame.ids) writeDigits(frame.bytes, place + 10, (this.#lastId += 1));
      this.#socket.send(frame.bytes, { binary: false });
      this.#sent += frame.events;
    }
  }
}

const frames = await recordFrames();
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
await once(server, 'listening');
let replay: Replay | null = null;
server.on('connection', (socket) => {
  const say = (...statuses: { status: string; message: string }[]): void =>
    socket.send(JSON.stringify(statuses.map((status) => ({ ev: 'status', ...status }))));
  say({ status: 'connected', message: 'Connected Successfully' });
  socket.on('message', (data: RawData) => {
    const { action, params } = JSON.parse((data as Buffer).toString()) as { action: string; params: string };
    if (action === 'auth') say({ status: 'auth_success', message: 'authenticated' });
    else say(...params.split(',').map((pair) => ({ status: 'success', message: `subscribed to: ${pair}` })));
  });
  replay = new Replay(frames, socket);
});
const tell = (news: ExchangeNews): void => void process.send!(news);
process.on('message', ({ eventsPerSecond }: Pace) => tell({ sent: replay?.setPace(eventsPerSecond) ?? 0 }));
process.on('disconnect', () => process.exit(0));
tell({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` });
