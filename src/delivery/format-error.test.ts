import { buildSchema, GraphQLError, graphql, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { ClientError } from '../errors.ts';
import { SourceUnavailableError } from '../market/source.ts';
import { isUnexpected, serializeError, toGraphQLError } from './format-error.ts';

const codeOf = (error: unknown): unknown => toGraphQLError(error).extensions['code'];

describe('toGraphQLError', () => {
  test('shows what was meant for the client, with its code and details, where it happened', async () => {
    const schema = buildSchema('type Query { a: Int }');
    const rootValue = {
      a: () => {
        throw new ClientError('TOO_MANY_SYMBOLS', 'too many', { limit: 500 });
      },
    };
    const { errors } = await graphql({ schema, source: '{ a }', rootValue });
    expect(serializeError(toGraphQLError(errors![0]))).toEqual({
      message: 'too many',
      locations: [{ line: 1, column: 3 }],
      path: ['a'],
      extensions: { code: 'TOO_MANY_SYMBOLS', limit: 500 },
    });
  });

  test('masks what was not, however it was wrapped', () => {
    const secret = new Error('password is hunter2');
    for (const error of [secret, new GraphQLError(secret.message, { originalError: secret }), 'hunter2', null]) {
      const shown = JSON.stringify(toGraphQLError(error));
      expect(shown).toContain('INTERNAL_SERVER_ERROR');
      expect(shown).not.toContain('hunter2');
      expect(isUnexpected(error)).toBe(true);
    }
  });

  test("masks GraphQL's own errors of execution, which tell of our faults", async () => {
    const schema = buildSchema('type Query { a: Int! }');
    const { errors } = await graphql({ schema, source: '{ a }', rootValue: { a: null } });
    expect(toGraphQLError(errors![0])).toMatchObject({
      message: 'Internal server error',
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    });
  });

  test('tells an upstream that is away, and when to try again', () => {
    expect(serializeError(toGraphQLError(new SourceUnavailableError('key refused', { retryAfterMs: 7 })))).toEqual({
      message: 'The market data source cannot be reached now.',
      extensions: { code: 'UPSTREAM_UNAVAILABLE', retryAfterMs: 7 },
    });
  });

  test('gives the errors of parsing, validation and variables their codes', async () => {
    const schema = buildSchema('type Query { a(b: Int): Int }');
    expect(codeOf(await Promise.try(() => parse('{')).catch((error: unknown) => error))).toBe('GRAPHQL_PARSE_FAILED');
    expect(codeOf(validate(schema, parse('{ c }'))[0])).toBe('GRAPHQL_VALIDATION_FAILED');
    const { errors } = await graphql({ schema, source: 'query ($b: Int) { a(b: $b) }', variableValues: { b: 'x' } });
    expect(codeOf(errors![0])).toBe('BAD_USER_INPUT');
    expect(codeOf(new GraphQLError('no body', { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } }))).toBe(
      'BAD_USER_INPUT',
    );
  });

  test('formatting twice changes nothing', () => {
    const once = toGraphQLError(new ClientError('SLOW_CONSUMER', 'slow', { cursor: 'c' }));
    expect(toGraphQLError(once)).toBe(once);
  });

  test('what is for the HTTP transport alone is not written', () => {
    const error = toGraphQLError(new ClientError('RATE_LIMITED', 'slow down', { retryAfterMs: 5 }));
    expect(error.extensions['http']).toMatchObject({ status: 429 });
    expect(serializeError(error).extensions).toEqual({ code: 'RATE_LIMITED', retryAfterMs: 5 });
  });
});
