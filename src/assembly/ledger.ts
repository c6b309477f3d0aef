import { createFollowQuotes } from '../delivery/follow-quotes.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Reads } from '../delivery/reads.ts';
import { DEMO_POSITIONS, DEMO_USER } from '../ledger/demo.ts';
import { LedgerDoor } from '../ledger/ledger-door.ts';
import type { ServerParts } from './server.ts';

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
    ...(tuning.databasePatience !== undefined && { patience: tuning.databasePatience }),
  });
  stack.defer(() => ledger.close());
  if (config.databaseUrl === null ? parts.embedded?.isOpened : config.role !== 'ingest') ledger.start();
  return ledger;
}
