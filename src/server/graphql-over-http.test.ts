import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';

/** SHOULDs that are not followed, by id, each with the reason. */
const NOT_FOLLOWED: Readonly<Record<string, string>> = {};

const placeholder = 'http://127.0.0.1/graphql';
const level = (wanted: string) =>
  serverAudits({ url: placeholder }).filter(({ name }) => name.startsWith(`${wanted} `));

describe('GraphQL over HTTP, by the audits of graphql-http', () => {
  let tapeql: TestTapeql;
  beforeAll(async () => void (tapeql = await startTestTapeql()));
  afterAll(() => tapeql[Symbol.asyncDispose]());

  async function run(id: string): Promise<string> {
    const audit = serverAudits({ url: tapeql.endpoint }).find((candidate) => candidate.id === id)!;
    const result = await audit.fn();
    if (result.status === 'ok') return 'ok';
    await result.response.body?.cancel();
    return result.reason;
  }

  it.each(level('MUST'))('$name ($id)', async ({ id }) => {
    expect(await run(id)).toBe('ok');
  });

  it.each(level('SHOULD').filter(({ id }) => NOT_FOLLOWED[id] === undefined))('$name ($id)', async ({ id }) => {
    expect(await run(id)).toBe('ok');
  });

  it('leaves no reason for what is followed after all', async () => {
    const followed: string[] = [];
    for (const id of Object.keys(NOT_FOLLOWED)) if ((await run(id)) === 'ok') followed.push(id);
    expect(followed).toEqual([]);
  });
});
