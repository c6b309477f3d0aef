import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const PROJECT = path.resolve(import.meta.dirname, '..');

/** One line of the Dockerfile, continued lines joined. */
type Instruction = { readonly keyword: string; readonly argument: string };

/** One stage of the build: the folder that stands for its root, and what was set on the way. */
type Stage = {
  readonly name: string;
  readonly base: string;
  readonly root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  command: string[];
  healthCheck: string[];
  stopSignal: string;
};

function readInstructions(): Instruction[] {
  return readFileSync(path.join(PROJECT, 'Dockerfile'), 'utf8')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, keyword, argument] = /^([A-Z]+)\s+(.*)$/.exec(line)!;
      return { keyword: keyword!, argument: argument! };
    });
}

/** Whether .dockerignore keeps a path, relative to the project, out of the build: the last pattern that matches it or a folder above it decides. */
function isIgnored(file: string): boolean {
  const patterns = readFileSync(path.join(PROJECT, '.dockerignore'), 'utf8').split('\n');
  const parts = file.split(path.sep);
  const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  let ignored = false;
  for (const line of patterns.filter((pattern) => pattern !== '' && !pattern.startsWith('#'))) {
    const kept = line.startsWith('!');
    const pattern = kept ? line.slice(1) : line;
    if (prefixes.some((prefix) => path.matchesGlob(prefix, pattern))) ignored = !kept;
  }
  return ignored;
}

/** Runs the Dockerfile's steps in empty folders, one per stage, and returns the last stage. */
async function build(folder: string): Promise<Stage> {
  const stages: Stage[] = [];
  for (const { keyword, argument } of readInstructions()) {
    const stage = stages.at(-1);
    if (keyword === 'FROM') {
      const [base, , name = `${stages.length}`] = argument.split(/\s+/);
      const root = path.join(folder, name);
      await mkdir(root);
      stages.push({
        name,
        base: base!,
        root,
        workdir: '/',
        env: {},
        user: 'root',
        command: [],
        healthCheck: [],
        stopSignal: '',
      });
      continue;
    }
    if (stage === undefined) throw new Error(`${keyword} before FROM`);
    await apply(stage, keyword, argument, stages);
  }
  return stages.at(-1)!;
}

async function apply(stage: Stage, keyword: string, argument: string, stages: readonly Stage[]): Promise<void> {
  const cwd = path.join(stage.root, stage.workdir);
  switch (keyword) {
    case 'WORKDIR':
      stage.workdir = argument;
      await mkdir(path.join(stage.root, argument), { recursive: true });
      return;
    case 'ENV':
      for (const pair of argument.split(/\s+/)) Object.assign(stage.env, Object.fromEntries([pair.split('=')]));
      return;
    case 'COPY': {
      const words = argument.split(/\s+/);
      const from = words[0]!.startsWith('--from=') ? words.shift()!.slice('--from='.length) : null;
      const target = words.pop()!;
      for (const source of words) {
        // As COPY does: a folder's contents go into the target, a file goes by that name, or into it.
        const origin = path.join(from === null ? PROJECT : stages.find(({ name }) => name === from)!.root, source);
        const isFolder = (await stat(origin)).isDirectory();
        const destination = path.resolve(cwd, target, isFolder || !target.endsWith('/') ? '' : path.basename(source));
        if (from === null && !isFolder && isIgnored(source)) throw new Error(`${source} is not in the build context`);
        const filter = (file: string): boolean => from !== null || !isIgnored(path.relative(PROJECT, file));
        await cp(origin, destination, { recursive: true, filter, verbatimSymlinks: true });
      }
      return;
    }
    case 'RUN':
      await run('sh', ['-euc', argument], {
        cwd,
        env: readEnvironment({ ...stage.env, npm_config_prefer_offline: 'true' }),
      });
      return;
    case 'USER':
      stage.user = argument;
      return;
    case 'STOPSIGNAL':
      stage.stopSignal = argument;
      return;
    case 'HEALTHCHECK':
      stage.healthCheck = JSON.parse(argument.slice(argument.indexOf('CMD ') + 4)) as string[];
      return;
    case 'CMD':
      stage.command = JSON.parse(argument) as string[];
      return;
    case 'EXPOSE':
      return;
    default:
      throw new Error(`this test does not know ${keyword}`);
  }
}

/** What a container's process would see: nothing of this shell but the way to its programs and to npm's registry and cache. */
function readEnvironment(env: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) =>
    /^(PATH|HOME|npm_config_(registry|cache|userconfig|cafile)|node_extra_ca_certs|ssl_cert_file|https?_proxy|no_proxy)$/i.test(
      name,
    ),
  );
  return { ...Object.fromEntries(kept), ...env };
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

describe('the image', () => {
  let folder: string;
  let image: Stage;
  let app: string;
  let started: ChildProcess | null = null;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tapeql-image-'));
    image = await build(folder);
    app = path.join(image.root, image.workdir);
    // It installs what the program depends on.
  }, 300_000);

  afterAll(async () => {
    if (started?.exitCode === null && started.signalCode === null) {
      started.kill('SIGKILL');
      await once(started, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  });

  it('has the major version of Node that the scripts run on', () => {
    const { devDependencies } = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    const major = /\d+/.exec(devDependencies['node']!)![0];
    const bases = readInstructions()
      .filter(({ keyword }) => keyword === 'FROM')
      .map(({ argument }) => argument.split(' ')[0]);
    expect(new Set(bases)).toEqual(new Set([`node:${major}-slim`]));
  });

  it('runs as another user than root, in production, and is asked to stop by SIGTERM', () => {
    expect(image).toMatchObject({
      user: 'node',
      stopSignal: 'SIGTERM',
      env: { NODE_ENV: 'production', ADMIN_HOST: '0.0.0.0' },
    });
  });

  it('carries the production dependencies, no others, and nothing but the program', async () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(path.join(app, 'package.json'), 'utf8'),
    ) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
    const isInstalled = (name: string): boolean => existsSync(path.join(app, 'node_modules', name));
    expect(Object.keys(dependencies).filter((name) => !isInstalled(name))).toEqual([]);
    expect(['typescript', 'vitest', 'oxlint', 'node', 'playwright-core'].filter(isInstalled)).toEqual([]);
    expect(Object.keys(devDependencies)).toContain('typescript');
    expect((await readdir(app)).toSorted()).toEqual([
      'build',
      'client',
      'data',
      'node_modules',
      'package.json',
      'schema.graphql',
      'src',
    ]);
    expect(await readdir(path.join(app, 'client'))).toEqual(['dist']);
    const sources = await readdir(path.join(app, 'src'), { recursive: true });
    expect(sources).toContain('main.ts');
    expect(sources.filter((file) => file.endsWith('.test.ts'))).toEqual([]);
  });

  it('starts, answers its health check, serves the page, and stops at once when asked to', async () => {
    const env = readEnvironment({
      ...image.env,
      HOST: '127.0.0.1',
      PORT: `${await findFreePort()}`,
      FEED: 'simulated',
      JWT_SECRET: 'a secret for this test alone, 32 bytes',
    });
    const [program, ...args] = image.command;
    const server = spawn(program!, args, { cwd: app, env, stdio: ['ignore', 'pipe', 'pipe'] });
    started = server;
    let output = '';
    for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => (output += String(chunk)));

    const ended = once(server, 'exit');

    const [checker, ...checkArgs] = image.healthCheck;
    const check = (): Promise<string> =>
      run(checker!, checkArgs, { cwd: app, env }).then(
        () => 'healthy',
        () => 'unhealthy',
      );
    const readState = async (): Promise<string> => (server.exitCode === null ? await check() : 'ended');
    await expect.poll(readState).not.toBe('unhealthy');
    expect(await readState(), output).toBe('healthy');
    expect(await (await fetch(`http://127.0.0.1:${env['PORT']}/`)).text()).toContain('/assets/');

    // Where it cannot stop at once it ends itself after five seconds, with status 1.
    server.kill(image.stopSignal as NodeJS.Signals);
    expect(await ended, output).toEqual([0, null]);
    expect(await check()).toBe('unhealthy');
  });
});
