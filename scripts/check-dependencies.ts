/**
 * `npm run check:dependencies`: every dependency is pinned by its hash, what the program runs with has a licence that permits it,
 * docs/licences.md lists them, and the registry knows of no advisory of high or critical severity. `--write` writes the list anew.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const PROJECT = path.join(import.meta.dirname, '..');
const LIST = path.join(PROJECT, 'docs/licences.md');
/** They ask for no more than that their text goes along, which it does in each package. */
const PERMITTED = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'PostgreSQL',
]);
const AUDIT_DEADLINE_MS = 60_000;

type LockedPackage = {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
};

type Audit = {
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>;
  readonly message?: string;
};

const lock = JSON.parse(readFileSync(path.join(PROJECT, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockedPackage>;
};
const packages = Object.entries(lock.packages)
  .filter(([place, { link }]) => place !== '' && link !== true)
  .map(([place, locked]) => ({ name: place.slice(place.lastIndexOf('node_modules/') + 13), ...locked }));
const bundled = listBundled();
/** What the program runs with, and what is built into its page. */
const production = packages.filter(({ name, dev, devOptional }) => {
  return bundled.has(name) || (dev !== true && devOptional !== true);
});

/** The packages that the page imports, and those that they need. */
function listBundled(): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (name: string): void => {
    if (names.has(name)) return;
    names.add(name);
    for (const found of packages.filter((each) => each.name === name))
      Object.keys(found.dependencies ?? {}).forEach(add);
  };
  for (const file of globSync('client/src/**/*.{ts,tsx}', { cwd: PROJECT })) {
    if (file.includes('.test.')) continue;
    const source = readFileSync(path.join(PROJECT, file), 'utf8');
    for (const [, name] of source.matchAll(/from '((?:@[\w-]+\/)?[\w-][\w.-]*)[^']*'/g)) add(name!);
  }
  return names;
}

function listUnpinned(): string[] {
  return packages
    .filter(({ integrity }) => integrity === undefined)
    .map(({ name, version }) => `${name} ${version} has no integrity hash in package-lock.json: run npm install again`);
}

function listForbidden(): string[] {
  return production
    .filter(({ license }) => license === undefined || !PERMITTED.has(license))
    .map(({ name, version, license }) => {
      return `${name} ${version} has the licence ${license ?? 'unknown'}: use another package, or permit it in scripts/check-dependencies.ts`;
    });
}

function writeList(): string {
  const rows = production
    .map(({ name, version, license }) => `| ${name} | ${version} | ${license ?? 'unknown'} |`)
    .toSorted((a, b) => (a < b ? -1 : 1));
  return [
    '# Licences',
    '',
    'The packages that the program runs with or that are built into its page, from `package-lock.json`. Written by `npm run codegen`.',
    '',
    '| package | version | licence |',
    '| --- | --- | --- |',
    ...new Set(rows),
    '',
  ].join('\n');
}

/** A registry need not offer advisories: that they were not checked is said, and is no failure. */
function listAdvisories(): string[] {
  const { stdout } = spawnSync('npm', ['audit', '--json'], {
    cwd: PROJECT,
    encoding: 'utf8',
    timeout: AUDIT_DEADLINE_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  let audit: Audit;
  try {
    audit = JSON.parse(stdout) as Audit;
  } catch {
    audit = {};
  }
  if (audit.vulnerabilities === undefined) {
    const reason = (audit.message ?? 'no answer').replace(/ - .*/, '');
    process.stdout.write(`Advisories were not checked, for the package registry offers none: ${reason}\n`);
    return [];
  }
  const found = Object.entries(audit.vulnerabilities);
  process.stdout.write(`The package registry has advisories for ${found.length} of ${packages.length} packages.\n`);
  return found
    .filter(([, { severity }]) => severity === 'high' || severity === 'critical')
    .map(([name, { severity, range }]) => `${name} ${range} has an advisory of ${severity} severity: see npm audit`);
}

if (process.argv.includes('--write')) {
  writeFileSync(LIST, writeList());
} else {
  const complaints = [...listUnpinned(), ...listForbidden(), ...listAdvisories()];
  if (complaints.length === 0) {
    process.stdout.write(
      `${packages.length} packages are pinned; the licences of ${production.length} are permitted.\n`,
    );
  } else {
    process.stderr.write(`${complaints.join('\n')}\n`);
    process.exitCode = 1;
  }
}
