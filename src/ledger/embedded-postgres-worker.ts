import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { claimSocket } from './claim-socket.ts';
import { POSTGRES_CONFIG } from './embedded-postgres-config.ts';
import type { EmbeddedMessage, EmbeddedOptions } from './embedded-postgres.ts';
import { type Backend, EmbeddedSession, Turns } from './embedded-session.ts';

const { folder, socketPath } = workerData as EmbeddedOptions;
const port = parentPort!;
const tell = (message: EmbeddedMessage): void => port.postMessage(message);

async function open(): Promise<PGlite> {
  if (!existsSync(path.join(folder, 'PG_VERSION'))) await initialise();
  return PGlite.create({ dataDir: folder, postgresqlconf: POSTGRES_CONFIG });
}

/** In a process of its own, and beside its place until it is whole: who is killed meanwhile leaves no half of a database. */
async function initialise(): Promise<void> {
  const beside = path.dirname(folder);
  await mkdir(beside, { recursive: true });
  const prefix = `${path.basename(folder)}.unfinished-`;
  for (const name of await readdir(beside)) {
    // Who still writes there, for a process that is gone, fails at it.
    if (name.startsWith(prefix)) await rm(path.join(beside, name), { recursive: true, force: true });
  }
  const unfinished = await mkdtemp(path.join(beside, prefix));
  const program = path.join(import.meta.dirname, 'embedded-postgres-init.ts');
  await promisify(execFile)(process.execPath, [program, unfinished]);
  // What was begun by an older version.
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
}

/** Listens from now on, and answers as soon as the database stands. */
async function serve(server: Server): Promise<void> {
  const opening = open();
  opening.catch(() => {});
  const backend: Backend = {
    async answer(message) {
      const database = await opening;
      return database.execProtocolRaw(message);
    },
  };
  const turns = new Turns(backend);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void new EmbeddedSession(socket, turns);
  });
  port.once('message', () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    void opening.then((database) => database.close()).finally(() => port.close());
  });
  await opening;
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
