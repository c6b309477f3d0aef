import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, realpathSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import pg from 'pg';
import { demandProgram, POSTGRES } from './programs.ts';
import { findFreePort } from './redis.ts';

/** A private PostgreSQL server for one test file or bench, on loopback. */
export interface TestPostgres extends AsyncDisposable {
  /** A new, empty database of it. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
  /** As an operator's restart: its clients are told that it is shut down, and their transactions undone. {@link restart} brings it back. */
  shutDown(): Promise<void>;
  /** As kill -9 of all its processes. {@link restart} brings it back on the same port, with what was committed. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export type PostgresOptions = {
  /** A commit waits until it is on the disk, as with an operator's server. Default false: a test's data may go with the machine. */
  readonly isDurable?: boolean;
};

export async function startPostgres({ isDurable = false }: PostgresOptions = {}): Promise<TestPostgres> {
  const postgres = realpathSync(demandProgram(POSTGRES));
  const user = readServerUser();
  const folder = await mkdtemp(path.join(tmpdir(), 'tapeql-postgres-'));
  if (user !== null) await chown(folder, user.uid, user.gid);
  const data = path.join(folder, 'data');
  await promisify(execFile)(
    path.join(path.dirname(postgres), 'initdb'),
    ['--pgdata', data, '--username', 'postgres', '--auth', 'trust', '--no-sync', '--encoding', 'UTF8', '--locale', 'C'],
    { ...user, cwd: folder },
  );
  const port = await findFreePort();
  const start = (): Promise<ChildProcess> => startServer(postgres, data, { port, isDurable, user });
  let server = await start();

  const stop = async (): Promise<void> => {
    await end(server, 'SIGINT');
    await rm(folder, { recursive: true, force: true });
  };
  return {
    async createDatabase() {
      const name = `test_${randomUUID().replaceAll('-', '')}`;
      const client = new pg.Client(`postgres://postgres@127.0.0.1:${port}/postgres`);
      await client.connect();
      await client.query(`CREATE DATABASE ${name}`);
      await client.end();
      return `postgres://postgres@127.0.0.1:${port}/${name}`;
    },
    stop,
    shutDown: () => end(server, 'SIGINT'),
    // The immediate shutdown ends all of its processes without a word, as a power cut would.
    kill: () => end(server, 'SIGQUIT'),
    async restart() {
      server = await start();
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function startServer(
  postgres: string,
  data: string,
  options: {
    readonly port: number;
    readonly isDurable: boolean;
    readonly user: { uid: number; gid: number } | null;
  },
): Promise<ChildProcess> {
  const { port, isDurable, user } = options;
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories='];
  if (!isDurable) settings.push('fsync=off');
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  const server = spawn(postgres, args, { ...user, cwd: path.dirname(data), stdio: ['ignore', 'ignore', 'pipe'] });
  // No test run that dies leaves a server behind: the watchdog's input ends with this process.
  const watchdog = spawn('/bin/sh', ['-c', `cat; kill -QUIT ${server.pid}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  watchdog.stdin.on('error', () => {});
  server.once('exit', () => watchdog.kill());

  const { promise, resolve, reject } = Promise.withResolvers<ChildProcess>();
  let lastLine = '';
  server.once('error', reject);
  server.once('exit', () => reject(new Error(`postgres ended at once: ${lastLine}`)));
  createInterface({ input: server.stderr! }).on('line', (line) => {
    lastLine = line;
    if (line.includes('database system is ready to accept connections')) resolve(server);
  });
  return promise;
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill(signal);
  await ended;
}

/** PostgreSQL does not run as root: then as the user that its package makes, or as nobody. */
function readServerUser(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  const line = lines.find((one) => one.startsWith('postgres:')) ?? lines.find((one) => one.startsWith('nobody:'));
  const [, , uid, gid] = line!.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
