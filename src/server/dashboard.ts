import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { lookup } from 'mrmime';
import type { Answer } from './answer.ts';
import { FOREVER, REVALIDATED, REVALIDATED_PRIVATE, sendStaticFile, type StaticFile } from './static-file.ts';

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

/** What the build leaves beside a file, the best first. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/** Answers a request, or leaves it alone: then it returns false. */
export type Dashboard = (request: IncomingMessage, response: Answer) => boolean;

/**
 * The page as `npm run build` left it in `folder`; `null` where it was not built. All of it is read now, a megabyte: a page that is
 * built anew meanwhile is that of the next start, and the files that the old one names do not go. `demoToken` is handed to the page,
 * where there is but one user: it is signed in without being asked.
 */
export function createDashboard(folder: string, demoToken: string | null): Dashboard | null {
  if (!existsSync(path.join(folder, 'index.html'))) return null;
  const files = new Map<string, StaticFile>(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !ENCODINGS.some(([, ending]) => entry.name.endsWith(ending)))
      .map((entry) => {
        const file = path.join(entry.parentPath, entry.name);
        return [`/${path.relative(folder, file).split(path.sep).join('/')}`, readFile(file, demoToken)] as const;
      }),
  );
  const page = files.get('/index.html')!;

  return (request, response) => {
    const name = request.url?.split('?', 1)[0] ?? '/';
    const file = name === '/' ? page : files.get(name);
    if (file === undefined) return false;
    if (file === page) response.setHeader('content-security-policy', PAGE_POLICY);
    sendStaticFile(file, request, response);
    return true;
  };
}

function readFile(file: string, demoToken: string | null): StaticFile {
  const isPage = path.basename(file) === 'index.html';
  const plain = readFileSync(file);
  const body = isPage ? Buffer.from(withToken(plain.toString(), demoToken)) : plain;
  const compressed = ENCODINGS.filter(([, ending]) => !isPage && existsSync(file + ending));
  const type = lookup(file) ?? 'application/octet-stream';
  // The page names the files of this very build: an older one would ask for what is gone.
  const revalidated = isPage && demoToken !== null ? REVALIDATED_PRIVATE : REVALIDATED;
  return {
    type: type.startsWith('text/') ? `${type}; charset=utf-8` : type,
    cacheControl: path.basename(path.dirname(file)) === 'assets' ? FOREVER : revalidated,
    variants: [
      ...compressed.map(([encoding, ending]) => ({ body: readFileSync(file + ending), encoding })),
      { body, encoding: null },
    ],
  };
}

function withToken(page: string, token: string | null): string {
  return token === null ? page : page.replace('<head>', `<head>\n    <meta name="tapeql-token" content="${token}" />`);
}
