import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Answer } from './answer.ts';

/** Files whose names carry a hash of what they hold never change. */
export const FOREVER = 'public, max-age=31536000, immutable';
/** Kept by any cache, which asks before each use whether it is still the same: that is answered with 304, without the body. */
export const REVALIDATED = 'no-cache';
/** The same for a page that holds a token: no cache that several people share keeps it. */
export const REVALIDATED_PRIVATE = 'private, no-cache';

/** One way in which a file is sent: compressed, or, where `encoding` is `null`, as it is. */
export type Variant = { readonly body: Buffer; readonly encoding: 'br' | 'gzip' | null };

/** What is the same for everybody who asks for it. All answers share its memory. */
export type StaticFile = {
  readonly type: string;
  readonly cacheControl: string;
  /** The best first; the last one is the file itself. */
  readonly variants: readonly Variant[];
  /** What the answer depends on besides `accept-encoding`. */
  readonly varyBy?: readonly string[];
};

/** Level 5: higher ones need many times as long for a few percent. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: 22 } };

/** `body` and its compressed forms, the best first. They are made by other threads than the one that serves. */
export async function compressVariants(body: Buffer): Promise<readonly Variant[]> {
  const [brotli, gzipped] = await Promise.all([promisify(brotliCompress)(body, BROTLI), promisify(gzip)(body)]);
  return [
    { body: brotli, encoding: 'br' },
    { body: gzipped, encoding: 'gzip' },
    { body, encoding: null },
  ];
}

/** Answers with the best form that the client takes, or with 304 where the client has it already. */
export function sendStaticFile(file: StaticFile, request: IncomingMessage, response: Answer): void {
  const { type, cacheControl, variants, varyBy = [] } = file;
  const accepted = String(request.headers['accept-encoding'] ?? '');
  const variant = variants.find(({ encoding }) => accepts(accepted, encoding))!;
  const vary = [...varyBy, ...(variants.length > 1 ? ['Accept-Encoding'] : [])].join(', ');
  const etag = etagOf(variant);
  const headers = { 'cache-control': cacheControl, etag, ...(vary !== '' && { vary }) };
  if (matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    ...(variant.encoding !== null && { 'content-encoding': variant.encoding }),
    'content-type': type,
    'content-length': variant.body.length,
  });
  // The kernel is handed this very memory, however long it takes to send it: an answer that nobody reads holds no copy.
  if (request.method === 'HEAD') response.end();
  else response.endShared(variant.body);
}

const etags = new WeakMap<Variant, string>();

/** Each form has its own, for their bytes differ (RFC 9110, 8.8.3). */
function etagOf(variant: Variant): string {
  let etag = etags.get(variant);
  if (etag === undefined) {
    etag = `"${createHash('sha256').update(variant.body).digest('base64url').slice(0, 22)}"`;
    etags.set(variant, etag);
  }
  return etag;
}

/** By the weak comparison, for a proxy that compresses on its way weakens the tag (RFC 9110, 13.1.2). */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((item) => {
    const tag = item.trim().replace(/^W\//, '');
    return tag === '*' || tag === etag;
  });
}

function accepts(accepted: string, encoding: string | null): boolean {
  if (encoding === null) return true;
  return accepted.split(',').some((item) => {
    const [name, quality] = item.trim().split(/\s*;\s*q=/);
    return name === encoding && Number(quality ?? 1) > 0;
  });
}
