import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HttpWalker } from './http-walker.ts';

/** What Node's server sends for these requests on one connection, in one piece. */
async function record(paths: readonly string[], listener: RequestListener): Promise<Buffer> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const parts: Buffer[] = [];
  socket.on('data', (data: Buffer) => parts.push(data));
  for (const [index, path] of paths.entries()) {
    const isLast = index === paths.length - 1;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${isLast ? 'Connection: close\r\n' : ''}\r\n`);
  }
  await once(socket, 'close');
  server.close();
  return Buffer.concat(parts);
}

describe('HttpWalker', () => {
  it('finds answers with a length and in chunks, however the bytes are cut', async () => {
    const bytes = await record(['/length', '/chunks', '/missing', '/length'], ({ url }, response) => {
      if (url === '/missing') response.writeHead(404, { 'content-length': 0 }).end();
      else if (url === '/length') response.writeHead(200, { 'Content-Length': 7 }).end('{"a":1}');
      else {
        response.write('{"b":');
        response.write(`"${'x'.repeat(500)}"`);
        response.end('}');
      }
    });
    const expected = [
      [200, '{"a":1}'],
      [200, `{"b":"${'x'.repeat(500)}"}`],
      [404, ''],
      [200, '{"a":1}'],
    ];
    for (const size of [1, 2, 7, 100, bytes.length]) {
      const answers: unknown[] = [];
      const walker = new HttpWalker(({ status, body }) => answers.push([status, body.toString()]));
      for (let at = 0; at < bytes.length; at += size) walker.walk(bytes.subarray(at, at + size));
      expect(answers).toEqual(expected);
    }
  });
});
