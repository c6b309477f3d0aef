import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';

/** Takes connections at a path and never answers: as a process does that is stuck, or that has much to do first. */
export type SilentServer = AsyncDisposable & {
  /** Resolves at the first word of a client. */
  readonly called: Promise<void>;
};

export async function listenSilently(path: string): Promise<SilentServer> {
  const { promise: called, resolve } = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => resolve());
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    called,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
