import { createHash } from 'node:crypto';
import type { Plugin, YogaServerOptions } from 'graphql-yoga';
import { ClientError } from '../errors.ts';

/** What every answer tells a browser: that it is what it says, belongs on no other page, and loads nothing. */
export const SECURITY_HEADERS = new Map([
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
]);

/**
 * The policy of a page that carries all it needs: its own scripts run, by their hashes, and no others. Editors make their styles as
 * they go, and their workers of texts that the page holds.
 */
export function contentSecurityPolicyOf(page: string): string {
  const hashes = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, script]) => `'sha256-${createHash('sha256').update(script!).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    `script-src ${hashes.join(' ')}`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    'font-src data:',
    'worker-src blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/**
 * Which origins may read an answer: those that are listed, each told of itself. Yoga, given several, would tell a foreign one `null`
 * (@whatwg-node/server, useCORS), which is the origin of every sandboxed page.
 */
export function corsOf(allowedOrigins: readonly string[]): NonNullable<YogaServerOptions<object, object>['cors']> {
  if (allowedOrigins.length === 0) return false;
  return (request) => {
    const origin = request.headers.get('origin');
    return origin !== null && allowedOrigins.includes(origin) ? { origin, credentials: false } : false;
  };
}

/** What a page of any origin can have a browser send without asking this server first. */
const SIMPLE_TYPES = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'];

/**
 * No page of a foreign origin uses this server behind its visitor's back: neither by a form, nor by an address that it has a browser
 * load. A browser says where a request comes from (`Sec-Fetch-Site`, `Origin`); who sends neither is none, and is let in.
 */
export function useCsrfPrevention(allowedOrigins: readonly string[]): Plugin {
  return {
    onRequestParse({ request, url }) {
      const type = request.headers.get('content-type')?.split(';', 1)[0]!.trim().toLowerCase() ?? '';
      if (request.method === 'POST' && SIMPLE_TYPES.includes(type)) {
        throw new ClientError('FORBIDDEN', 'Operations are posted as application/json.');
      }
      const site = request.headers.get('sec-fetch-site');
      const origin = request.headers.get('origin');
      const isForeign = site === 'cross-site' || site === 'same-site';
      if (!isForeign || (origin !== null && allowedOrigins.includes(origin))) return;
      if (request.method === 'GET' && !url.searchParams.has('query')) return;
      throw new ClientError('FORBIDDEN', 'Origin not allowed.');
    },
  };
}
