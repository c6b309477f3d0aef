import { randomUUID } from 'node:crypto';
import { openDemoIdentity } from '../access/demo-identity.ts';
import { Identity } from '../access/identity.ts';
import { Revocations } from '../access/revocations.ts';
import { Tokens } from '../access/tokens.ts';
import { revocationsChannel } from '../bus/bus.ts';
import { TimerWheel } from '../delivery/timer-wheel.ts';
import { DEMO_USER } from '../ledger/demo.ts';
import type { LedgerDoor } from '../ledger/ledger-door.ts';
import { Sessions } from '../server/sessions.ts';
import type { ServerParts } from './server.ts';

/** Who may come in, by a token or a key. */
export async function openAccess(
  { config, tuning, bus, now, ...parts }: ServerParts,
  ledger: LedgerDoor,
  stack: AsyncDisposableStack,
): Promise<{ sessions: Sessions; demoToken: string | null }> {
  const logger = parts.logger.child({ part: 'access' });
  const { secret, jwksUrl, issuer, audience } = config.jwt;
  const demo =
    secret === null && jwksUrl === null && config.role !== 'ingest'
      ? await openDemoIdentity(config.dataDir, { id: DEMO_USER, name: 'Demo' })
      : null;
  const verifier = jwksUrl === null ? { secret: secret ?? demo?.secret ?? randomUUID() } : { jwksUrl };
  const revocations = new Revocations({
    store: {
      readRevoked: async (since) => (await ledger.openKeys()).readRevoked(since),
      noteRevoked: async (credential) => (await ledger.openKeys()).noteRevoked(credential),
    },
    onRevoked: (credential) => sessions.revoke(credential),
    ...(tuning.revocationGraceMs !== undefined && { graceMs: tuning.revocationGraceMs }),
    onFailure: (error) => logger.warn({ err: error }, 'what is revoked cannot be read or kept now'),
  });
  stack.defer(() => revocations.close());
  const identity = new Identity({
    tokens: new Tokens({
      ...{ verifier, issuer, audience, now },
      ...(tuning.jwksCooldownMs !== undefined && { jwksCooldownMs: tuning.jwksCooldownMs }),
    }),
    findKey: async (id) => {
      const key = await (await ledger.openKeys()).find(id);
      return key === null ? null : { ...key, isRevoked: key.revokedAt !== null };
    },
    ...{ revocations, now },
  });
  const sessions = new Sessions({
    identity,
    anonymousMarketData: config.anonymousMarketData,
    wheel: new TimerWheel(),
    now,
  });
  const stop = bus.subscribe(revocationsChannel, (revoked) =>
    revocations.hear('token' in revoked ? `token:${revoked.token}` : `key:${revoked.key}`),
  );
  stack.defer(async () => (await stop.catch(() => null))?.());
  await stop;
  return { sessions, demoToken: demo?.token ?? null };
}
