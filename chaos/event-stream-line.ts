import { type IncomingMessage, request } from 'node:http';
import type { Caller, Line, Result } from './line.ts';

const RESPONSE_MS = 10_000;

/** By GraphQL over SSE as its specification has it ("distinct connections"), read as an EventSource reads. */
export function openEventStreamLine(url: string, caller: Caller): Line {
  const { query, variables, extensions, lastEventId } = caller.ask();
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  let response: IncomingMessage | null = null;
  let isStalled = false;
  let cause = 'SSE cut';
  let text = '';

  const posted = request(`${url}/graphql`, {
    method: 'POST',
    // A connection of its own, as a client on another host has one.
    agent: false,
    timeout: RESPONSE_MS,
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
  });
  // Only for the response: a stream may be quiet for long.
  posted.on('timeout', () => {
    if (response === null) posted.destroy();
  });
  posted.on('error', () => undefined);
  posted.on('close', () => resolve(cause));

  const take = (block: string): void => {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''));
    }
    const [event, id, data] = [fields.get('event'), fields.get('id'), fields.get('data')];
    if (event === 'complete') {
      // After an error that ended it, nobody reads any more.
      caller.objectTo('a log is complete');
      posted.destroy();
    } else if (event === 'next' && data !== undefined) {
      const result = JSON.parse(data) as Result;
      if (result.errors === undefined) caller.takeResult(result, id ?? null);
      else {
        // The next request goes on from there, over a connection of its own.
        caller.takeFailure(result.errors[0]!);
        posted.destroy();
      }
    } else if (id !== undefined) caller.takePlace(id);
  };
  posted.on('response', (opened) => {
    response = opened;
    opened.on('error', () => undefined);
    if (opened.statusCode !== 200) {
      cause = `SSE ${opened.statusCode}`;
      posted.destroy();
      return;
    }
    opened.setEncoding('utf8');
    opened.on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end !== -1 && !posted.destroyed; end = text.indexOf('\n\n')) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        take(block);
      }
    });
    if (isStalled) opened.pause();
  });
  posted.end(JSON.stringify({ query, variables, ...(extensions !== undefined && { extensions }) }));
  return {
    ended,
    cut: () => void posted.destroy(),
    stall() {
      isStalled = true;
      response?.pause();
    },
    goOn() {
      isStalled = false;
      response?.resume();
    },
  };
}
