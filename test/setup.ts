import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { readLaunchOptions } from './chromium.ts';
import { CHROMIUM, installPrograms, POSTGRES, REDIS_SERVER } from './programs.ts';
import type { Program } from './programs.ts';

/**
 * Before all tests: the page, and the programs that they need and npm does not bring. A whole run needs them all; a run of single files
 * only those that the files ask for, so that a unit test runs anywhere. Returns what ends that which was started.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  prepare();
  // Internal to vitest: should it go, every run counts as a whole one.
  const { filenamePattern } = project.vitest as unknown as { filenamePattern?: string[] };
  if (filenamePattern === undefined) {
    await installPrograms([REDIS_SERVER, POSTGRES, CHROMIUM]);
    buildPage();
    return startChromium(project);
  }
  const { testFiles } = await project.globTestFiles(filenamePattern);
  const sources = (await Promise.all(testFiles.map((file) => readFile(file, 'utf8')))).join('\n');
  const wanted: Program[] = [];
  if (/\/redis(-cluster)?\.ts'/.test(sources)) wanted.push(REDIS_SERVER);
  if (/\/postgres\.ts'/.test(sources)) wanted.push(POSTGRES);
  const needsBrowser = /\/browser\.ts'/.test(sources);
  if (needsBrowser) wanted.push(CHROMIUM);
  await installPrograms(wanted);
  if (/\/dashboard\.ts'/.test(sources)) buildPage();
  return needsBrowser ? startChromium(project) : async () => undefined;
}

/**
 * One for the whole run, for its start costs more than many a test in it. It listens on loopback only, under a path that nobody guesses,
 * and ends with this process however that ends: they are joined by a pipe.
 */
async function startChromium(project: TestProject): Promise<() => Promise<void>> {
  // Only here, for it takes its time to load.
  const { chromium } = await import('playwright-core');
  const server = await chromium.launchServer(readLaunchOptions());
  project.provide('chromiumEndpoint', server.wsEndpoint());
  return () => server.close();
}

/** What `npm ci` prepared may be of older code. In a process of its own: its memory goes with it. */
function prepare(): void {
  run(['src/prepare.ts'], process.env, 'The embedded database cannot be prepared');
}

/**
 * As it stands now: what `npm ci` built may be older. In a process of its own: in this one, which is called a test, React would be
 * built as for development.
 */
function buildPage(): void {
  const env = { ...process.env, NODE_ENV: 'production' };
  run(['node_modules/vite/bin/vite.js', 'build', 'client', '--logLevel', 'warn'], env, 'The page cannot be built');
}

function run(args: readonly string[], env: NodeJS.ProcessEnv, complaint: string): void {
  const cwd = path.join(import.meta.dirname, '..');
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${complaint}: ${stderr}`);
}
