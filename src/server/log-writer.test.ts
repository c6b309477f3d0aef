import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { makeDataDir } from '../../test/ledger.ts';

const LOG = JSON.stringify(path.resolve(import.meta.dirname, 'log.ts'));

/** A process that writes 10,000 lines of 1,000 characters, says `ready` on its IPC channel, and ends when it is told to. */
function startWriter(stdout: 'pipe' | number): ChildProcess {
  const program = `
    const { createLogger } = await import(${LOG});
    const logger = createLogger('info');
    for (let line = 1; line <= 10_000; line++) logger.info({ line, text: 'x'.repeat(1_000) }, 'a line');
    process.once('message', () => {
      logger.info({}, 'the last line');
      process.exit();
    });
    setImmediate(() => process.send('ready'));`;
  const writer = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', stdout, 'pipe', 'ipc'],
  });
  onTestFinished(() => void writer.kill('SIGKILL'));
  return writer;
}

async function expectOrderlyEnd(writer: ChildProcess): Promise<void> {
  let stderr = '';
  writer.stderr!.on('data', (data) => (stderr += String(data)));
  const exited = once(writer, 'exit');
  writer.send('end');
  expect(await exited).toEqual([0, null]);
  expect(stderr).toBe('');
}

it('a reader that stands still does not keep the process from ending', async () => {
  const writer = startWriter('pipe');
  await once(writer, 'message');
  await expectOrderlyEnd(writer);
});

it('a reader that was behind is told how many lines it has missed', async () => {
  const writer = startWriter('pipe');
  await once(writer, 'message');
  const lines = createInterface({ input: writer.stdout! });
  let read = 0;
  for await (const text of lines) {
    const { msg, dropped } = JSON.parse(text) as { msg: string; dropped?: number };
    if (msg === 'a line') read += 1;
    if (dropped === undefined) continue;
    expect(read + dropped).toBe(10_000);
    break;
  }
  await expectOrderlyEnd(writer);
});

it('a reader that has gone costs lines of the log, and the process ends in order', async () => {
  const writer = startWriter('pipe');
  writer.stdout!.destroy();
  await once(writer, 'message');
  await expectOrderlyEnd(writer);
});

it.skipIf(process.platform !== 'linux')(
  'a full disk costs lines of the log, and the process ends in order',
  async () => {
    const full = openSync('/dev/full', 'w');
    const writer = startWriter(full);
    closeSync(full);
    await once(writer, 'message');
    await expectOrderlyEnd(writer);
  },
);

it('a file has its lines in order, to the last one before the exit', async () => {
  const file = path.join(await makeDataDir(), 'log');
  const descriptor = openSync(file, 'w');
  const writer = startWriter(descriptor);
  closeSync(descriptor);
  await once(writer, 'message');
  await expectOrderlyEnd(writer);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const numbers = lines.map((line) => (JSON.parse(line) as { line?: number }).line);
  const kept = numbers.filter((number) => number !== undefined);
  expect(kept).toEqual(kept.toSorted((a, b) => a - b));
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ msg: 'the last line' });
});
