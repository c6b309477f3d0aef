import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type RealServer = {
  readonly url: string;
  /** Ends it in order, with 1001 to its clients. */
  readonly stop: () => Promise<void>;
  /** Ends it at once. */
  readonly kill: () => Promise<void>;
};

/** The server as `npm start` has it, in its own process, with the simulated feed. `env`: what it is told beside that. */
export async function startRealServer(port = 0, env: Readonly<Record<string, string>> = {}): Promise<RealServer> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  // It starts sooner with what others of this test run have compiled; vitest.config.ts says where that is.
  // oxlint-disable-next-line node/no-process-env -- it is for Node itself, and this is a test's own module
  const { NODE_COMPILE_CACHE = '' } = process.env;
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: root,
    env: { NODE_COMPILE_CACHE, PORT: String(port), FEED: 'simulated', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  const url = await readUrl(child);
  return { url: `${url}/graphql`, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

/** What its log says that it listens on. The log is read to its end, so that the server never waits for its reader. */
function readUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (status) => reject(new Error(`the server ended with ${status} before it listened`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const { url } = JSON.parse(line) as { url?: unknown };
      if (typeof url === 'string') resolve(url);
    });
  });
}
