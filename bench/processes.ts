import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = path.join(import.meta.dirname, '..');

/** One of ours, from the root of the project; it ends with this process. */
export function startProcess(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

/** The first line that holds a URL after each of these words. */
export async function readUrls(child: ChildProcess, words: readonly string[]): Promise<string[]> {
  const urls: string[] = [];
  for await (const line of createInterface({ input: child.stdout! })) {
    const word = words[urls.length]!;
    const url = new RegExp(`${word}\\s+((?:ws|http)://[\\w.:]+)`).exec(line)?.[1];
    if (url !== undefined) urls.push(url);
    if (urls.length === words.length) break;
  }
  child.stdout!.resume();
  return urls;
}
