import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { describeUsage, readArguments } from './cli.ts';
import type { UsageError } from './cli.ts';
import { FAULTS } from './faults.ts';
import { RawClient } from '../../../test/raw-exchange-client.ts';

const CLI = fileURLToPath(new URL('./cli.ts', import.meta.url));

describe('the command line', () => {
  test('is read into options', () => {
    const { help, options } = readArguments(
      '--port 9401 --symbols 500 --rate 2000 --seed 7 --new-york-hours --no-tape --key a --key=b --connections-per-key 3 --quota-victim newest --max-buffered-bytes 1000 --auth-timeout-ms 50 --slice-ms 10 --fault drop-every=30s --fault stall'.split(
        ' ',
      ),
    );
    expect(help).toBe(false);
    expect(options).toEqual({
      port: 9401,
      symbols: 500,
      eventsPerSecond: 2000,
      seed: 7,
      newYorkHours: true,
      tape: false,
      keys: { a: {}, b: {} },
      maxConnectionsPerKey: 3,
      quotaVictim: 'newest',
      maxBufferedBytes: 1000,
      authTimeoutMs: 50,
      frameSliceMs: 10,
      faults: { 'drop-every': 30_000, stall: true },
    });
    expect(readArguments([]).options).toMatchObject({ port: 9400, tape: true, newYorkHours: false, faults: {} });
    expect(readArguments(['--help']).help).toBe(true);
  });

  test('with mistakes is refused with all of them', () => {
    let problems: readonly string[] = [];
    try {
      readArguments(
        '--prot=3 extra --rate fast --no-tape=1 --seed --slice-ms=2 --fault nonsense --quota-victim me'.split(' '),
      );
    } catch (error) {
      problems = (error as UsageError).problems;
    }
    expect(problems).toEqual([
      '--prot is no option',
      '"extra" is no option',
      '--no-tape takes no value',
      '--seed needs a value',
      expect.stringMatching(/^--fault nonsense: no fault is called "nonsense"; there are /),
      '--quota-victim is oldest or newest',
      '--rate needs a whole number, not "fast"',
    ]);
  });

  test('explains every fault', () => {
    for (const [name, { about }] of Object.entries(FAULTS)) {
      expect(describeUsage()).toContain(name);
      expect(describeUsage()).toContain(about);
    }
  });

  test('starts an exchange, says where it is, and stops at a signal', async () => {
    const child = spawn(process.execPath, [CLI, '--port', '0', '--symbols', '5'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const exited = once(child, 'exit');
    await expect.poll(() => output).toMatch(/^WebSocket ws:\/\/127\.0\.0\.1:\d+\nREST {6}http:.*\n$/);
    const client = await RawClient.login(`${/ws:\S+/.exec(output)![0]}/stocks`);
    await client.subscribe('T.*');
    await client.untilElement(({ ev }) => ev === 'T');
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(await client.closed).toBe(1006);
  });

  test.each([
    [['--help'], 0, 'stdout', /^Usage: npm run simulate/],
    [['--nonsense'], 1, 'stderr', /^--nonsense is no option\nSee npm run simulate/],
    [['--symbols', '100000'], 1, 'stderr', /symbols is 100000, not a whole number of 1 to \d+/],
  ] as const)('with %j ends with status %i', async (args, status, stream, message) => {
    const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child[stream].setEncoding('utf8').on('data', (text: string) => (output += text));
    expect((await once(child, 'close'))[0]).toBe(status);
    expect(output).toMatch(message);
  });
});
