import { parseArgs } from 'node:util';
import { FAULTS, parseFault } from './faults.ts';
import type { FaultName, FaultValue } from './faults.ts';
import type { KeyPlan } from './plans.ts';
import { startSimulator } from './simulator.ts';
import type { Simulator, SimulatorOptions } from './simulator.ts';

const OPTIONS = {
  port: { type: 'string', about: 'where to listen on 127.0.0.1; 0: any free port (default 9400)' },
  symbols: { type: 'string', about: 'how many stocks and funds, the most active ones (default all, more than 500)' },
  rate: { type: 'string', about: 'trades and quotes a second, average of the whole tape, to 100000 (default 2000)' },
  seed: { type: 'string', about: 'the same seed makes the same tape at the same time (default 1)' },
  'new-york-hours': { type: 'boolean', about: 'keep the hours and holidays of New York (default: always open)' },
  'no-tape': { type: 'boolean', about: 'no generated events' },
  key: { type: 'string', multiple: true, about: 'a key to accept, repeatable (default: any)' },
  'connections-per-key': { type: 'string', about: 'connections of one key and cluster (default 1)' },
  'quota-victim': { type: 'string', about: 'which connection ends beyond that: oldest (default) or newest' },
  'max-buffered-bytes': { type: 'string', about: 'a slower consumer is cut (default 16777216)' },
  'auth-timeout-ms': { type: 'string', about: 'how long to wait for a key (default 10000)' },
  'slice-ms': { type: 'string', about: 'the time whose events share a frame (default 5)' },
  fault: { type: 'string', multiple: true, about: 'name or name=value, repeatable; see below' },
  help: { type: 'boolean', about: 'this text' },
} as const;

/** Every option of the command line that is wrong, each in its own words. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export function describeUsage(): string {
  const list = (rows: Readonly<Record<string, { about: string; kind?: string }>>, prefix: string): string =>
    Object.entries(rows)
      .map(([name, { about, kind }]) => {
        const value = kind === undefined || kind === 'flag' ? '' : kind === 'share' ? '[=share]' : `=${kind}`;
        return `  ${`${prefix}${name}${value}`.padEnd(30)} ${about}`;
      })
      .join('\n');
  return `Usage: npm run simulate -- [options]

A simulated exchange that speaks Polygon's WebSocket and REST protocol on loopback.

Options:
${list(OPTIONS, '--')}

Faults (--fault name=value at the start; while it runs: POST {"name","value"?,"times"?} to /_control/fault,
DELETE /_control/fault?name=... to end one, without name all):
${list(FAULTS, '')}
`;
}

/** @throws {UsageError} that lists everything that is wrong */
export function readArguments(args: readonly string[]): { help: boolean; options: SimulatorOptions } {
  const problems: string[] = [];
  const { tokens } = parseArgs({ args: [...args], options: OPTIONS, strict: false, tokens: true });
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') problems.push(`"${token.value}" is no option`);
    if (token.kind !== 'option') continue;
    const known = Object.hasOwn(OPTIONS, token.name) ? OPTIONS[token.name as keyof typeof OPTIONS] : null;
    if (known === null) problems.push(`${token.rawName} is no option`);
    else if (known.type === 'string' && !isValue(token)) {
      problems.push(`--${token.name} needs a value`);
    } else if (known.type === 'boolean' && token.value !== undefined) problems.push(`--${token.name} takes no value`);
    else values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? 'true']);
  }

  const readNumber = (name: keyof typeof OPTIONS): number | undefined => {
    const text = values.get(name)?.at(-1);
    if (text === undefined) return undefined;
    if (!/^\d+$/.test(text)) problems.push(`--${name} needs a whole number, not "${text}"`);
    return Number(text);
  };
  const faults: Partial<Record<FaultName, FaultValue>> = {};
  for (const text of values.get('fault') ?? []) {
    try {
      const { name, value } = parseFault(text);
      faults[name] = value;
    } catch (error) {
      problems.push(`--fault ${text}: ${(error as Error).message}`);
    }
  }
  const victim = values.get('quota-victim')?.at(-1);
  if (victim !== undefined && victim !== 'oldest' && victim !== 'newest') {
    problems.push('--quota-victim is oldest or newest');
  }
  const keys = values.get('key');
  const options: { -readonly [K in keyof SimulatorOptions]: SimulatorOptions[K] | undefined } = {
    port: readNumber('port') ?? 9_400,
    symbols: readNumber('symbols'),
    eventsPerSecond: readNumber('rate'),
    seed: readNumber('seed'),
    newYorkHours: values.has('new-york-hours'),
    tape: !values.has('no-tape'),
    keys: keys === undefined ? undefined : Object.fromEntries(keys.map((key): [string, KeyPlan] => [key, {}])),
    maxConnectionsPerKey: readNumber('connections-per-key'),
    quotaVictim: victim as SimulatorOptions['quotaVictim'],
    maxBufferedBytes: readNumber('max-buffered-bytes'),
    authTimeoutMs: readNumber('auth-timeout-ms'),
    frameSliceMs: readNumber('slice-ms'),
    faults,
  };
  if (problems.length > 0) throw new UsageError(problems);
  return { help: values.has('help'), options: options as SimulatorOptions };
}

/** `--seed --rate 5`: what looks like the next option is none for this one. */
function isValue(token: { readonly value: string | undefined; readonly inlineValue: boolean | undefined }): boolean {
  const { value = '', inlineValue } = token;
  return value !== '' && (inlineValue === true || !value.startsWith('--'));
}

/** Runs until a signal comes; returns the exit status. */
async function run(): Promise<number> {
  let simulator: Simulator;
  try {
    const { help, options } = readArguments(process.argv.slice(2));
    if (help) {
      process.stdout.write(describeUsage());
      return 0;
    }
    simulator = await startSimulator(options);
  } catch (error) {
    const problems = error instanceof UsageError ? error.problems : [(error as Error).message];
    process.stderr.write(`${problems.join('\n')}\nSee npm run simulate -- --help\n`);
    return 1;
  }
  process.stdout.write(`WebSocket ${simulator.wsUrl}\nREST      ${simulator.restUrl}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await simulator.close();
  return 0;
}

if (import.meta.main) process.exitCode = await run();
