import { CombinedError } from '@urql/core';
import { GraphQLError } from 'graphql';
import { describe, expect, it } from 'vitest';
import { describeRefusal, describeRejection } from './refusals.ts';

function refuse(code: string, details: Record<string, unknown> = {}) {
  const error = new GraphQLError('as the server says', { extensions: { code, ...details } });
  return describeRefusal(new CombinedError({ graphQLErrors: [error] }));
}

describe('a refusal', () => {
  it.each(['UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED', 'SERVICE_PAUSED', 'UPSTREAM_UNAVAILABLE'])(
    '%s is told in words, and nothing was placed',
    (code) => {
      const { words, isUnknown } = refuse(code);
      expect(words).toMatch(/^[A-Z].*\.$/);
      expect(words).not.toContain(code);
      expect(isUnknown).toBe(false);
    },
  );

  it('says how long to wait', () => {
    expect(refuse('RATE_LIMITED', { retryAfterMs: 12_000 }).retryAfterMs).toBe(12_000);
    expect(refuse('FORBIDDEN', { scope: 'trade' })).toMatchObject({ retryAfterMs: null });
  });

  it('of what was typed is the server’s own sentence', () => {
    expect(refuse('BAD_USER_INPUT').words).toBe('as the server says');
  });

  it('leaves open whether the order was taken where no answer says so', () => {
    expect(refuse('INTERNAL_SERVER_ERROR').isUnknown).toBe(true);
    const lost = new Error('gone');
    expect(describeRefusal(new CombinedError({ networkError: lost })).isUnknown).toBe(true);
    const unsent = Object.assign(new Error('offline'), { name: 'OfflineError', isSent: false });
    expect(describeRefusal(new CombinedError({ networkError: unsent })).isUnknown).toBe(false);
  });
});

it('each reason of a rejection has words of its own, and one that is not known is told', () => {
  const reasons = ['INSUFFICIENT_FUNDS', 'INSUFFICIENT_POSITION', 'MARKET_CLOSED', 'NO_QUOTE'];
  const words = reasons.map(describeRejection);
  expect(new Set(words).size).toBe(4);
  for (const [index, reason] of reasons.entries()) expect(words[index]).not.toContain(reason);
  expect(describeRejection('HALTED')).toContain('HALTED');
});
