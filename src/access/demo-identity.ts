import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { SignJWT } from 'jose';

/** Where no way to tell users apart is configured: a secret of this machine, and a token of the one user that there is. */
export type DemoIdentity = { readonly secret: string; readonly token: string };

const FILE = 'demo-secret';

/**
 * The secret is kept in the folder, where all processes of this machine find it, and after a restart: a page that is open goes on
 * with the token that it has.
 */
export async function openDemoIdentity(dataDir: string, user: { id: string; name: string }): Promise<DemoIdentity> {
  const secret = await readOrCreate(path.join(dataDir, FILE));
  const token = await new SignJWT({ name: user.name })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user.id)
    .sign(new TextEncoder().encode(secret));
  return { secret, token };
}

async function readOrCreate(file: string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  const secret = randomBytes(32).toString('base64url');
  try {
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(secret);
    await handle.close();
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  // Whoever creates it at this moment has not written it yet.
  for (let attempt = 1; ; attempt++) {
    const kept = await readFile(file, 'utf8');
    if (kept.length >= secret.length) return kept;
    if (attempt === 50) throw new Error(`${file} holds no secret: remove it`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
