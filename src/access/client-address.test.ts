import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { readAddressOf } from './client-address.ts';

const request = (remoteAddress: string | undefined, forwarded?: string): IncomingMessage =>
  ({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  }) as unknown as IncomingMessage;

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:0db8::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['1:2:3:4:5:6:192.0.2.7', '1:2:3:4::/64'],
  [undefined, 'unknown'],
])('%s is counted as %s', (peer, counted) => {
  expect(readAddressOf(0)(request(peer))).toBe(counted);
});

it('what a client writes of itself is not believed, unless proxies are trusted', () => {
  expect(readAddressOf(0)(request('192.0.2.7', '203.0.113.1'))).toBe('192.0.2.7');
});

it.each([
  [1, '203.0.113.1', '203.0.113.1'],
  [1, 'invented, 203.0.113.1', '203.0.113.1'],
  [2, 'invented, 203.0.113.1, 198.51.100.1', '203.0.113.1'],
  [1, '2001:db8:1:2::6', '2001:db8:1:2::/64'],
  // Fewer than there should be: it has come past one of the proxies.
  [2, '203.0.113.1', '192.0.2.7'],
  [1, 'unknown', '192.0.2.7'],
  [1, '', '192.0.2.7'],
  [1, undefined, '192.0.2.7'],
])('behind %i proxies, of "%s" it is %s', (proxies, forwarded, counted) => {
  expect(readAddressOf(proxies)(request('192.0.2.7', forwarded))).toBe(counted);
});
