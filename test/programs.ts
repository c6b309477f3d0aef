import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A program that tests need and that npm does not bring. */
export type Program = {
  /** The names under which it may be on the PATH, best first. */
  readonly names: readonly string[];
  /** Names an executable by its path, before all others. */
  readonly pathVariable?: string;
  /** A folder of versions, in which apt puts it beyond the PATH: the newest one's `bin` has it. */
  readonly versions?: string;
  /** What Debian and Ubuntu call it. */
  readonly aptPackage: string;
};

export const REDIS_SERVER: Program = { names: ['redis-server'], aptPackage: 'redis-server' };
export const POSTGRES: Program = {
  names: ['postgres'],
  versions: '/usr/lib/postgresql',
  aptPackage: 'postgresql',
};
export const CHROMIUM: Program = {
  names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  pathVariable: 'CHROMIUM_PATH',
  aptPackage: 'chromium',
};

/** The path of an executable, or `null` where this machine has none. */
export function findProgram(program: Program): string | null {
  const named = readNamedPath(program);
  if (named !== null) return isExecutable(named) ? named : null;
  for (const name of program.names) {
    // /usr/bin also where the PATH lacks it: that is where apt puts things.
    for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', ...listVersions(program)]) {
      const path = join(folder, name);
      if (folder !== '' && isExecutable(path)) return path;
    }
  }
  return null;
}

function listVersions({ versions }: Program): string[] {
  if (versions === undefined || !existsSync(versions)) return [];
  const newestFirst = readdirSync(versions).toSorted((a, b) => Number(b) - Number(a));
  return newestFirst.map((version) => join(versions, version, 'bin'));
}

/** Throws one line that says what to install. */
export function demandProgram(program: Program): string {
  const path = findProgram(program);
  if (path === null) throw missingError([program]);
  return path;
}

/**
 * Installs what is missing, by apt, where this is Debian or Ubuntu and we are root; else throws one line that says what to
 * install. Several test runs at once wait for each other.
 */
export async function installPrograms(programs: readonly Program[]): Promise<void> {
  const absent = programs.filter((program) => findProgram(program) === null);
  if (absent.length === 0) return;
  const isInstallable = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!isInstallable || absent.some((program) => readNamedPath(program) !== null)) throw missingError(absent);
  const release = await lockInstallation();
  try {
    const missing = programs.filter((program) => findProgram(program) === null);
    if (missing.length === 0) return;
    const packages = missing.map((program) => program.aptPackage);
    console.log(`tests: installing ${packages.join(' and ')} (once; it may take some minutes)`);
    runApt(['update', '-qq']);
    runApt(['install', '-y', '-qq', '--no-install-recommends', ...packages]);
    for (const program of missing) demandProgram(program);
  } finally {
    release();
  }
}

function runApt(args: readonly string[]): void {
  const result = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=600', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
    timeout: 900_000,
  });
  if (result.status === 0) return;
  const cause = result.error?.message ?? result.stderr.trim().split('\n').at(-1);
  throw new Error(`apt-get ${args.join(' ')} failed: ${cause}`);
}

/** A folder is made by one process only. One whose owner is dead is taken over. */
async function lockInstallation(): Promise<() => void> {
  const lock = join(tmpdir(), 'tapeql-test-installation.lock');
  const owner = join(lock, 'pid');
  for (;;) {
    try {
      mkdirSync(lock);
      writeFileSync(owner, String(process.pid));
      return () => rmSync(lock, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await delay(500);
    if (!isOwnerAlive(owner)) rmSync(lock, { recursive: true, force: true });
  }
}

function isOwnerAlive(owner: string): boolean {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path that the environment names, if it names one. */
function readNamedPath(program: Program): string | null {
  const path = program.pathVariable === undefined ? undefined : process.env[program.pathVariable];
  return path === undefined || path === '' ? null : path;
}

/** One line per program, and no stack: where it was thrown helps nobody. */
function missingError(programs: readonly Program[]): Error {
  const lines = programs.map((program) => {
    if (readNamedPath(program) !== null) return `${program.pathVariable} names no executable file.`;
    const variable = program.pathVariable === undefined ? '' : `, or name one in ${program.pathVariable}`;
    return `The tests need ${program.names[0]}: install it (Debian, Ubuntu: apt-get install ${program.aptPackage})${variable}.`;
  });
  const error = new Error(lines.join('\n'));
  error.stack = '';
  return error;
}
