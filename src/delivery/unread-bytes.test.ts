import { expect, it } from 'vitest';
import { ManualTimers } from '../../test/manual-time.ts';
import { UnreadBytes, type WrittenSocket } from './unread-bytes.ts';

const BOUNDS = { maxPerConnection: 1000, max: 2000, patienceMs: 30_000, minBytesPerSecond: 100 };

/** A connection of which a test decides how much of it the kernel takes. */
class TestSocket implements WrittenSocket {
  writableLength = 0;
  bytesWritten = 0;
  destroyed = false;

  write(bytes: number): this {
    this.writableLength += bytes;
    this.bytesWritten += bytes;
    return this;
  }

  take(bytes: number): void {
    this.writableLength -= bytes;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

function create() {
  const timers = new ManualTimers();
  const unread = new UnreadBytes(BOUNDS, timers);
  const write = (client: string, bytes: number, sharedBytes = 0): TestSocket => {
    const socket = new TestSocket().write(bytes);
    unread.note(socket, client, sharedBytes);
    return socket;
  };
  return { timers, unread, write };
}

it('a connection that holds more than its bound is cut off at once', () => {
  const { unread, write } = create();
  const kept = write('a', 1000);
  const cut = write('b', 1001);
  expect([kept.destroyed, cut.destroyed]).toEqual([false, true]);
  expect(unread.readStats()).toEqual({ connections: 1, bytes: 1000, cutTooMuch: 1, cutTooSlow: 0 });
});

it('above the bound in all the largest connection of the client that holds the most is cut off', () => {
  const { unread, write } = create();
  const honest = write('honest', 700);
  const many = [300, 400, 300].map((bytes) => write('many', bytes));
  const last = write('last', 500);
  expect([honest, ...many, last].map(({ destroyed }) => destroyed)).toEqual([false, false, true, false, false]);
  expect(unread.readStats()).toMatchObject({ bytes: 1800, cutTooMuch: 1 });
});

it('what was read meanwhile makes room first', () => {
  const { unread, write } = create();
  const read = write('a', 1000);
  read.take(900);
  const others = [write('b', 1000), write('c', 900)];
  expect([read, ...others].map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
  expect(unread.readStats()).toMatchObject({ bytes: 2000, cutTooMuch: 0 });
});

it('bytes that all connections share count for nobody, but are waited for no longer than others', () => {
  const { timers, unread, write } = create();
  const socket = write('a', 100_000, 99_900);
  expect(unread.readStats().bytes).toBe(100);
  timers.advance(30_000 + 999_000);
  expect(socket.destroyed).toBe(false);
  timers.advance(2000);
  expect(socket.destroyed).toBe(true);
});

it('a connection of which nothing is taken is cut off after the patience and the time that its bytes may take', () => {
  const { timers, unread, write } = create();
  const socket = write('a', 1000);
  timers.advance(39_000);
  expect(socket.destroyed).toBe(false);
  timers.advance(2000);
  expect(socket.destroyed).toBe(true);
  expect(unread.readStats()).toEqual({ connections: 0, bytes: 0, cutTooMuch: 0, cutTooSlow: 1 });
});

it('what is written meanwhile is no progress, what is taken is', () => {
  const { timers, unread, write } = create();
  const stopped = write('a', 500);
  const reading = write('b', 500);
  for (let second = 0; second < 60; second++) {
    timers.advance(1000);
    reading.take(5);
    for (const socket of [stopped, reading]) {
      if (socket.destroyed) continue;
      socket.write(5);
      unread.note(socket, 'c');
    }
  }
  expect([stopped.destroyed, reading.destroyed]).toEqual([true, false]);
});

it('a connection is forgotten when all of it is taken, or when it has ended, and then no timer runs', () => {
  const { timers, unread, write } = create();
  const taken = write('a', 500);
  const ended = write('b', 500);
  expect(timers.delays).toHaveLength(1);
  taken.take(500);
  ended.destroy();
  timers.advance(1000);
  expect(unread.readStats()).toEqual({ connections: 0, bytes: 0, cutTooMuch: 0, cutTooSlow: 0 });
  expect(timers.delays).toEqual([]);
  write('a', 1);
  expect(timers.delays).toHaveLength(1);
  unread.close();
  expect(timers.delays).toEqual([]);
});
