import { expect, test, vi } from 'vitest';
import { createManualClock, type ManualClock } from '../../testing/manual-clock.ts';
import { Credentials, type Token } from './credentials.ts';

const SECOND_MS = 1000;

/** A token of this many seconds, as the clock has it; what it is signed with is the server's business. */
function mint(clock: ManualClock, seconds: number, claims: object = {}): string {
  const exp = clock.now() / SECOND_MS + seconds;
  return `e30.${Buffer.from(JSON.stringify({ exp, ...claims })).toString('base64url')}.signature`;
}

function open(source: () => Token | Promise<Token>, clock = createManualClock()) {
  const credentials = new Credentials(source, clock);
  const heard: unknown[] = [];
  credentials.watch(async (headers) => void heard.push(headers['authorization']));
  return { credentials, heard, clock };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a token that is given is that one, and cannot be renewed', async () => {
  const credentials = new Credentials('given');
  expect(await credentials.read()).toEqual({ token: 'given', headers: { authorization: 'Bearer given' } });
  expect(await credentials.renew('given')).toBe(false);
  expect(await new Credentials(undefined).read()).toEqual({ token: null, headers: {} });
});

test('a source is asked once, whoever asks meanwhile, and not before somebody does', async () => {
  const source = vi.fn(async () => 'asked');
  const { credentials } = open(source);
  expect(source).not.toHaveBeenCalled();
  const read = await Promise.all([credentials.read(), credentials.read()]);
  await credentials.read();
  expect(read.map(({ token }) => token)).toEqual(['asked', 'asked']);
  expect(source).toHaveBeenCalledOnce();
});

test.each([
  // A minute before its end, and of a short one a fifth.
  [3600, 3540],
  [100, 80],
])('a token of %i s is renewed after %i s', async (seconds, renewedAfter) => {
  const clock = createManualClock();
  const source = vi.fn(() => mint(clock, seconds));
  const { credentials, heard } = open(source, clock);
  await credentials.read();
  clock.advance(renewedAfter * SECOND_MS - 1);
  expect(source).toHaveBeenCalledOnce();
  clock.advance(1);
  await settle();
  expect(source).toHaveBeenCalledTimes(2);
  expect(heard).toEqual([`Bearer ${credentials.token}`]);
  // And so is the one after it.
  clock.advance(renewedAfter * SECOND_MS);
  await settle();
  expect(source).toHaveBeenCalledTimes(3);
});

test('a clock that runs hours ahead does not make a source be asked all the time', async () => {
  const clock = createManualClock();
  const now = clock.now() / SECOND_MS - 7200;
  const source = vi.fn(() => mint(clock, 0, { iat: now, exp: now + 600 }));
  const { credentials } = open(source, clock);
  await credentials.read();
  clock.advance(539 * SECOND_MS);
  await settle();
  expect(source).toHaveBeenCalledOnce();
});

test('what is no JWT, or has no end, is not renewed by itself', async () => {
  for (const token of ['opaque', 'a.b.c', `e30.${btoa('{"sub":"ann"}')}.x`, null]) {
    const { credentials, clock } = open(() => token);
    await credentials.read();
    expect(clock.readWaits()).toEqual([]);
  }
});

test('a token that was refused is asked for anew, once, and not where a newer one is there already', async () => {
  const tokens = ['first', 'second', 'second'];
  const source = vi.fn(() => tokens.shift()!);
  const { credentials, heard } = open(source);
  await credentials.read();
  expect(await Promise.all([credentials.renew('first'), credentials.renew('first')])).toEqual([true, true]);
  expect(await credentials.renew('first')).toBe(true);
  expect(source).toHaveBeenCalledTimes(2);
  expect(await credentials.renew('second')).toBe(false);
  expect(heard).toEqual(['Bearer second']);
});

test('a source that fails leaves the token that there is, and is asked again', async () => {
  const clock = createManualClock();
  let isAway = false;
  const source = vi.fn(() => {
    if (isAway) throw new Error('away');
    return mint(clock, 100);
  });
  const { credentials, heard } = open(source, clock);
  const { token } = await credentials.read();
  isAway = true;
  clock.advance(80 * SECOND_MS);
  await settle();
  expect(credentials.token).toBe(token);
  expect(await credentials.renew(token)).toBe(false);
  isAway = false;
  clock.advance(5 * SECOND_MS);
  await settle();
  expect(heard).toHaveLength(1);
  credentials.dispose();
  expect(clock.readWaits()).toEqual([]);
});
