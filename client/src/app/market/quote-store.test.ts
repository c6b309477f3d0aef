import { beforeEach, expect, it, vi } from 'vitest';
import { createManualClock, type ManualClock } from '../../../testing/manual-clock.ts';
import type { Quote } from './quote-document.ts';
import { createQuoteStore, type QuoteSink, type QuoteStore } from './quote-store.ts';

type Stream = { readonly symbols: readonly string[]; readonly sink: QuoteSink; isOpen: boolean };

let streams: Stream[];
let frames: (() => void)[];
let clock: ManualClock;
let store: QuoteStore;

beforeEach(() => {
  streams = [];
  frames = [];
  clock = createManualClock();
  store = createQuoteStore({
    open: (symbols, sink) => {
      const stream: Stream = { symbols, sink, isOpen: true };
      streams.push(stream);
      return () => void (stream.isOpen = false);
    },
    requestFrame: (callback) => frames.push(callback),
    clock,
  });
});

const open = () => streams.filter(({ isOpen }) => isOpen).map(({ symbols }) => symbols);
const paint = () => frames.splice(0).forEach((callback) => callback());
const wait = () => clock.advance(100);

function quote(symbol: string, price: number): Quote {
  return {
    ...{ symbol, price, change: 0, changePercent: 0, bid: null, bidSize: null, ask: null, askSize: null },
    ...{ open: null, high: null, low: null, previousClose: null, vwap: null, volume: 0 },
    ...{ timestamp: '2026-11-20T15:00:00.000Z', stale: false },
  };
}

it('asks once for all that is watched in one moment', () => {
  store.watch('A', vi.fn());
  store.watch('B', vi.fn());
  store.watchMany(['B', 'C'], vi.fn());
  expect(open()).toEqual([]);
  wait();
  expect(open()).toEqual([['A', 'B', 'C']]);
});

it('tells who watches a symbol of its newest quote, once per frame, and nobody else', () => {
  const ofA = vi.fn();
  const ofB = vi.fn();
  const ofAll = vi.fn();
  store.watch('A', ofA);
  store.watch('B', ofB);
  store.watchMany(['A', 'B'], ofAll);
  wait();
  for (let price = 1; price <= 100; price++) streams[0]!.sink.next(quote('A', price));
  expect(store.read('A')).toBeUndefined();
  expect(frames).toHaveLength(1);
  paint();
  expect(store.read('A')).toMatchObject({ price: 100 });
  expect([ofA, ofB, ofAll].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 1]);
  expect(ofAll).toHaveBeenCalledWith(new Set(['A']));
});

it('says which way the price moved last', () => {
  store.watch('A', vi.fn());
  wait();
  const directions = [10, 11, 11, 9].map((price) => {
    streams[0]!.sink.next(quote('A', price));
    paint();
    return store.read('A')!.direction;
  });
  expect(directions).toEqual(['flat', 'up', 'up', 'down']);
});

it('keeps a symbol that is let go of until others come, and asks no more for it then', () => {
  const stop = store.watch('A', vi.fn());
  wait();
  stop();
  wait();
  expect(open()).toEqual([['A']]);
  store.watch('A', vi.fn());
  wait();
  expect(streams).toHaveLength(1);
});

it('opens the next before it ends the last, so that no symbol is let go of in between', () => {
  const stop = store.watch('A', vi.fn());
  store.watch('B', vi.fn());
  wait();
  stop();
  store.watch('C', vi.fn());
  wait();
  expect(open()).toEqual([['B', 'C']]);
  expect(streams).toHaveLength(2);
});

it('asks for fewer at once where the server takes fewer', () => {
  store.watchMany(['A', 'B', 'C'], vi.fn());
  wait();
  streams[0]!.sink.limit(2);
  wait();
  expect(open()).toEqual([['A', 'B'], ['C']]);
  expect(store.readFailure()).toBeNull();
});

it('says why there are no quotes, until there are', () => {
  const listener = vi.fn();
  store.watchFailure(listener);
  store.watch('A', vi.fn());
  wait();
  streams[0]!.sink.fail('Not allowed');
  expect(store.readFailure()).toBe('Not allowed');
  streams[0]!.sink.next(quote('A', 1));
  expect(store.readFailure()).toBeNull();
  expect(listener).toHaveBeenCalledTimes(2);
});
