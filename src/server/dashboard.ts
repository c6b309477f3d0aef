import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import sirv from 'sirv';

/**
 * The policy of the page: its scripts are files of this server, and no others run. Charts and toasts make their styles as they go.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Files whose names carry a hash of what they hold never change. */
const FOREVER = 'public, max-age=31536000, immutable';

/** Answers a request, or leaves it alone: then it returns false. */
export type Dashboard = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * The page as `npm run build` left it in `folder`; `null` where it was not built. `demoToken` is handed to it, where there is but one
 * user: it is signed in without being asked.
 */
export function createDashboard(folder: string, demoToken: string | null): Dashboard | null {
  const path = `${folder}/index.html`;
  if (!existsSync(path)) return null;
  const page = withToken(readFileSync(path, 'utf8'), demoToken);
  const etag = `"${createHash('sha256').update(page).digest('base64url').slice(0, 22)}"`;
  const length = Buffer.byteLength(page);
  const serveFile = sirv(folder, {
    etag: true,
    gzip: true,
    brotli: true,
    setHeaders: (response, file) =>
      response.setHeader('cache-control', file.startsWith('/assets/') ? FOREVER : 'no-cache'),
    onNoMatch: () => undefined,
  });

  return (request, response) => {
    const file = request.url?.split('?', 1)[0] ?? '/';
    if (file === '/' || file === '/index.html') {
      response.setHeader('content-security-policy', PAGE_POLICY);
      // It names the files of this very build: an older one would ask for what is gone.
      const headers = { 'cache-control': 'no-cache', etag };
      if (request.headers['if-none-match'] === etag) {
        response.writeHead(304, headers).end();
      } else {
        response.writeHead(200, { ...headers, 'content-type': 'text/html; charset=utf-8', 'content-length': length });
        response.end(request.method === 'HEAD' ? undefined : page);
      }
      return true;
    }
    let isFound = true;
    serveFile(request, response, () => {
      isFound = false;
    });
    return isFound;
  };
}

function withToken(page: string, token: string | null): string {
  return token === null ? page : page.replace('<head>', `<head>\n    <meta name="tapeql-token" content="${token}" />`);
}
