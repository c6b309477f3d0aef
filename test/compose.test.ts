import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONFIG_VARIABLES, readConfig } from '../src/config.ts';

const text = readFileSync(path.resolve(import.meta.dirname, '..', 'compose.yaml'), 'utf8');

/** The `NAME: value` lines below a line that reads `header`, as far as they are indented more than it. */
function readBlock(header: RegExp): Record<string, string> {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => header.test(line));
  const indent = lines[start]!.search(/\S/);
  const block: Record<string, string> = {};
  for (const line of lines.slice(start + 1)) {
    if (line.trim() !== '' && line.search(/\S/) <= indent) break;
    const [, name, value] = /^ +([A-Z_]+): (.*)$/.exec(line) ?? [];
    if (name !== undefined) block[name] = value!.replace('*redis-url', 'redis://redis:6379');
  }
  return block;
}

/** Compose's own substitution: `${NAME:-default}` and `${NAME:?message}`. */
function substitute(value: string, env: Record<string, string>): string {
  return value.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_, name: string, operator: string, rest: string) => {
    const given = env[name] ?? '';
    if (given === '' && operator === '?') throw new Error(rest);
    return given === '' ? rest : given;
  });
}

/** What a service's process sees: the image's environment, the shared one and its own. */
function readEnvironment(service: string, env: Record<string, string>): Record<string, string> {
  const merged = {
    NODE_ENV: 'production',
    ADMIN_HOST: '0.0.0.0',
    ...readBlock(/^x-environment:/),
    ...readBlock(new RegExp(`^  ${service}:$`)),
  };
  return Object.fromEntries(Object.entries(merged).map(([name, value]) => [name, substitute(value, env)]));
}

const SECRETS = { JWT_SECRET: 'a secret of 32 characters or more', POSTGRES_PASSWORD: 'letters' };

describe('compose.yaml', () => {
  it.each(['api', 'ingest', 'tapeql'])('gives the service %s an environment that production accepts', (service) => {
    const environment = readEnvironment(service, SECRETS);
    const known: readonly string[] = CONFIG_VARIABLES;
    expect(Object.keys(environment).filter((name) => !known.includes(name))).toEqual([]);
    const config = readConfig(environment);
    expect(config).toMatchObject({
      production: true,
      host: '0.0.0.0',
      adminHost: '0.0.0.0',
      adminPort: 9464,
      role: service === 'tapeql' ? 'all' : service,
      feed: 'simulated',
      databaseUrl: 'postgres://tapeql:letters@postgres:5432/tapeql',
      redisUrls: service === 'tapeql' ? [] : ['redis://redis:6379'],
    });
  });

  it('publishes the port of the operators on the loopback of the host alone, and where the port of the clients is', () => {
    const published = [...text.matchAll(/^ +- '(.*):(\d+)'$/gm)].map(([, host, port]) => [host, port]);
    expect(published).toEqual(
      [0, 1].flatMap(() => [
        ['127.0.0.1:${PORT:-4000}', '4000'],
        ['127.0.0.1:${ADMIN_PORT:-9464}', '9464'],
      ]),
    );
  });

  it('passes the real feed on', () => {
    const environment = readEnvironment('ingest', { ...SECRETS, FEED: 'polygon', POLYGON_API_KEY: 'key' });
    expect(readConfig(environment)).toMatchObject({ feed: 'polygon', polygon: { apiKey: 'key' } });
  });

  it.each(['JWT_SECRET', 'POSTGRES_PASSWORD'])('does not start without %s', (secret) => {
    expect(() => readEnvironment('api', { ...SECRETS, [secret]: '' })).toThrow(`set ${secret}`);
  });
});
