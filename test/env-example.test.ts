import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONFIG_VARIABLES, readConfig } from '../src/config.ts';

const PROJECT = path.resolve(import.meta.dirname, '..');
const text = readFileSync(path.join(PROJECT, '.env.example'), 'utf8');
const entries = [...text.matchAll(/^# ([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!] as const);

describe('.env.example', () => {
  it('names every variable that the configuration reads, in its order, and no other', () => {
    expect(entries.map(([name]) => name)).toEqual([...CONFIG_VARIABLES]);
  });

  it('states the defaults: with all of them set, the configuration is that of an empty environment', () => {
    // With the simulated feed, the upstream's URLs would name an exchange that runs elsewhere.
    const { POLYGON_WS_URL, POLYGON_REST_URL, ...others } = Object.fromEntries(entries);
    const expected = readConfig({});
    expect(readConfig(others)).toEqual(expected);
    expect({ wsUrl: POLYGON_WS_URL, restUrl: POLYGON_REST_URL }).toEqual({
      wsUrl: expected.polygon.wsUrl,
      restUrl: expected.polygon.restUrl,
    });
  });

  it('sets nothing as it stands', () => {
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
  });
});

describe('the environment', () => {
  it('is read in one place, src/main.ts, under whatever spelling', () => {
    const readers = globSync('src/**/*.ts', { cwd: PROJECT })
      .filter((file) => !file.endsWith('.test.ts'))
      .flatMap((file) => {
        const code = readFileSync(path.join(PROJECT, file), 'utf8').replace(/^\s*(\*|\/\/|\/\*).*$/gm, '');
        const reads =
          code.match(/\bprocess\??\.env\b|\bprocess\??\.?\[|= process\b(?!\.)|['"](node:)?process['"]/g) ?? [];
        return reads.map(() => file);
      });
    expect(readers).toEqual(['src/main.ts']);
  });
});
