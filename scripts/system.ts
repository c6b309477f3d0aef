import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** The whole system as `npm start` runs it, on a free port and with a folder of its own, until it is disposed of. */
export type System = AsyncDisposable & { readonly url: string; readonly pid: number };

/** Variables of `env` add to a simulated market. @throws where it ends before it listens */
export async function startSystem(env: Readonly<Record<string, string>> = {}): Promise<System> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tapeql-data-'));
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../src/main.ts')], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      HOST: '127.0.0.1',
      FEED: 'simulated',
      DATA_DIR: dataDir,
      LOG_LEVEL: 'info',
      // One reader, who does in a minute what others do in a day.
      RATE_LIMITS: 'portfolio=100000,tradeNotifications=100000,market=100000,orders=100000,http=100000',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const closed = once(child, 'close');
  const listening = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { url } = JSON.parse(line) as { url?: string };
      if (url !== undefined) resolve(url);
    });
  });
  const url = await Promise.race([
    listening,
    closed.then(() => {
      throw new Error(`The system ended with status ${child.exitCode} before it listened`);
    }),
  ]);
  return {
    url,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await closed;
      process.off('exit', kill);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
