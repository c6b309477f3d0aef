import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { letRun, ManualTimers } from '../../test/manual-time.ts';
import { makeTrade } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import type { Bus, BusState, Interruption, LogEntry, LogKey } from '../bus/bus.ts';
import { ClientError } from '../errors.ts';
import type { LogPosition } from '../market/log.ts';
import type { LoggedTrade } from '../market/trade.ts';
import { LogHub } from './log-hub.ts';
import type { LogStream } from './log-stream.ts';
import { TimerWheel } from './timer-wheel.ts';

const SYMBOLS = ['A', 'B', 'C'] as const;

/**
 * A bus whose every step the test takes: what is appended lies in the channel until it is delivered, a question lies with the
 * server until it is answered, an answer on the wire until it arrives. It is the model as well: it knows all that was ever written.
 */
class SteppedBus {
  /** Everything of the current epoch, trimmed or not, in order. */
  written: LoggedTrade[] = [];
  epoch = 'epoch-1';
  #offset = 1000;
  readonly #sequences = new Map<string, number>();
  readonly floors = new Map<string, number>();
  readonly #listeners = new Map<string, (entry: LoggedTrade) => void>();
  readonly #states = new Set<(state: BusState) => void>();
  readonly #interruptions = new Set<(channels: Interruption) => void>();
  #channel: LoggedTrade[] = [];
  #delivered: LoggedTrade[] = [];
  #asked: { readonly answer: () => unknown; readonly reply: PromiseWithResolvers<unknown> }[] = [];
  #answered: (() => void)[] = [];
  connected = true;
  dropped = 0;
  skews = 0;
  readonly #late = new Map<string, LoggedTrade>();
  trims = 0;
  epochs = 1;

  append(symbol: string): void {
    this.land(symbol);
    this.#write(this.#number(symbol));
  }

  /** Numbered now and written later, as where each node of a Cluster has a way of its own: others are written before. */
  number(symbol: string): void {
    this.land(symbol);
    this.#late.set(symbol, this.#number(symbol));
    this.skews++;
  }

  land(symbol: string): void {
    const entry = this.#late.get(symbol);
    this.#late.delete(symbol);
    if (entry !== undefined) this.#write(entry);
  }

  #number(symbol: string): LoggedTrade {
    const sequence = (this.#sequences.get(symbol) ?? 0) + 1;
    this.#sequences.set(symbol, sequence);
    return makeTrade(symbol, ++this.#offset, { epoch: this.epoch, sequence });
  }

  #write(entry: LoggedTrade): void {
    this.written.push(entry);
    if (this.connected) this.#channel.push(entry);
  }

  deliver(count: number): void {
    for (const entry of this.#channel.splice(0, count)) {
      this.#delivered.push(entry);
      this.#listeners.get(`market-data:trades:{${entry.symbol}}`)?.(entry);
    }
  }

  /** What was delivered lately comes once more. */
  repeat(count: number): void {
    for (const entry of this.#delivered.slice(-count)) {
      this.#listeners.get(`market-data:trades:{${entry.symbol}}`)?.(entry);
    }
  }

  /** One message is lost on the way, and nobody says so. */
  drop(): void {
    if (this.#channel.shift() !== undefined) this.dropped++;
  }

  /** The server works on what was asked. */
  answer(count: number): void {
    for (const { answer, reply } of this.#asked.splice(0, count)) {
      const value = answer();
      this.#answered.push(() => reply.resolve(value));
    }
  }

  /** What it answered arrives. */
  arrive(count: number): void {
    for (const arrive of this.#answered.splice(0, count)) arrive();
  }

  disconnect(): void {
    if (!this.connected) return;
    this.connected = false;
    this.#channel = [];
    this.#answered = [];
    for (const { reply } of this.#asked.splice(0)) reply.reject(new Error('away'));
    for (const reply of this.#pending) reply.reject(new Error('away'));
    this.#tell();
  }

  connect(): void {
    if (this.connected) return;
    this.connected = true;
    this.#tell();
    for (const listener of this.#interruptions) listener('all');
  }

  /** A slot moves: one channel is not heard for a while, and the bus tells when it is again. */
  interrupt(symbol: string): void {
    if (!this.connected) return;
    this.#channel = this.#channel.filter((entry) => entry.symbol !== symbol);
    for (const listener of this.#interruptions) listener([`market-data:trades:{${symbol}}`]);
  }

  trim(symbol: string): void {
    const entries = this.written.filter((entry) => entry.symbol === symbol);
    const floor = entries[Math.floor(entries.length / 2)]?.offset;
    if (floor === undefined) return;
    this.floors.set(symbol, floor);
    this.trims++;
  }

  loseData(): void {
    this.disconnect();
    this.epoch = `epoch-${++this.epochs}`;
    this.written = [];
    this.floors.clear();
    this.#sequences.clear();
    this.#late.clear();
    this.#delivered = [];
  }

  get quiet(): boolean {
    return this.#channel.length + this.#asked.length + this.#answered.length === 0;
  }

  readonly #pending = new Set<PromiseWithResolvers<unknown>>();

  #ask<T>(answer: () => T): Promise<T> {
    if (!this.connected) return Promise.reject(new Error('away'));
    const reply = Promise.withResolvers<unknown>();
    this.#pending.add(reply);
    this.#asked.push({ answer, reply });
    return reply.promise.finally(() => this.#pending.delete(reply)) as Promise<T>;
  }

  #tell(): void {
    for (const listener of this.#states) listener({ connected: this.connected, reason: null });
  }

  #kept(symbol: string): LoggedTrade[] {
    const floor = this.floors.get(symbol) ?? 0;
    return this.written.filter((entry) => entry.symbol === symbol && entry.offset > floor);
  }

  asBus(): Bus {
    const bus: Partial<Bus> = {
      subscribe: async (channel, listener) => {
        this.#listeners.set(channel.name, listener as never);
        return async () => void this.#listeners.delete(channel.name);
      },
      readHistory: ((key: LogKey, range: { after: number; limit: number }) =>
        this.#ask(() =>
          this.#kept(key.symbol)
            .filter(({ offset }) => offset > range.after)
            .slice(0, range.limit),
        )) as Bus['readHistory'],
      readHistoryFloors: (keys) => this.#ask(() => keys.map(({ symbol }) => this.floors.get(symbol) ?? 0)),
      readLastEntries: (keys) =>
        this.#ask(() => keys.map(({ symbol }): LogEntry | null => this.#kept(symbol).at(-1) ?? null)),
      readEpoch: () => this.#ask(() => this.epoch),
      readState: () => ({ connected: this.connected, reason: null }),
      onState: (listener) => {
        this.#states.add(listener);
        return () => void this.#states.delete(listener);
      },
      onInterruption: (listener) => {
        this.#interruptions.add(listener);
        return () => void this.#interruptions.delete(listener);
      },
    };
    return bus as Bus;
  }
}

type Step =
  | { readonly kind: 'append'; readonly symbol: string; readonly count: number }
  | {
      readonly kind: 'deliver' | 'repeat' | 'answer' | 'arrive' | 'read';
      readonly count: number;
    }
  | { readonly kind: 'drop' | 'disconnect' | 'connect' | 'hold' | 'release' | 'join' | 'loseData' }
  | { readonly kind: 'trim' | 'interrupt' | 'number' | 'land'; readonly symbol: string };

const symbol = fc.constantFrom(...SYMBOLS);
const several = fc.integer({ min: 1, max: 12 });
const usual: fc.WeightedArbitrary<Step>[] = [
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append'), symbol, count: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constantFrom('deliver', 'answer', 'arrive', 'read'),
      count: several,
    }),
  },
  // Else it would hardly ever be level with the log.
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('join') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat'), count: several }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('disconnect', 'connect', 'connect') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('hold', 'release') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('interrupt'), symbol }) },
];
const losses: fc.WeightedArbitrary<Step>[] = [
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('trim'), symbol }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('loseData') }) },
];
const drops: fc.WeightedArbitrary<Step>[] = [{ weight: 1, arbitrary: fc.record({ kind: fc.constant('drop') }) }];
const skews: fc.WeightedArbitrary<Step>[] = [
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('number', 'land'), symbol }) },
];

/** One reader of all symbols over a run of steps. */
class Run {
  readonly bus = new SteppedBus();
  readonly hub: LogHub;
  readonly received: LoggedTrade[] = [];
  stream: LogStream<LoggedTrade> | null = null;
  /** Where it said that it begins. */
  start: LogPosition | null = null;
  error: unknown = null;
  #reading: Promise<void> | null = null;
  maxDepth = 0;
  readonly after: LogPosition | null;
  /** Handed each entry as it comes, instead of asking for one after another. */
  readonly #isAttached: boolean;
  /** How many entries a reader that is attached takes still. */
  #wanted = 0;

  constructor(before: number, resumeAt: number | null, isAttached: boolean) {
    this.#isAttached = isAttached;
    for (let index = 0; index < before; index++) this.bus.append(SYMBOLS[index % SYMBOLS.length]!);
    this.bus.deliver(before);
    const offset = resumeAt === null ? undefined : (this.bus.written[resumeAt % Math.max(1, before)]?.offset ?? 1000);
    this.after = offset === undefined ? null : { epoch: this.bus.epoch, offset };
    this.hub = new LogHub({
      bus: this.bus.asBus(),
      historyMs: 1000,
      bounds: { maxEntries: 6, maxBytes: 1e6, stallMs: 1e6, behindMs: 1e6 },
      wheel: new TimerWheel({ resolutionMs: 1, timers: new ManualTimers() }),
      // By this clock all was long ago: nothing but the offsets themselves tells what was missed.
      now: () => 0,
      logger: recordingLogger().logger,
    });
  }

  open(): void {
    const keys = SYMBOLS.map((of): LogKey => ({ kind: 'trade', symbol: of }));
    this.hub
      .open<LoggedTrade>(keys, this.after, () => undefined)
      .then(
        (stream) => {
          this.stream = stream;
          this.start = stream.start;
          if (this.#isAttached) this.#attach(stream);
        },
        (error: unknown) => (this.error = error),
      );
  }

  #attach(stream: LogStream<LoggedTrade>): void {
    const isReady = (): boolean => this.#wanted > 0;
    stream.attach({
      get ready() {
        return isReady();
      },
      take: (entry) => {
        // Nothing is handed to who is not ready, nor after the end.
        expect(this.#wanted).toBeGreaterThan(0);
        expect(this.error).toBeNull();
        this.#wanted--;
        this.received.push(entry);
      },
      end: (error) => (this.error = error),
    });
  }

  read(count: number): void {
    if (this.stream === null || this.#reading !== null || this.error !== null) return;
    if (this.#isAttached) {
      this.#wanted += count;
      this.stream.pull();
      return;
    }
    const take = async (): Promise<void> => {
      for (let index = 0; index < count && this.error === null; index++) {
        const { done, value } = await this.stream!.next();
        if (done === true) return;
        this.received.push(value);
      }
    };
    this.#reading = take().then(
      () => void (this.#reading = null),
      (error: unknown) => void (this.error = error),
    );
  }

  async do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'append':
        for (let index = 0; index < step.count; index++) this.bus.append(step.symbol);
        break;
      case 'read':
        this.read(step.count);
        break;
      case 'hold':
      case 'release':
        this.hub[step.kind]();
        break;
      case 'join':
        for (let round = 0; round < 6; round++) {
          this.bus.answer(100);
          this.bus.arrive(100);
          await letRun();
        }
        break;
      case 'number':
      case 'land':
      case 'trim':
      case 'interrupt':
        this.bus[step.kind](step.symbol);
        break;
      case 'drop':
      case 'disconnect':
      case 'connect':
      case 'loseData':
        this.bus[step.kind]();
        break;
      default:
        this.bus[step.kind](step.count);
    }
    await letRun();
    this.maxDepth = Math.max(this.maxDepth, this.hub.readStats().messagesWaiting);
  }

  /** Everything comes to rest: the reader has all that it will get. */
  async settle(): Promise<void> {
    this.bus.connect();
    this.hub.release();
    // A message that was lost shows at the next one.
    for (const of of SYMBOLS) this.bus.append(of);
    for (let idle = 0, turns = 0; idle < 3; turns++) {
      expect(turns).toBeLessThan(1000);
      const before = this.received.length;
      this.bus.deliver(1000);
      this.bus.answer(1000);
      this.bus.arrive(1000);
      this.read(1000);
      await letRun();
      idle = this.bus.quiet && this.received.length === before ? idle + 1 : 0;
    }
  }
}

describe('the join of history and live', () => {
  async function check(
    steps: readonly Step[],
    before: number,
    resumeAt: number | null,
    openAt: number,
    isAttached: boolean,
  ): Promise<Run> {
    const run = new Run(before, resumeAt, isAttached);
    for (const [index, step] of steps.entries()) {
      if (index === Math.min(openAt, steps.length - 1)) run.open();
      await run.do(step);
    }
    if (steps.length === 0) run.open();
    await run.settle();

    if (run.error === null) {
      // Where the bus was away it counts from the opening, which by this clock was before everything.
      const first = run.start?.offset ?? 0;
      const due = run.bus.written.filter(({ offset }) => offset > first).toSorted((a, b) => a.offset - b.offset);
      const byOffset = run.received.toSorted((a, b) => a.offset - b.offset);
      expect(byOffset.map(({ offset }) => offset)).toEqual(due.map(({ offset }) => offset));
      for (const of of SYMBOLS) {
        const offsets = run.received.filter((entry) => entry.symbol === of).map(({ offset }) => offset);
        expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
      }
      // Over all symbols too, unless a message was lost on the way or written late: it comes after what had come already.
      if (run.bus.dropped === 0 && run.bus.skews === 0) expect(run.received).toEqual(byOffset);
      expect(run.bus.epochs === 1 || run.received.every(({ epoch }) => epoch === run.bus.epoch)).toBe(true);
    } else {
      expect(run.error).toBeInstanceOf(ClientError);
      expect(run.error).toMatchObject({ code: 'HISTORY_EXPIRED', details: { oldestCursor: expect.any(String) } });
      // Not told without a cause.
      expect(run.bus.trims > 0 || run.bus.epochs > 1).toBe(true);
      // And what came before it has no gap.
      const ofEpoch = run.received.filter(({ epoch }) => epoch === run.bus.epoch);
      const [first, last] = [ofEpoch.at(0)?.offset ?? 0, ofEpoch.at(-1)?.offset ?? -1];
      expect(ofEpoch).toEqual(run.bus.written.filter(({ offset }) => offset >= first && offset <= last));
    }
    await run.hub.close();
    return run;
  }

  const before = fc.integer({ min: 0, max: 30 });
  const resumeAt = fc.option(fc.nat({ max: 29 }));
  const openAt = fc.nat({ max: 10 });
  const isAttached = fc.boolean();

  test('gives every entry once and in order, whatever comes late, twice, or while the bus is away', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(...usual), { maxLength: 80, size: 'max' }),
        before,
        resumeAt,
        openAt,
        isAttached,
        async (...args) => {
          const run = await check(...args);
          expect(run.error).toBeNull();
        },
      ),
      { numRuns: 500 },
    );
  });

  test('mends what is lost on the way without a word', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(...usual, ...drops), { maxLength: 80, size: 'max' }),
        before,
        resumeAt,
        openAt,
        isAttached,
        async (...args) => {
          const run = await check(...args);
          expect(run.error).toBeNull();
        },
      ),
      { numRuns: 500 },
    );
  });

  test('leaves nothing out where the logs are written by ways of their own', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(...usual, ...skews), { maxLength: 80, size: 'max' }),
        before,
        resumeAt,
        openAt,
        isAttached,
        async (...args) => {
          const run = await check(...args);
          expect(run.error).toBeNull();
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is given up with HISTORY_EXPIRED where entries are lost for good, and never otherwise', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(...usual, ...losses), { maxLength: 80, size: 'max' }),
        before,
        resumeAt,
        openAt,
        isAttached,
        async (...args) => void (await check(...args)),
      ),
      { numRuns: 500 },
    );
  });
});
