import { beforeEach, expect, it } from 'vitest';
import { type AttemptMemory, endAttempt, recallAttempt, startAttempt } from './attempt.ts';

const ORDER = { side: 'BUY', type: 'LIMIT', quantity: '2', limitPrice: '90' } as const;

let kept: Map<string, string>;
let memory: AttemptMemory;
beforeEach(() => {
  kept = new Map();
  memory = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
});

it('an attempt keeps its name over a reload, until it is answered', () => {
  const attempt = startAttempt('AAPL', ORDER, memory);
  expect(attempt).toMatchObject({ ...ORDER, symbol: 'AAPL' });
  expect(recallAttempt('AAPL', memory)).toEqual(attempt);
  expect(recallAttempt('MSFT', memory)).toBe(null);
  endAttempt(attempt, memory);
  expect(recallAttempt('AAPL', memory)).toBe(null);
});

it('two attempts have two names', () => {
  const names = [startAttempt('AAPL', ORDER, memory), startAttempt('AAPL', ORDER, memory)];
  expect(names[0]!.clientOrderId).not.toBe(names[1]!.clientOrderId);
});

it('what is broken is no attempt, and a browser that keeps nothing is no obstacle', () => {
  startAttempt('AAPL', ORDER, memory);
  const [key] = [...kept.keys()];
  for (const broken of ['{', '7', '{}', JSON.stringify({ ...ORDER, clientOrderId: 'x', side: 'HOLD' })]) {
    kept.set(key!, broken);
    expect(recallAttempt('AAPL', memory)).toBe(null);
  }
  const refuse = (): never => {
    throw new Error('full');
  };
  const attempt = startAttempt('AAPL', ORDER, { getItem: refuse, setItem: refuse, removeItem: refuse });
  expect(attempt.clientOrderId).toMatch(/^[0-9a-f-]{36}$/);
});
