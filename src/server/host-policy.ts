import { isIP } from 'node:net';

/** Whether a request's Host header names this server. */
export type HostPolicy = (host: string | undefined) => boolean;

/**
 * For a server whose pages sign their visitor in, as those of development do. A page of a foreign site can have its name resolve to this
 * machine (DNS rebinding): for its browser this server is then of that page's own origin, and the page reads all of it. Only its Host
 * header tells it from a page of ours, so that it has to be `localhost`, an IP address, which no site can claim, or one of `names`. A
 * request without one comes from no browser.
 */
export function createHostPolicy(names: readonly string[]): HostPolicy {
  const known = new Set(names.map((name) => name.toLowerCase()));
  return (host) => {
    if (host === undefined) return true;
    const [, inBrackets, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host.toLowerCase()) ?? [];
    if (inBrackets !== undefined) return isIP(inBrackets) === 6;
    // A name with the dot of the root is the same one.
    const name = (plain ?? '').replace(/\.$/, '');
    return name === 'localhost' || name.endsWith('.localhost') || isIP(name) === 4 || known.has(name);
  };
}
