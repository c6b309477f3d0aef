import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Answers a request for an upgrade by an HTTP status, and ends the connection without waiting for the client to do so: one that
 * never reads or closes holds no descriptor. `headers` are lines without their ends.
 */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  body: string,
  headers: readonly string[] = ['content-type: application/json; charset=utf-8'],
): void {
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'connection: close',
    'cache-control: no-store',
    ...headers,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
