import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createTapeClient } from '../src/graphql/tape-client.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { type RealServer, startRealServer } from '../testing/real-server.ts';
import { startScriptedServer } from '../testing/scripted-server.ts';
import { until } from '../testing/until.ts';
import { createJsonView } from './line-view.ts';
import { readOptions, type WatchOptions } from './options.ts';
import { watch as watchBy } from './watch.ts';

const PROGRAM = fileURLToPath(new URL('main.ts', import.meta.url));

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.length = 0;
});

function watch(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const out: string[] = [];
  const err: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => out.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => err.push(line));
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  return {
    child,
    out,
    err,
    /** With --json: the objects of one type. */
    read: (type: string) => out.map((line) => JSON.parse(line)).filter((event) => event.type === type),
    end: async () => {
      const [status] = await closed;
      return status;
    },
  };
}

/** In this process, where the test says when the time that was given is over. */
function watchByHand(...args: string[]) {
  const options = readOptions(args) as WatchOptions;
  const clock = createManualClock();
  const client = createTapeClient({ url: options.url, backoff: { initialDelayMs: 5, maxDelayMs: 50 } });
  const nowhere = { write: () => true };
  const view = createJsonView({ out: nowhere, err: nowhere });
  const ended = watchBy(client, view, options, new AbortController().signal, clock);
  return { clock, client, ended, readStatus: () => client.status.getSnapshot() };
}

describe('with the real server', () => {
  let server: RealServer;
  beforeAll(async () => {
    server = await startRealServer();
  });
  afterAll(() => server.kill());

  test('writes a line per quote and trade into a pipe, and ends with status 0 at Ctrl-C', async () => {
    const { child, out, err, end } = watch('aapl', 'MSFT', '--url', server.url);
    await until(() => {
      expect(out.join('\n')).toMatch(
        /^\d\d:\d\d:\d\d\.\d{3} {2}AAPL {4}quote {2}\d+\.\d\d .* bid .* ask .* volume [\d,.]+$/m,
      );
      expect(out.join('\n')).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}(AAPL|MSFT) {4}trade {2}\d+\.\d\d × [\d,.]+ {2}\S/m);
    });
    expect(err).toEqual(
      expect.arrayContaining([
        `connected to ${server.url}`,
        'market: REGULAR, open',
        'service: OPERATIONAL, feed SIMULATED',
      ]),
    );
    // Colours are for terminals.
    expect(out.join('')).not.toContain('\x1b');
    child.kill('SIGINT');
    expect(await end()).toBe(0);
  });

  test('writes one JSON object per event', async () => {
    const { child, read, end } = watch('AAPL', 'MSFT', '--json', '--bars', '--max-rate', '20', '--url', server.url);
    await until(() => {
      for (const type of ['quote', 'trade', 'bar']) expect(read(type).length).toBeGreaterThan(0);
    });
    const statuses = read('connection').map(({ status }) => status);
    expect(statuses.slice(0, 2)).toEqual(['connecting', 'live']);
    expect(read('marketStatus')[0]).toMatchObject({ session: 'REGULAR', isOpen: true });
    expect(read('serviceStatus')[0]).toMatchObject({ feed: 'SIMULATED', feedConnected: true });
    expect(read('quote')[0]).toMatchObject({
      symbol: expect.stringMatching(/^(AAPL|MSFT)$/),
      price: expect.any(Number),
    });
    child.kill('SIGTERM');
    expect(await end()).toBe(0);
  });

  test('ends with status 0 when its reader has read enough', async () => {
    const { child, out, end } = watch('AAPL', '--url', server.url);
    await until(() => expect(out.length).toBeGreaterThan(0));
    child.stdout?.destroy();
    expect(await end()).toBe(0);
  });

  test('ends with status 1 and the reason where the server refuses what was asked', async () => {
    const { err, end } = watch('not a symbol', '--url', server.url);
    expect(await end()).toBe(1);
    expect(err.at(-1)).toContain('"NOT A SYMBOL" is no symbol');
  });

  test('ends with status 1 where nothing is known of what was asked in the time that was given', async () => {
    const { clock, client, ended, readStatus } = watchByHand('ZZZZZZ', '--timeout', '0.5', '--url', server.url);
    await until(() => expect(readStatus().state).toBe('live'));
    clock.advance(500);
    const message = `no market data within 0.5 s: connected to ${server.url}`;
    expect(await ended).toEqual({ status: 1, message });
    await client.dispose();
  });

  test('goes on with a server that was started anew, and tells that prints were missed', async () => {
    const { err, read } = watch('AAPL', 'MSFT', '--json', '--url', server.url);
    await until(() => expect(read('trade').length).toBeGreaterThan(0));
    const { port } = new URL(server.url);
    await server.stop();
    await until(() => expect(read('connection').at(-1)?.status).not.toBe('live'));
    server = await startRealServer(Number(port));
    // Its log is a new one: the cursor of the old server leads nowhere in it.
    await until(() => expect(read('gap')).toHaveLength(1));
    expect(read('gap')[0]).toMatchObject({ log: 'trades', after: expect.any(String) });
    expect(read('connection').at(-1)).toEqual({ type: 'connection', status: 'live', reconnects: 1 });
    expect(err).toEqual([]);
  });
});

describe('without one', () => {
  test('says plainly that the server is not there, and finds it when it is', async () => {
    const gone = await startScriptedServer();
    await gone.close();
    const { out, err } = watch('AAPL', '--url', gone.url);
    await until(() => expect(err[0]).toMatch(/^cannot reach .*: trying again in \d+\.\d s$/));
    const server = await startScriptedServer(Number(new URL(gone.url).port));
    await until(() => expect(out[0]).toMatch(/AAPL {4}quote {2}100\.00/));
    await server.close();
  });

  test('gives up after the time that was given', async () => {
    const gone = await startScriptedServer();
    await gone.close();
    const { err, end } = watch('--timeout', '0.2', '--url', gone.url);
    expect(await end()).toBe(1);
    expect(err.at(-1)).toMatch(/^watch: no market data within 0\.2 s: /);

    const { clock, client, ended, readStatus } = watchByHand('--timeout', '0.2', '--url', gone.url);
    await until(() => expect(readStatus().failures).toBeGreaterThan(0));
    clock.advance(200);
    expect(await ended).toMatchObject({ status: 1, message: expect.stringMatching(/ 0\.2 s: cannot reach /) });
    await client.dispose();
  });

  test('ends with status 1 where it is refused for good', async () => {
    const server = await startScriptedServer();
    server.refusals.push(4403);
    const { err, end } = watch('AAPL', '--url', server.url);
    expect(await end()).toBe(1);
    expect(err.at(-1)).toMatch(
      /^watch: The server closed the connection for good: refused for good: origin or credentials/,
    );
    await server.close();
  });

  test('explains itself, and what it cannot make out', async () => {
    const help = watch('--help');
    expect(await help.end()).toBe(0);
    expect(help.out[0]).toBe('Watch live quotes and trades in the terminal.');
    const wrong = watch('--max-rate', 'fast');
    expect(await wrong.end()).toBe(2);
    expect(wrong.err).toEqual([
      'watch: --max-rate: "fast" is no number above 0 and up to 1000',
      'Try: npm run watch -- --help',
    ]);
  });
});
