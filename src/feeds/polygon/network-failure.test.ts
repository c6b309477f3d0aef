import { expect, it } from 'vitest';
import { describeNetworkFailure } from './network-failure.ts';

const fail = (message: string, fields: object = {}) => Object.assign(new Error(message), fields);

it.each([
  [fail('connect ECONNREFUSED 10.0.0.7:443', { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  [new TypeError('fetch failed', { cause: fail('getaddrinfo ENOTFOUND inner', { code: 'ENOTFOUND' }) }), 'ENOTFOUND'],
  [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  [fail('Max payload size exceeded', { code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' }), 'Max payload size exceeded'],
  [new TypeError('terminated', { cause: fail('other side closed', { code: 'UND_ERR_SOCKET' }) }), 'other side closed'],
  [fail('Unexpected server response: 503'), 'Unexpected server response: 503'],
  ['no error', 'unknown failure'],
])('a failure is told by its code or its words, never by an address (%s)', (error, told) => {
  expect(describeNetworkFailure(error)).toBe(told);
});
