import { once } from 'node:events';
import { connect } from 'node:net';

export type RawAnswer = { readonly status: number; readonly body: string };

/**
 * Sends a GET request of which only the last line is missing: what is answered is what holds when that has come. The connection is
 * there before, so that it does not matter whether the port still is.
 */
export async function beginRequest(url: string, path: string): Promise<{ finish(): Promise<RawAnswer> }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n`);
  return {
    async finish() {
      socket.write('\r\n');
      let answer = '';
      for await (const chunk of socket) answer += String(chunk);
      return { status: Number(answer.slice(9, 12)), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) };
    },
  };
}
