import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type BreakableLink, openBreakableLink } from '../../testing/breakable-link.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import { type ScriptedServer, startScriptedServer } from '../../testing/scripted-server.ts';
import { until } from '../../testing/until.ts';
import { QuoteUpdates } from './operations.ts';
import { createTapeClient, type TapeClient } from './tape-client.ts';
import type { TapeStatus } from './tape-status.ts';

let server: ScriptedServer;
let link: BreakableLink;
let client: TapeClient;
let isOnline: boolean;
let tellNetwork: () => void;

const clock = createManualClock();

beforeEach(async () => {
  server = await startScriptedServer();
  link = await openBreakableLink(server.url);
  isOnline = true;
  client = createTapeClient({
    url: link.url,
    clock,
    random: () => 1,
    network: {
      isOnline: () => isOnline,
      watch: (listener) => {
        tellNetwork = listener;
        return () => {};
      },
    },
  });
});

afterEach(async () => {
  await client.dispose();
  await link.close();
  await server.close();
});

const read = (): TapeStatus => client.status.getSnapshot();
const stay = (): void => void client.subscription(QuoteUpdates, { symbols: ['AAPL'] }).subscribe(() => {});

test('says how the client stands, since when, why, and when it is tried again', async () => {
  const fresh = { failures: 0, retryAt: null, cause: null, isRefused: false, waiting: 0 };
  const begin = clock.now();
  expect(read()).toEqual({ ...fresh, state: 'connecting', since: begin });
  clock.advance(1000);
  stay();
  await until(() => expect(read()).toEqual({ ...fresh, state: 'live', since: begin + 1000 }));
  clock.advance(1000);
  server.closeConnections(1001);
  const cause = { code: 1001, reason: 'scripted' };
  const resuming = { ...fresh, state: 'resuming', since: begin + 2000, failures: 1, cause };
  await until(() => expect(read()).toEqual({ ...resuming, retryAt: begin + 2500 }));
  link.bar('all');
  clock.advance(500);
  await until(() => expect(read()).toMatchObject({ state: 'resuming', since: begin + 2000, failures: 2 }));
});

test('is one object as long as nothing changes, and tells of nothing else', async () => {
  stay();
  await until(() => expect(read().state).toBe('live'));
  const listener = vi.fn();
  const stop = client.status.subscribe(listener);
  const before = read();
  tellNetwork();
  expect(read()).toBe(before);
  expect(listener).not.toHaveBeenCalled();
  stop();
  link.cut();
  await until(() => expect(read().state).toBe('resuming'));
  expect(listener).not.toHaveBeenCalled();
});

test('a network that is gone is offline, and one that comes back is tried at once', async () => {
  stay();
  await until(() => expect(read().state).toBe('live'));
  link.bar('all');
  await until(() => expect(read().state).toBe('resuming'));
  isOnline = false;
  tellNetwork();
  await until(() => expect(read().state).toBe('offline'));
  await until(() => expect(read().retryAt).not.toBeNull());
  link.bar('nothing');
  isOnline = true;
  tellNetwork();
  await until(() => expect(read().state).toBe('live'));
});

test('where the platform says that there is no network and there is one, what stands is what counts', async () => {
  isOnline = false;
  tellNetwork();
  expect(read().state).toBe('offline');
  stay();
  await until(() => expect(read().state).toBe('live'));
});

test('the wait before the next attempt can be ended by hand', async () => {
  server.refusals.push(1013);
  stay();
  await until(() => expect(read()).toMatchObject({ failures: 1, retryAt: clock.now() + 500 }));
  client.status.retryNow();
  await until(() => expect(read().state).toBe('live'));
});
