import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { claimSocket } from './claim-socket.ts';
import { POSTGRES_CONFIG } from './embedded-postgres-config.ts';
import type { EmbeddedMessage, EmbeddedOptions } from './embedded-postgres.ts';
import { type Backend, EmbeddedSession, Turns } from './embedded-session.ts';
import { copyPreparedDatabase } from './prepared-database.ts';

const { folder, socketPath, buildFolder } = workerData as EmbeddedOptions;
const port = parentPort!;
const tell = (message: EmbeddedMessage): void => port.postMessage(message);

/** The process that creates a database, while it does. */
let creating: ChildProcess | null = null;

async function open(): Promise<PGlite> {
  if (!existsSync(path.join(folder, 'PG_VERSION'))) await fill();
  return PGlite.create({ dataDir: folder, postgresqlconf: POSTGRES_CONFIG });
}

/** Puts a new database into its folder: beside its place until it is whole, so that a process that is killed leaves no half of one. */
async function fill(): Promise<void> {
  const beside = path.dirname(folder);
  await mkdir(beside, { recursive: true });
  const prefix = `${path.basename(folder)}.unfinished-`;
  for (const name of await readdir(beside)) {
    // A process that still writes there, for one that is gone, fails at it.
    if (name.startsWith(prefix)) await rm(path.join(beside, name), { recursive: true, force: true });
  }
  const unfinished = await mkdtemp(path.join(beside, prefix));
  if (!(await copyPreparedDatabase(buildFolder, unfinished))) {
    tell({ kind: 'creates' });
    await create(unfinished);
  }
  // What an older version has begun.
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
}

async function create(unfinished: string): Promise<void> {
  const program = path.join(import.meta.dirname, 'create-database.ts');
  creating = spawn(process.execPath, [program, unfinished], { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  creating.stderr!.on('data', (chunk) => (complaint += String(chunk)));
  creating.stderr!.on('error', () => {});
  const [status] = (await once(creating, 'close')) as [number | null];
  creating = null;
  if (status !== 0) throw new Error(`The database could not be created: ${complaint.trim()}`);
}

/** Listens from now on, and answers as soon as the database is open. */
async function serve(server: Server): Promise<void> {
  const sockets = new Set<Socket>();
  const stopListening = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const opening = open();
  opening.catch(() => {});
  const backend: Backend = {
    async answer(message) {
      const database = await opening;
      try {
        return await database.execProtocolRaw(message);
      } catch (error) {
        // What Postgres objects to is an answer. This is its end, such as a panic: it is opened anew by the next who needs it.
        stopListening();
        port.close();
        throw error;
      }
    },
  };
  const turns = new Turns(backend);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void new EmbeddedSession(socket, turns);
  });
  port.once('message', () => {
    stopListening();
    creating?.kill('SIGKILL');
    opening
      .then((database) => database.close())
      .then(
        () => port.close(),
        () => port.close(),
      );
  });
  try {
    await opening;
  } catch (error) {
    // Else the socket would go on to be answered, and nobody would try again.
    stopListening();
    throw error;
  }
  tell({ kind: 'serves' });
}

try {
  const server = await claimSocket(socketPath);
  if (server === null) {
    tell({ kind: 'taken' });
    port.close();
  } else await serve(server);
} catch (error) {
  tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  port.close();
}
