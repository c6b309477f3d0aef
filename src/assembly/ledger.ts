import { createFollowQuotes } from '../delivery/follow-quotes.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Reads } from '../delivery/reads.ts';
import type { Config } from '../config.ts';
import { DEMO_POSITIONS, DEMO_USER } from '../ledger/demo.ts';
import { EmbeddedPostgres } from '../ledger/embedded-postgres.ts';
import { LedgerDoor } from '../ledger/ledger-door.ts';
import type { Logger } from '../market/logger.ts';
import type { ServerParts } from './server.ts';
import type { Tuning } from './tuning.ts';

/**
 * The embedded database, for a process that needs one. It is opened at once where accounts are kept from before, for orders may be
 * open, and where one process is the whole system, for its first viewer should not wait; this is called first, so that it is opened
 * while the other parts start. Elsewhere its memory is saved until a viewer comes.
 */
export function openEmbeddedDatabase(
  { config, tuning, logger }: { readonly config: Config; readonly tuning: Tuning; readonly logger: Logger },
  stack: AsyncDisposableStack,
): EmbeddedPostgres | null {
  if (config.databaseUrl !== null || config.role === 'ingest') return null;
  const embedded = new EmbeddedPostgres({ dataDir: config.dataDir, logger: logger.child({ part: 'ledger' }) });
  stack.defer(() => embedded.close());
  const isWantedSoon = tuning.opensDatabaseAtStart ?? config.role === 'all';
  if (embedded.exists || isWantedSoon) embedded.open();
  return embedded;
}

/** What viewers own. */
export function openLedger(
  parts: ServerParts & { readonly hub: Hub; readonly reads: Reads },
  stack: AsyncDisposableStack,
): LedgerDoor {
  const { config, tuning, bus, hub, reads, status, pause, now } = parts;
  const logger = parts.logger.child({ part: 'ledger' });
  const hasUsers = config.jwt.secret !== null || config.jwt.jwksUrl !== null;
  const { url, keyId, secretKey } = config.alpaca;
  const ledger = new LedgerDoor({
    url: config.databaseUrl,
    dataDir: config.dataDir,
    ...(parts.embedded !== null && { embedded: parts.embedded }),
    openingCash: config.openingCash,
    // Shares that are not at the broker cannot be sold there.
    openingPositionsOf: (userId) =>
      !hasUsers && userId === DEMO_USER && config.broker === 'paper' ? DEMO_POSITIONS : [],
    alpaca: config.broker === 'alpaca' ? { url, keyId: keyId!, secretKey: secretKey!, fetch } : null,
    bus,
    readQuotes: (symbols) => reads.readQuotes(symbols),
    follow: createFollowQuotes(hub, logger),
    isMarketOpen: () => status.readMarketStatus().isOpen && !pause.state.paused,
    now,
    logger,
    ...(tuning.databaseOpeningWaitMs !== undefined && { openingWaitMs: tuning.databaseOpeningWaitMs }),
  });
  stack.defer(() => ledger.close());
  if (config.databaseUrl === null ? parts.embedded?.isOpened : config.role !== 'ingest') ledger.start();
  return ledger;
}
