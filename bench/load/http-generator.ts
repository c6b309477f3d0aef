/** A process for the bench: HTTP requests over connections that stay open, as fast as they are answered or at a pace. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HttpAnswer, HttpWalker } from './http-walker.ts';
import { type Percentiles, summarize } from './percentiles.ts';
import { serve } from './servant.ts';

export type HttpLoad = {
  readonly port: number;
  readonly path: string;
  /** Sent in turn. */
  readonly bodies: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  /** `null`: each connection asks again as soon as it is answered. */
  readonly perSecond: number | null;
};

export type HttpResult = {
  readonly answersPerSecond: number;
  readonly answers: number;
  /** Answers that were not 200, or told of errors. */
  readonly failures: number;
  /** One of the failures, else the first answer. */
  readonly example: string;
  /** At a pace from when the request was due: one that waited for a connection has waited. */
  readonly took: Percentiles;
};

class Line {
  readonly socket: Socket;
  #answered: ((answer: HttpAnswer) => void) | null = null;

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const walker = new HttpWalker((answer) => this.#answered?.(answer));
    this.socket.on('data', (data: Buffer) => walker.walk(data));
    this.socket.on('error', (error) => console.error('a connection was lost', error));
  }

  ask(request: Buffer): Promise<HttpAnswer> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.socket.write(request);
    });
  }
}

async function run({ port, path, bodies, connections, seconds, perSecond }: HttpLoad): Promise<HttpResult> {
  const requests = bodies.map((body) =>
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
        `Accept: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
  );
  const lines = Array.from({ length: connections }, () => new Line(port));
  await Promise.all(lines.map(({ socket }) => once(socket, 'connect')));
  const took: number[] = [];
  let failures = 0;
  let example = '';
  let next = 0;
  const began = performance.now();
  const end = began + seconds * 1_000;
  const askNext = async (line: Line, dueAt: number): Promise<void> => {
    const { status, body } = await line.ask(requests[next++ % requests.length]!);
    took.push(performance.now() - dueAt);
    const isFailure = status !== 200 || body.includes('"errors"');
    if (isFailure) failures += 1;
    if (example === '' || (isFailure && failures === 1)) example = `${status} ${body.toString('utf8', 0, 300)}`;
  };
  const askAgain = async (line: Line): Promise<void> => {
    for (let now = performance.now(); now < end; now = performance.now()) await askNext(line, now);
  };
  /** The requests that are due go to whichever connection is free. */
  let claimed = 0;
  const askWhenDue = async (line: Line, rate: number): Promise<void> => {
    for (;;) {
      const dueAt = began + (claimed++ / rate) * 1_000;
      if (dueAt >= end) return;
      const isLate = performance.now() > dueAt;
      while (performance.now() < dueAt) await sleep(1);
      // That no connection was free is the server's doing; that a timer was late is not.
      await askNext(line, isLate ? dueAt : performance.now());
    }
  };
  await Promise.all(lines.map((line) => (perSecond === null ? askAgain(line) : askWhenDue(line, perSecond))));
  const elapsed = performance.now() - began;
  for (const { socket } of lines) socket.destroy();
  return {
    answersPerSecond: (took.length / elapsed) * 1_000,
    answers: took.length,
    failures,
    example,
    took: summarize(took),
  };
}

const commands = { run };
export type HttpGeneratorCommands = typeof commands;
serve(commands);
