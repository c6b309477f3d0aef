import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';

// Nothing is left out: what it MUST, what it SHOULD, and what it MAY.
describe('GraphQL over HTTP, by every audit of graphql-http', () => {
  let tapeql: TestTapeql;
  beforeAll(async () => void (tapeql = await startTestTapeql()));
  afterAll(() => tapeql[Symbol.asyncDispose]());

  it.each(serverAudits({ url: () => tapeql.endpoint }))('$name ($id)', async ({ fn }) => {
    const result = await fn();
    if (result.status !== 'ok') await result.response.body?.cancel();
    expect(result.status === 'ok' ? 'ok' : result.reason).toBe('ok');
  });
});
