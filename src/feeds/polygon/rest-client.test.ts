import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualTimers } from '../../../test/manual-time.ts';
import { type LogRecord, recordingLogger } from '../../../test/recording-logger.ts';
import { type ScriptedAnswer, ScriptedRest } from '../../../test/scripted-rest.ts';
import type { Logger } from '../../market/logger.ts';
import { SourceUnavailableError } from '../../market/source.ts';
import { REST_LIMITS, type RestLimits } from './rest-client.ts';
import { createPolygonRest, type PolygonRestOptions } from './rest.ts';
import { until } from '../../../test/until.ts';

const saidIn = (records: readonly LogRecord[], level: LogRecord['level']) =>
  records.filter((record) => record.level === level);

const KEY = 'secret-key-4711';
const NOW = Date.UTC(2026, 10, 20, 20, 0, 0);

let upstream: ScriptedRest;
let logger: Logger;
let records: LogRecord[];

beforeEach(async () => {
  upstream = await ScriptedRest.start();
  ({ logger, records } = recordingLogger());
});

afterEach(async () => {
  await upstream[Symbol.asyncDispose]();
  const said = JSON.stringify([records, upstream.requests.map(({ url }) => url)]);
  if (said.includes(KEY)) throw new Error('the key was logged, or put into a URL');
});

/** Short waits between tries; a try itself has longer than a test, so that none ends by its deadline unseen. */
const QUICK: Partial<RestLimits> = { initialDelayMs: 1, maxDelayMs: 2, timeoutMs: 60_000 };

function open(options: Partial<PolygonRestOptions> = {}) {
  return createPolygonRest({
    baseUrl: upstream.origin,
    apiKey: KEY,
    logger,
    limits: QUICK,
    clock: () => NOW,
    ...options,
  });
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(SourceUnavailableError);
      expect(JSON.stringify([(error as Error).message, String((error as Error).cause)])).not.toContain(KEY);
      return error as SourceUnavailableError;
    },
  );

const AGGREGATE = { o: 115.55, h: 117.59, l: 114.13, c: 115.97, v: 131704427, t: NOW };

describe('a next page', () => {
  const query = { symbol: 'AAPL', interval: 'MINUTE', from: NOW - 3_600_000, to: NOW, limit: 500 } as const;

  it.each([
    'http://127.0.0.1:1/steal',
    'https://evil.example/v3?cursor=1',
    '//evil.example/x',
    '/relative',
    'javascript:alert(1)',
    'not a url',
  ])('elsewhere is not followed (%s)', async (next_url) => {
    upstream.answerInTurn({ body: { results: [{ ...AGGREGATE, t: query.from }], next_url } });
    const rest = open();
    expect(await rest.readBars(query)).toHaveLength(1);
    expect(upstream.requests).toHaveLength(1);
    expect(rest.readStats()['pagesRefused']).toBe(1);
    expect(saidIn(records, 'warn')).toHaveLength(1);
  });

  it('that was read already is not read again', async () => {
    upstream.answer = () => ({
      body: { results: [{ ...AGGREGATE, t: query.from }], next_url: `${upstream.origin}/again?cursor=1` },
    });
    expect(await open().readBars(query)).toHaveLength(1);
    expect(upstream.requests.map(({ url }) => url).slice(1)).toEqual(['/again?cursor=1']);
  });

  it('has a bound of their number', async () => {
    upstream.answer = (_, count) => ({ body: { results: [], next_url: `${upstream.origin}/again?cursor=${count}` } });
    expect(await open({ limits: { ...QUICK, maxPages: 7 } }).readBars(query)).toEqual([]);
    expect(upstream.requests).toHaveLength(7);
  });

  it.each([null, 7, '', {}, undefined])('that is none ends the answer quietly (%j)', async (next_url) => {
    upstream.answerInTurn({ body: { results: [{ ...AGGREGATE, t: query.from }], next_url } });
    const rest = open();
    expect(await rest.readBars(query)).toHaveLength(1);
    expect(rest.readStats()['pagesRefused']).toBe(0);
  });
});

describe('a request that fails', () => {
  const OK = { body: { tickers: [{ ticker: 'AAPL', prevDay: { c: 20.63 } }] } };

  it.each([429, 499, 500, 502, 503, 504])('with %i is tried again', async (status) => {
    upstream.answerInTurn({ status, text: '' }, { status, body: { status: 'ERROR', error: 'x' } }, OK);
    const rest = open();
    expect((await rest.readQuotes(['AAPL'])).size).toBe(1);
    expect(rest.readStats()).toMatchObject({
      requests: 1,
      retries: 2,
      failures: 0,
      rateLimited: status === 429 ? 2 : 0,
    });
  });

  it('on the way, or by half an answer, is tried again', async () => {
    upstream.answer = (_, count, request, response) => {
      if (count === 0) {
        request.socket.destroy();
        return null;
      }
      if (count === 1) {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"tickers":');
        setImmediate(() => request.socket.destroy());
        return null;
      }
      return count === 2 ? { text: '{"tickers":[' } : OK;
    };
    expect((await open().readQuotes(['AAPL'])).size).toBe(1);
    expect(upstream.requests).toHaveLength(4);
  });

  it('is tried four times, and then says when to come back', async () => {
    upstream.answerInTurn({ status: 503, body: { error: `worn out by ${KEY}` } });
    const error = await failureOf(open().readQuotes(['AAPL']));
    expect(error.message).toBe('the upstream failed with 503: worn out by [key]');
    expect(error.retryAfterMs).toBe(1000);
    expect(upstream.requests).toHaveLength(4);
  });

  it.each([
    [
      401,
      { status: 'ERROR', error: `Unknown API Key ${KEY}` },
      'the upstream refuses the API key: Unknown API Key [key]',
    ],
    [
      403,
      { status: 'NOT_AUTHORIZED', message: 'You are not entitled to this data.' },
      'the plan of the API key does not include this: You are not entitled to this data.',
    ],
    [400, { error: 'x'.repeat(5000) }, `the upstream did not take the request, status 400: ${'x'.repeat(200)}`],
    [418, 'tea', 'the upstream did not take the request, status 418'],
  ])('with %i is not tried again', async (status, body, message) => {
    upstream.answerInTurn({ status, body });
    const error = await failureOf(open().readMarketStatus());
    expect(error.message).toBe(message);
    expect(error.retryAfterMs).toBeNull();
    expect(upstream.requests).toHaveLength(1);
  });

  it('at an address where nobody listens says so', async () => {
    await upstream[Symbol.asyncDispose]();
    const error = await failureOf(open().readQuotes(['AAPL']));
    expect(error.message).toBe('the upstream cannot be reached: ECONNREFUSED');
  });

  it('to answer in time is ended and tried again', async () => {
    upstream.answer = () => null;
    const timers = new ManualTimers();
    const limits = { timeoutMs: 10_000, maxTries: 2, initialDelayMs: 250 };
    const failed = failureOf(open({ timers, limits, random: () => 1 }).readQuotes(['AAPL']));
    await until(() => expect(upstream.requests).toHaveLength(1));
    timers.advance(9_999);
    expect(timers.delays).toEqual([1]);
    timers.advance(1);
    await until(() => expect(timers.delays).toEqual([250]));
    timers.advance(250);
    await until(() => expect(upstream.requests).toHaveLength(2));
    timers.advance(10_000);
    const error = await failed;
    expect(error.message).toBe('the upstream cannot be reached: no answer within 10000 ms');
    expect(timers.delays).toEqual([]);
    expect(upstream.requests).toHaveLength(2);
  });

  it('by an answer beyond the limit of size is told', async () => {
    upstream.answerInTurn({ text: 'x'.repeat(101) });
    const error = await failureOf(open({ limits: { ...QUICK, maxBodyBytes: 100, maxTries: 1 } }).readQuotes(['AAPL']));
    expect(error.message).toContain('more than 100 bytes');
  });

  it('by a redirection, which would carry the key elsewhere, is told', async () => {
    upstream.answer = (url) =>
      url.pathname === '/there' ? OK : { status: 302, headers: { location: `${upstream.origin}/there` } };
    await failureOf(open().readQuotes(['AAPL']));
    expect(upstream.requests.map(({ url }) => url)).not.toContain('/there');
  });

  it('since the upstream does not run yet says so', async () => {
    const error = await failureOf(open({ baseUrl: () => Promise.reject(new Error('no port')) }).readQuotes(['AAPL']));
    expect(error.retryAfterMs).toBe(1000);
    const told = new SourceUnavailableError('no ingest runs', { retryAfterMs: 7 });
    expect(await failureOf(open({ baseUrl: () => Promise.reject(told) }).readQuotes(['AAPL']))).toBe(told);
    upstream.answerInTurn(OK);
    expect((await open({ baseUrl: () => Promise.resolve(`${upstream.origin}/`) }).readQuotes(['AAPL'])).size).toBe(1);
  });
});

/** The wait between two tries, once it has begun: before, the deadline of a try is pending, which is longer. */
function untilWait(timers: ManualTimers): Promise<number> {
  return until(() => {
    expect(timers.delays).toHaveLength(1);
    expect(timers.delays[0]).toBeLessThan(REST_LIMITS.timeoutMs);
    return timers.delays[0]!;
  });
}

describe('the wait between two tries', () => {
  /** The waits that a failing request asks for, one after another. */
  async function waitsOf(reply: ScriptedAnswer, options: Partial<PolygonRestOptions> = {}) {
    upstream.answerInTurn(reply);
    const timers = new ManualTimers();
    const failed = failureOf(open({ timers, limits: {}, random: () => 1, ...options }).readMarketStatus());
    const waits: number[] = [];
    for (let tries = 1; tries < 4; tries += 1) {
      const wait = await untilWait(timers);
      waits.push(wait);
      timers.advance(wait - 1);
      expect(upstream.requests).toHaveLength(tries);
      timers.advance(1);
      await until(() => expect(upstream.requests).toHaveLength(tries + 1));
    }
    return { waits, error: await failed };
  }

  it('doubles, with jitter', async () => {
    expect((await waitsOf({ status: 500 })).waits).toEqual([250, 500, 1000]);
    upstream.requests.length = 0;
    expect((await waitsOf({ status: 500 }, { random: () => 0.5 })).waits).toEqual([125, 250, 500]);
  });

  it('is at least what the upstream asks for, in seconds or by date', async () => {
    const { waits, error } = await waitsOf({ status: 429, headers: { 'retry-after': '3' } });
    expect(waits).toEqual([3000, 3000, 3000]);
    expect(error.retryAfterMs).toBe(3000);
    upstream.requests.length = 0;
    const date = new Date(NOW + 7000).toUTCString();
    expect((await waitsOf({ status: 503, headers: { 'retry-after': date } })).waits).toEqual([7000, 7000, 7000]);
    upstream.requests.length = 0;
    expect((await waitsOf({ status: 503, headers: { 'retry-after': 'soon' } })).waits).toEqual([250, 500, 1000]);
  });

  it('is not begun where the upstream asks for a long one: the caller is told instead', async () => {
    upstream.answerInTurn({ status: 429, headers: { 'retry-after': '60' }, text: '' });
    const error = await failureOf(open().readMarketStatus());
    expect(error.retryAfterMs).toBe(60_000);
    expect(error.message).toBe("the upstream's limit of requests is reached");
    expect(upstream.requests).toHaveLength(1);
  });

  it('ends with the signal of the caller, whose reason is what comes back', async () => {
    upstream.answerInTurn({ status: 500 });
    const timers = new ManualTimers();
    const controller = new AbortController();
    const reading = open({ timers, limits: {}, random: () => 1 }).readMarketStatus(controller.signal);
    expect(await untilWait(timers)).toBe(250);
    controller.abort(new Error('no longer wanted'));
    await expect(reading).rejects.toThrow('no longer wanted');
    expect(timers.delays).toEqual([]);
  });
});

describe('requests under way', () => {
  it('are bounded in number; the others wait, and beyond a bound fail at once', async () => {
    const held: ServerResponse[] = [];
    upstream.answer = (_url, _count, _request, response) => {
      held.push(response);
      return null;
    };
    const rest = open({ limits: { ...QUICK, maxConcurrency: 2, maxQueued: 3 } });
    const reads = Array.from({ length: 5 }, () => rest.readPreviousClose('AAPL'));
    await until(() => expect(held).toHaveLength(2));
    expect(rest.readStats()).toMatchObject({ running: 2, queued: 3 });
    const error = await failureOf(rest.readPreviousClose('AAPL'));
    expect(error.message).toBe('too many requests to the upstream are waiting');
    for (let n = 0; n < 5; n += 1) {
      await until(() => expect(held.length).toBeGreaterThan(n));
      expect(rest.readStats()['running']).toBeLessThanOrEqual(2);
      held[n]!.end('{}');
    }
    expect(await Promise.all(reads)).toEqual(Array(5).fill(null));
    expect(rest.readStats()).toMatchObject({ running: 0, queued: 0 });
  });

  it('end with the signal of the caller', async () => {
    upstream.answer = () => null;
    const controller = new AbortController();
    const reading = open().readQuotes(['AAPL'], controller.signal);
    await until(() => expect(upstream.requests).toHaveLength(1));
    controller.abort(new Error('no longer wanted'));
    await expect(reading).rejects.toThrow('no longer wanted');
    await expect(open().readMarketStatus(AbortSignal.abort(new Error('never wanted')))).rejects.toThrow('never wanted');
    expect(upstream.requests).toHaveLength(1);
  });

  it('end when the source is closed, and later ones fail', async () => {
    upstream.answer = () => null;
    const rest = open();
    const reading = failureOf(rest.readQuotes(['AAPL']));
    await until(() => expect(upstream.requests).toHaveLength(1));
    rest.close();
    expect((await reading).message).toBe('the connection to the upstream was closed');
    await failureOf(rest.readQuotes(['AAPL']));
    expect(upstream.requests).toHaveLength(1);
  });
});
