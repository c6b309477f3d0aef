import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { demandProgram, REDIS_SERVER } from './programs.ts';

/**
 * A private Redis for one test file, on loopback, that writes nothing to disk unless told to. Private even where a server is
 * at hand: channels are common to all databases of a server, and parallel test files would hear each other.
 */
export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Where it would save its data. */
  readonly folder: string;
  /** Of the server that runs now. */
  readonly pid: number;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
  /** As kill -9. {@link restart} brings it back on the same port. */
  kill(): Promise<void>;
  /** On the same port; with `keepData` what it held is saved before and loaded again, else it comes back empty. */
  restart(options?: { keepData?: boolean }): Promise<void>;
  /** Stops answering, without closing a connection. */
  pause(): void;
  resume(): void;
}

/** `more`: further arguments of the server, as `--maxmemory`. */
export async function startRedis(more: readonly string[] = []): Promise<TestRedis> {
  const binary = demandProgram(REDIS_SERVER);
  const folder = await mkdtemp(join(tmpdir(), 'tapeql-redis-'));
  const { port, server: first } = await startOnFreePort(binary, folder, more);
  let server = first;

  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  };
  const stop = async (): Promise<void> => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  };

  return {
    url: `redis://127.0.0.1:${port}`,
    folder,
    port,
    get pid() {
      return server.pid!;
    },
    stop,
    kill,
    async restart({ keepData = false } = {}) {
      if (keepData) await shutDownSaved(port, server);
      else await kill();
      if (!keepData) await rm(join(folder, 'dump.rdb'), { force: true });
      server = await startServer(binary, folder, port, more);
    },
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    [Symbol.asyncDispose]: stop,
  };
}

/** Between finding a free port and taking it, another may take it: then the next one is tried. */
async function startOnFreePort(
  binary: string,
  folder: string,
  more: readonly string[],
): Promise<{ port: number; server: ChildProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort();
    try {
      return { port, server: await startServer(binary, folder, port, more) };
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

/** Resolves once it takes connections. It ends with this process at the latest. */
export async function startServer(
  binary: string,
  folder: string,
  port: number,
  more: readonly (string | number)[] = [],
): Promise<ChildProcess> {
  const args = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no', ...more];
  const server = spawn(binary, args.map(String), { stdio: ['ignore', 'pipe', 'ignore'] });
  const watchdog = watch(server);
  server.once('exit', () => watchdog.kill());

  const { promise, resolve, reject } = Promise.withResolvers<ChildProcess>();
  let lastLine = '';
  server.once('error', reject);
  server.once('exit', () => reject(new Error(`redis-server ended at once: ${lastLine}`)));
  createInterface({ input: server.stdout! }).on('line', (line) => {
    lastLine = line;
    if (line.includes('Ready to accept connections')) resolve(server);
  });
  return promise;
}

/**
 * No test run that dies, by whatever signal, leaves a server behind: the watchdog's input ends with this process, and then
 * it ends the server.
 */
function watch(server: ChildProcess): ChildProcess {
  const watchdog = spawn('/bin/sh', ['-c', `cat; kill -9 ${server.pid}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  watchdog.stdin!.on('error', () => {});
  return watchdog;
}

async function shutDownSaved(port: number, server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit');
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // It ends by being cut off.
  socket.write('SHUTDOWN SAVE\r\n');
  await ended;
  socket.destroy();
}

export async function findFreePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
