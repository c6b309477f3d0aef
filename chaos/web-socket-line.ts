import { WebSocket } from 'ws';
import type { Caller, Failure, Line, Result } from './line.ts';

type Message = {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
};

const HANDSHAKE_MS = 5_000;

/** By graphql-transport-ws as its specification has it, without a library that could hide anything. */
export function openWebSocketLine(url: string, caller: Caller): Line {
  const socket = new WebSocket(`${url.replace('http:', 'ws:')}/graphql`, ['graphql-transport-ws'], {
    handshakeTimeout: HANDSHAKE_MS,
  });
  let operation = 0;
  let refused = '';
  let isStalled = false;
  const { promise: ended, resolve } = Promise.withResolvers<string>();

  const subscribe = (): void => {
    operation += 1;
    const { query, variables, extensions } = caller.ask();
    const payload = { query, variables, ...(extensions !== undefined && { extensions }) };
    socket.send(JSON.stringify({ id: String(operation), type: 'subscribe', payload }));
  };
  const follow = (failure: Failure): void => {
    if (caller.takeFailure(failure)) subscribe();
    else socket.terminate();
  };
  const take = ({ type, id, payload }: Message): void => {
    if (type === 'connection_ack') subscribe();
    else if (type === 'ping') socket.send('{"type":"pong"}');
    else if (id !== String(operation)) {
      // One that was refused is complete by that. Of one that has ended nothing comes any more.
      if (id !== undefined && (type !== 'complete' || id !== refused)) {
        caller.objectTo(`${type} for operation ${id}, which has ended`);
      }
    } else if (type === 'next') {
      const result = payload as Result;
      if (result.errors === undefined) caller.takeResult(result, null);
      else {
        // What the subscription could not even begin with.
        refused = id;
        follow(result.errors[0]!);
      }
    } else if (type === 'error') follow((payload as readonly Failure[])[0]!);
    else if (type === 'complete') {
      caller.objectTo('a log is complete');
      socket.terminate();
    }
  };
  socket.on('error', () => undefined);
  socket.on('close', (code) => resolve(`closed ${code}`));
  socket.on('open', () => {
    socket.send('{"type":"connection_init"}');
    if (isStalled) socket.pause();
  });
  socket.on('message', (data: Buffer) => take(JSON.parse(data.toString()) as Message));
  return {
    ended,
    cut: () => socket.terminate(),
    stall() {
      isStalled = true;
      socket.pause();
    },
    goOn() {
      isStalled = false;
      socket.resume();
    },
  };
}
