import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a client and a server on loopback, and can fall silent as a network does that drops every packet. */
export type TcpProxy = AsyncDisposable & {
  readonly port: number;
  /** From now on nothing is forwarded, no end of a connection either. New connections are taken and never answered. */
  silence(): void;
  /** The same once a client has sent a message that contains this text, which is forwarded still. */
  silenceAfter(text: string): void;
  /** Forwards again what comes from now on, over new connections as well. */
  speak(): void;
};

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  let isSilent = false;
  let last: string | null = null;
  const sockets = new Set<Socket>();
  const hold = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const [from, to] of [
      [hold(client), target],
      [hold(target), client],
    ] as const) {
      from.on('data', (data) => {
        if (isSilent) return;
        to.write(data);
        if (from === client && last !== null && data.includes(last)) {
          isSilent = true;
          last = null;
        }
      });
      from.on('end', () => {
        if (!isSilent) to.end();
      });
      from.on('close', () => {
        if (!isSilent) to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    silence: () => (isSilent = true),
    silenceAfter: (text) => void (last = text),
    speak: () => (isSilent = false),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
