import { mkdirSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { claimSocket } from './claim-socket.ts';
import type { EmbeddedMessage, EmbeddedOptions } from './embedded-postgres.ts';
import { type Backend, EmbeddedSession, Turns } from './embedded-session.ts';

/** The database is small: what Postgres would keep in memory for a large one is left out. */
const POSTGRES_CONFIG = ['shared_buffers = 8MB', 'wal_buffers = 512kB', 'max_wal_size = 64MB', 'min_wal_size = 32MB'];

const { folder, socketPath } = workerData as EmbeddedOptions;
const port = parentPort!;
const tell = (message: EmbeddedMessage): void => port.postMessage(message);

/** Listens from now on, and answers as soon as the database stands. */
async function serve(server: Server): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const opening = PGlite.create({ dataDir: folder, postgresqlconf: POSTGRES_CONFIG });
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
