import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';

/**
 * Who is counted where nobody has said who he is: the address that a request comes from. Of IPv6 that is the first half, for
 * whoever has one address has all that begin alike.
 */
export function readAddressOf(trustedProxies: number): (request: IncomingMessage) => string {
  return (request) => {
    const peer = request.socket.remoteAddress ?? 'unknown';
    if (trustedProxies === 0) return normalise(peer);
    // Each proxy appends whom it was asked by: what stands before the entries of the trusted ones anybody can write.
    const header = request.headers['x-forwarded-for'];
    const told = header === undefined ? [] : String(header).split(',');
    // With fewer entries than there are proxies it has come past one of them: then nobody vouches for any.
    const address = told.at(-trustedProxies)?.trim() ?? '';
    return normalise(isIPv4(address) || isIPv6(address) ? address : peer);
  };
}

function normalise(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const groups = [...first, ...Array.from({ length: zeros }, () => '0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
