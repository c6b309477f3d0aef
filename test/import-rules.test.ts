import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PROJECT = path.resolve(import.meta.dirname, '..');
const OXLINT = path.join(PROJECT, 'node_modules', '.bin', 'oxlint');

const RESTRICTED_IMPORT = 'eslint(no-restricted-imports)';

/** What stands for each part of the house: the module that others would import from it. */
const MODULES = {
  market: 'src/market/stub.ts',
  'market/logger': 'src/market/logger.ts',
  errors: 'src/errors.ts',
  config: 'src/config.ts',
  'feeds/feed': 'src/feeds/feed.ts',
  'feeds/polygon': 'src/feeds/polygon/stub.ts',
  'feeds/simulator': 'src/feeds/simulator/stub.ts',
  'bus/bus': 'src/bus/bus.ts',
  'bus/redis': 'src/bus/redis.ts',
  'bus/memory': 'src/bus/memory.ts',
  ingest: 'src/ingest/stub.ts',
  delivery: 'src/delivery/stub.ts',
  'delivery/websocket': 'src/delivery/websocket.ts',
  'delivery/sse': 'src/delivery/sse.ts',
  access: 'src/access/stub.ts',
  ledger: 'src/ledger/stub.ts',
  'ledger/database': 'src/ledger/database.ts',
  'ledger/tables': 'src/ledger/tables.ts',
  schema: 'src/schema/stub.ts',
  server: 'src/server/stub.ts',
  'server/crew': 'src/server/crew.ts',
  workers: 'src/workers/stub.ts',
  assembly: 'src/assembly/stub.ts',
  main: 'src/main.ts',
  tapeql: 'src/tapeql.ts',
  client: 'client/stub.ts',
  'client/src': 'client/src/stub.ts',
  'client/src/gql': 'client/src/gql/stub.ts',
  'client/src/graphql': 'client/src/graphql/stub.ts',
  'client/src/app': 'client/src/app/stub.ts',
  'client/testing': 'client/testing/stub.ts',
  bench: 'bench/stub.ts',
  test: 'test/stub.ts',
} as const;

type Module = keyof typeof MODULES;

const MARKET = ['market', 'market/logger'] as const;
const FEEDS = ['feeds/feed', 'feeds/polygon', 'feeds/simulator'] as const;
const BUS = ['bus/bus', 'bus/redis', 'bus/memory'] as const;
const DELIVERY = ['delivery', 'delivery/websocket', 'delivery/sse'] as const;
const LEDGER = ['ledger', 'ledger/database', 'ledger/tables'] as const;
const SERVER = ['server', 'server/crew'] as const;
const CLIENT_SRC = ['client/src', 'client/src/gql', 'client/src/graphql', 'client/src/app'] as const;
const CLIENT = ['client', ...CLIENT_SRC, 'client/testing'] as const;
const EVERYTHING_BUT_MAIN = (Object.keys(MODULES) as Module[]).filter((name) => name !== 'main');
const OF_SRC_OR_TEST = EVERYTHING_BUT_MAIN.filter((name) => !/^(client|bench)/.test(name));

/** Who may import whom. A file of the key's folder may import the modules named; every other import must be reported. */
const MAY_IMPORT: Record<string, readonly Module[]> = {
  'src/importing.ts': [],
  'src/market/importing.ts': MARKET,
  'src/feeds/importing.ts': [...MARKET, ...FEEDS],
  'src/feeds/polygon/importing.ts': [...MARKET, ...FEEDS],
  'src/feeds/simulator/importing.ts': [...MARKET, ...FEEDS],
  'src/feeds/simulator/testing/importing.ts': [...MARKET, ...FEEDS],
  'src/bus/importing.ts': [...MARKET, ...BUS],
  'src/ingest/importing.ts': [...MARKET, ...BUS, 'feeds/feed', 'ingest'],
  'src/delivery/importing.ts': [...MARKET, ...BUS, ...DELIVERY, 'errors'],
  'src/access/importing.ts': ['errors', 'access', 'market/logger'],
  'src/ledger/importing.ts': [...MARKET, ...LEDGER, 'errors', 'bus/bus'],
  'src/schema/importing.ts': [
    ...MARKET,
    'errors',
    'config',
    'feeds/feed',
    'bus/bus',
    'ingest',
    'delivery',
    'access',
    'ledger',
    'schema',
  ],
  'src/server/importing.ts': [...DELIVERY, 'market/logger', 'errors', 'access', 'schema', ...SERVER],
  'src/workers/importing.ts': [...MARKET, 'config', 'server/crew', 'workers'],
  'src/assembly/importing.ts': OF_SRC_OR_TEST.filter((name) => !['tapeql', 'workers', 'test'].includes(name)),
  'src/main.ts': EVERYTHING_BUT_MAIN,
  'src/tapeql.ts': EVERYTHING_BUT_MAIN,
  'src/importing.test.ts': OF_SRC_OR_TEST,
  'src/bus/importing.test.ts': OF_SRC_OR_TEST,
  'src/feeds/polygon/importing.test.ts': OF_SRC_OR_TEST,
  'test/importing.test.ts': EVERYTHING_BUT_MAIN,
  'bench/importing.ts': EVERYTHING_BUT_MAIN,
  'client/importing.ts': CLIENT,
  'client/src/importing.ts': CLIENT,
  'client/src/app/importing.tsx': CLIENT,
  'client/src/app/table/importing.tsx': CLIENT,
  'client/src/graphql/importing.ts': ['client/src/gql', 'client/src/graphql'],
  'client/src/graphql/importing.test.ts': ['client/src/gql', 'client/src/graphql', 'client/testing'],
};

/** Other planted violations: the rule that must report exactly this file, whose every other line is clean. */
const PLANTED: { rule: string; file: string; text: string }[] = [
  {
    rule: 'typescript(no-floating-promises)',
    file: 'src/bus/floating.ts',
    text: 'async function flush(): Promise<void> {}\nexport function close(): void {\n  flush();\n}\n',
  },
  {
    rule: 'typescript(no-misused-promises)',
    file: 'src/bus/misused.ts',
    text: 'declare function later(run: () => void): void;\nexport function start(): void {\n  later(async () => {});\n}\n',
  },
  {
    rule: 'typescript(await-thenable)',
    file: 'src/bus/awaited.ts',
    text: 'export async function read(value: number): Promise<number> {\n  return await value;\n}\n',
  },
  {
    rule: 'typescript(switch-exhaustiveness-check)',
    file: 'src/market/inexhaustive.ts',
    text: "export function name(side: 'buy' | 'sell'): string {\n  switch (side) {\n    case 'buy':\n      return 'Buy';\n  }\n  return '';\n}\n",
  },
  {
    rule: 'typescript(no-explicit-any)',
    file: 'src/market/any.ts',
    text: 'export type Anything = any;\n',
  },
  {
    rule: 'typescript(consistent-type-imports)',
    file: 'src/market/type-import.ts',
    text: "import { stub } from './stub.ts';\nexport type Stub = typeof stub;\n",
  },
  {
    rule: 'node(no-process-env)',
    file: 'src/bus/environment.ts',
    text: 'export const url = process.env.REDIS_URL;\n',
  },
  {
    rule: 'eslint(no-console)',
    file: 'src/bus/printing.ts',
    text: "export function report(): void {\n  console.log('connected');\n}\n",
  },
  {
    rule: 'import(no-default-export)',
    file: 'src/market/default.ts',
    text: 'export default 1;\n',
  },
  {
    rule: 'import(no-named-export)',
    file: 'src/market/index.ts',
    text: 'export const anything = 1;\n',
  },
  {
    rule: 'oxc(no-barrel-file)',
    file: 'src/market/barrel.ts',
    text: "export * from './stub.ts';\n",
  },
  {
    rule: 'import(no-cycle)',
    file: 'src/bus/cycle.ts',
    text: "import { back } from './cycle-back.ts';\nexport const forth = (): number => back();\n",
  },
  {
    rule: 'import(no-cycle)',
    file: 'src/bus/cycle-back.ts',
    text: "import { forth } from './cycle.ts';\nexport const back = (): number => forth();\n",
  },
  {
    rule: 'vitest(no-disabled-tests)',
    file: 'src/bus/skipped.test.ts',
    text: "import { expect, it } from 'vitest';\nit.skip('sleeps', () => {\n  expect(1).toBe(1);\n});\n",
  },
  ...['setTimeout(close, 10)', 'setInterval(close, 10)', 'close(performance.now())'].map((call, index) => ({
    rule: 'eslint(no-restricted-globals)',
    file: `src/${index === 0 ? 'bus' : 'delivery'}/raw-timer-${index}.ts`,
    text: `declare function close(at?: number): void;\n${call};\n`,
  })),
  {
    rule: 'waiting(one-deadline)',
    file: 'test/wait-for.ts',
    text: "import { vi } from 'vitest';\nawait vi.waitFor(() => true);\n",
  },
  {
    rule: 'waiting(one-deadline)',
    file: 'src/bus/poll.test.ts',
    text: "import { expect, it } from 'vitest';\nit('waits', async () => {\n  await expect.poll(() => 1, { timeout: 10 }).toBe(1);\n});\n",
  },
  {
    rule: 'waiting(no-elapsed-time)',
    file: 'src/bus/elapsed.test.ts',
    text: "import { expect, it } from 'vitest';\nit('is quick', () => {\n  expect(performance.now()).toBeLessThan(100);\n});\n",
  },
  {
    rule: 'waiting(no-sleep)',
    file: 'src/bus/sleep.test.ts',
    text: "import { setTimeout as sleep } from 'node:timers/promises';\nawait sleep(10);\n",
  },
  {
    rule: 'waiting(no-sleep)',
    file: 'src/bus/timeout.test.ts',
    text: 'await new Promise((resolve) => setTimeout(resolve, 10));\n',
  },
  ...[
    'ioredis',
    'graphql-redis-subscriptions',
    'ws',
    'graphql-ws/use/ws',
    'pg',
    'drizzle-orm',
    'drizzle-orm/node-postgres',
    '@electric-sql/pglite',
    'node:net',
    'node:tls',
    'node:http',
    'node:https',
    'node:dgram',
  ].map((name) => ({
    rule: RESTRICTED_IMPORT,
    file: `src/schema/opens-${name.replace(/\W/g, '-')}.ts`,
    text: `import * as opened from '${name}';\nexport const value = opened;\n`,
  })),
  // An import in disguise is one still.
  ...[
    "import type { stub } from '../ingest/stub.ts';\nexport type Stub = typeof stub;\n",
    "export { stub } from '../ingest/stub.ts';\n",
    "export const load = (): Promise<unknown> => import('../ingest/stub.ts');\n",
    "import '../market/../ingest/stub.ts';\n",
  ].map((text, index) => ({ rule: RESTRICTED_IMPORT, file: `src/bus/disguised-${index}.ts`, text })),
  ...Object.keys(MAY_IMPORT)
    .filter((from) => from.includes('importing') && !from.includes('test') && !from.startsWith('bench'))
    .map((from) => from.replace('importing', 'roundabout'))
    .map((file) => ({ rule: RESTRICTED_IMPORT, file, text: `import './${writeImport(file, MODULES.main)}';\n` })),
  ...['src/roundabout.test.ts', 'src/bus/roundabout.test.ts', 'src/feeds/polygon/roundabout.test.ts'].map((file) => ({
    rule: RESTRICTED_IMPORT,
    file,
    text: `import '${path.posix.relative(path.posix.dirname(file), '.')}/src/main.ts';\n`,
  })),
];

/** What the rules let pass, where it belongs. */
const PERMITTED: Record<string, string> = {
  'src/feeds/simulator/main.ts': "console.log('listening');\n",
  'src/bus/permitted.test.ts':
    "import { expect, it } from 'vitest';\nclass Bus {\n  close(): number {\n    return 1;\n  }\n}\nit('reads the environment', () => {\n  console.log(process.env.HOME);\n  expect(new Bus().close).toBeDefined();\n});\n",
  'bench/permitted.ts': 'console.log(process.env.HOME);\n',
  'vitest.config.ts': 'export default {};\n',
  'codegen.ts': 'export default {};\n',
};

/** The composition root and the process's entry: one file each, so that all their imports stand in it. */
const ROOTS = ['src/main.ts', 'src/tapeql.ts'];

type Edge = { file: string; from: string; to: Module; allowed: boolean };

const EDGES: Edge[] = Object.entries(MAY_IMPORT).flatMap(([from, allowed]) =>
  (Object.keys(MODULES) as Module[])
    .filter((to) => MODULES[to] !== from && (!ROOTS.includes(from) || allowed.includes(to)))
    .map((to) => ({
      file: ROOTS.includes(from) ? from : from.replace('importing', `importing-${to.replaceAll('/', '-')}`),
      from,
      to,
      allowed: allowed.includes(to),
    })),
);

function writeImport(file: string, target: string): string {
  const specifier = path.posix.relative(path.posix.dirname(file), target);
  return specifier.startsWith('.') ? specifier : `./${specifier}`;
}

describe('lint', () => {
  let tree: string;
  let reported: Map<string, string[]>;

  beforeAll(async () => {
    tree = await mkdtemp(path.join(tmpdir(), 'tapeql-lint-'));
    const files = new Map<string, string>();
    for (const module of Object.values(MODULES)) files.set(module, 'export const stub = 1;\n');
    for (const { file, to } of EDGES) {
      const name = to.replace(/\W/g, '_');
      const text = `import { stub as ${name} } from '${writeImport(file, MODULES[to])}';\nconsume(${name});\n`;
      files.set(
        file,
        ROOTS.includes(file)
          ? (files.get(file) ?? '') + text
          : `declare function consume(value: number): void;\n${text}`,
      );
    }
    for (const root of ROOTS) {
      files.set(root, `declare function consume(value: number): void;\n${files.get(root)}`);
    }
    files.set('src/main.ts', `${files.get('src/main.ts')}console.log(process.env.PORT);\n`);
    for (const { file, text } of PLANTED) files.set(file, text);
    for (const [file, text] of Object.entries(PERMITTED)) files.set(file, text);
    for (const [file, text] of files) {
      await mkdir(path.join(tree, path.dirname(file)), { recursive: true });
      await writeFile(path.join(tree, file), text);
    }
    const tsconfig = {
      extends: path.join(PROJECT, 'tsconfig.json'),
      compilerOptions: { typeRoots: [path.join(PROJECT, 'node_modules', '@types')] },
      include: ['.'],
    };
    await writeFile(path.join(tree, 'tsconfig.json'), JSON.stringify(tsconfig));
    for (const file of ['.oxlintrc.json', 'test/lint/waiting.ts']) {
      await cp(path.join(PROJECT, file), path.join(tree, file));
    }
    reported = await lint(tree);
  });

  afterAll(() => rm(tree, { recursive: true, force: true }));

  it.each(Object.keys(MAY_IMPORT))('lets %s import what the table names, and reports every other import', (from) => {
    const edges = EDGES.filter((edge) => edge.from === from);
    const found = edges.map(({ file, to }) => `${to}: ${(reported.get(file) ?? []).join() || 'allowed'}`);
    expect(found).toEqual(edges.map(({ to, allowed }) => `${to}: ${allowed ? 'allowed' : RESTRICTED_IMPORT}`));
  });

  it.each(PLANTED)('$rule reports $file', ({ file, rule }) => {
    expect(reported.get(file)).toEqual([rule]);
  });

  it.each(Object.keys(PERMITTED))('lets %s pass', (file) => {
    expect(reported.get(file)).toBeUndefined();
  });

  it('reports nothing that was not planted', () => {
    const planted = new Set([
      ...PLANTED.map(({ file }) => file),
      ...EDGES.filter(({ allowed }) => !allowed).map(({ file }) => file),
    ]);
    expect([...reported.keys()].filter((file) => !planted.has(file))).toEqual([]);
  });
});

/** Runs the project's linter with the project's configuration in `tree`: the rules reported for each file. */
async function lint(tree: string): Promise<Map<string, string[]>> {
  const output = await new Promise<string>((resolve, reject) => {
    execFile(OXLINT, ['--format', 'json'], { cwd: tree, maxBuffer: 64 * 1024 * 1024 }, (error, stdout) => {
      // Status 1 is what violations give: the report is read all the same.
      if (error !== null && stdout === '') reject(new Error('the linter reported nothing', { cause: error }));
      else resolve(stdout);
    });
  });
  const { diagnostics } = JSON.parse(output) as { diagnostics: { code: string; filename: string }[] };
  const byFile = new Map<string, string[]>();
  for (const { code, filename } of diagnostics) byFile.set(filename, [...(byFile.get(filename) ?? []), code]);
  return byFile;
}
