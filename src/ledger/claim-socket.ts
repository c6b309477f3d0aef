import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { link, mkdir, rename, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';

/**
 * Listens on a socket in the file system, if nobody else does: `null` where some process answers there. A process that died leaves
 * its socket behind, at which nobody answers; it is taken over. Of several processes that ask at once one gets it.
 */
export async function claimSocket(socketPath: string): Promise<Server | null> {
  await mkdir(path.dirname(socketPath), { recursive: true });
  const own = besides(socketPath);
  const server = createServer();
  server.listen(own);
  await once(server, 'listening');
  // A connection that cannot be taken, such as for want of file descriptors, is its client's loss alone.
  server.on('error', () => {});
  try {
    for (;;) {
      if (await isAnswered(socketPath)) {
        server.close();
        return null;
      }
      // A name is given to one only; that of a dead process is taken away first.
      if (await giveName(own, socketPath)) return server;
      await removeDead(socketPath);
    }
  } catch (error) {
    server.close();
    throw error;
  } finally {
    await unlink(own).catch(() => {});
  }
}

/** Whether a process listens on it. */
export function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // EAGAIN: it listens, and has more to do than it can take on.
      if (error.code === 'EAGAIN') resolve(true);
      else if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT' || error.code === 'ENOTSOCK') resolve(false);
      else reject(error);
    });
  });
}

async function giveName(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moved aside before it is removed: another process may have taken the name meanwhile, and gets it back. */
async function removeDead(socketPath: string): Promise<void> {
  const aside = besides(socketPath);
  try {
    await rename(socketPath, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (await isAnswered(aside)) await giveName(aside, socketPath);
  await unlink(aside);
}

function besides(socketPath: string): string {
  return `${socketPath}.${randomUUID().slice(0, 8)}`;
}
