import { parseArgs } from 'node:util';
import { accountOfKey, isIdentifier, MAX_IDENTIFIER_LENGTH } from './account-name.ts';
import { createApiKey } from './api-key.ts';
import { SCOPES, type Scope } from './viewer.ts';

/** Where keys are kept. */
export type KeyRegister = {
  create(key: {
    readonly id: string;
    readonly name: string;
    readonly hash: string;
    readonly scopes: readonly Scope[];
    readonly userId: string | null;
  }): Promise<void>;
  list(): Promise<
    readonly {
      readonly id: string;
      readonly name: string;
      readonly scopes: readonly string[];
      readonly userId: string | null;
      readonly createdAt: Date;
      readonly revokedAt: Date | null;
    }[]
  >;
  /** Whether there is such a key. */
  revoke(id: string): Promise<boolean>;
  revokeToken(id: string): Promise<void>;
};

const USAGE = `API keys for third parties; each is sent as the header x-api-key.

  npm run keys -- create --name NAME [--scopes ${SCOPES.join(',')}] [--user ID]
  npm run keys -- list
  npm run keys -- revoke ID
  npm run keys -- revoke-token JTI

create      prints the key, which is kept as a hash and cannot be shown again
  --scopes  what it allows, separated by commas; market:read without it
  --user    whose account it reads and trades on: the "sub" of a user's tokens, or key:ID for the account of another key;
            an account of its own without it
revoke      ends its streams within a second
revoke-token  does the same to a token, named by its claim "jti"`;

/** What is to be printed; `isWrong`: it says what is wrong with the command. */
export type KeysOutcome = { readonly text: string; readonly isWrong: boolean };

/** Runs one command of `npm run keys`. */
export async function manageKeys(args: string[], keys: KeyRegister): Promise<KeysOutcome> {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { name: { type: 'string' }, scopes: { type: 'string' }, user: { type: 'string' } },
    });
  } catch (error) {
    return wrong((error as Error).message);
  }
  const [command, id, ...more] = parsed.positionals;
  if (more.length > 0) return wrong(`There is no use for "${more[0]}".`);
  if (command === 'create' && id === undefined) return create(keys, parsed.values);
  if (command === 'list' && id === undefined) return list(keys);
  if (command === 'revoke' && id !== undefined) {
    if (!(await keys.revoke(id))) return { text: `There is no key ${id}.`, isWrong: true };
    return done(`${id} is revoked.`);
  }
  if (command === 'revoke-token' && id !== undefined) {
    // No token with another "jti" is let in, and no index of the database takes a text of any length.
    if (!isIdentifier(id)) {
      return wrong(`A "jti" has up to ${MAX_IDENTIFIER_LENGTH} characters, without control characters.`);
    }
    await keys.revokeToken(id);
    return done(`The token ${id} is revoked.`);
  }
  return wrong(command === undefined ? 'What is to be done?' : `"${args.join(' ')}" is no command.`);
}

async function create(
  keys: KeyRegister,
  { name, scopes = 'market:read', user }: { name?: string; scopes?: string; user?: string },
): Promise<KeysOutcome> {
  if (name === undefined || name.trim() === '' || name.length > 100)
    return wrong('--name is needed, of up to 100 characters.');
  if (user !== undefined && !isIdentifier(user)) {
    return wrong(`--user is a user of up to ${MAX_IDENTIFIER_LENGTH} characters, without control characters.`);
  }
  const named = scopes.split(',').map((scope) => scope.trim());
  const unknown = named.find((scope) => !SCOPES.includes(scope as Scope));
  if (unknown !== undefined) return wrong(`There is no scope "${unknown}": there are ${SCOPES.join(', ')}.`);
  const { id, text, hash } = createApiKey();
  await keys.create({
    id,
    hash,
    name: name.trim(),
    scopes: SCOPES.filter((scope) => named.includes(scope)),
    userId: user ?? null,
  });
  return done(text);
}

async function list(keys: KeyRegister): Promise<KeysOutcome> {
  const lines = (await keys.list()).map(({ id, name, scopes, userId, createdAt, revokedAt }) =>
    [
      id,
      createdAt.toISOString(),
      revokedAt === null ? 'valid' : `revoked ${revokedAt.toISOString()}`,
      scopes.join(','),
      userId ?? accountOfKey(id),
      name,
    ].join('  '),
  );
  return done(lines.length === 0 ? 'There are no keys.' : lines.join('\n'));
}

function done(text: string): KeysOutcome {
  return { text, isWrong: false };
}

function wrong(problem: string): KeysOutcome {
  return { text: `${problem}\n\n${USAGE}`, isWrong: true };
}
