/** How many slots a Redis Cluster has. */
export const SLOTS = 16_384;

/** Who serves what in a Redis Cluster, as its nodes tell it. An address is `host:port`. */
export type ClusterMap = {
  /** The master of each slot; `null` where there is none. */
  readonly owners: readonly (string | null)[];
  /** The masters that have slots, each with the number of replicas that follow it. */
  readonly masters: ReadonlyMap<string, number>;
  /** All nodes, whatever they serve now; each with the id that it keeps for life. */
  readonly addresses: ReadonlyMap<string, string>;
};

/** What one node answered to CLUSTER NODES. */
export type ClusterView = { readonly text: string; readonly askedAt: string };

/**
 * One map of what several nodes say. Where they differ on a slot, the claim with the highest configuration epoch is the newest:
 * the rule by which the nodes themselves come to agree.
 */
export function readClusterMap(views: readonly ClusterView[], preferHostname: boolean): ClusterMap {
  const owners: (string | null)[] = Array.from({ length: SLOTS }, () => null);
  const epochs = new Float64Array(SLOTS).fill(-1);
  const addresses = new Map<string, string>();
  const replicas = new Map<string, Set<string>>();
  for (const view of views) {
    const addressOf = new Map<string, string>();
    const replicaOf = new Map<string, string>();
    for (const line of view.text.split('\n')) {
      const [id, endpoint, flagText, masterId, , , epochText, , ...ranges] = line.trim().split(' ');
      if (id === undefined || endpoint === undefined || epochText === undefined) continue;
      const flags = (flagText ?? '').split(',');
      const address = readAddress(endpoint, view.askedAt, preferHostname);
      if (address === null || flags.includes('noaddr') || flags.includes('handshake')) continue;
      addressOf.set(id, address);
      addresses.set(address, id);
      if (flags.includes('slave')) {
        if (!flags.includes('fail') && masterId !== undefined) replicaOf.set(address, masterId);
        continue;
      }
      for (const [first, last] of ranges.flatMap(readRange)) {
        for (let slot = first; slot <= last; slot++) {
          if (Number(epochText) <= epochs[slot]!) continue;
          epochs[slot] = Number(epochText);
          owners[slot] = address;
        }
      }
    }
    for (const [replica, masterId] of replicaOf) {
      const master = addressOf.get(masterId);
      if (master !== undefined) replicas.set(master, (replicas.get(master) ?? new Set()).add(replica));
    }
  }
  const masters = new Map<string, number>();
  for (const owner of new Set(owners)) if (owner !== null) masters.set(owner, replicas.get(owner)?.size ?? 0);
  return { owners, masters, addresses };
}

/** The host may be an IPv6 address: the port stands behind the last colon. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/** `ip:port@busPort,hostname`; a node may not know its own address, and has then the one under which it was asked. */
function readAddress(endpoint: string, askedAt: string, preferHostname: boolean): string | null {
  const match = /^(.*):(\d+)(?:@\d+)?(?:,([^,]*))?/.exec(endpoint);
  if (match === null) return null;
  const [, ip = '', port = '', hostname = ''] = match;
  if (port === '0') return null;
  const host = (preferHostname && hostname) || ip || splitAddress(askedAt).host;
  return `${host}:${port}`;
}

/** `5`, or `0-5460`. Slots under way stand in brackets: until they have arrived they count where they were. */
function readRange(text: string): [number, number][] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  return match === null ? [] : [[Number(match[1]), Number(match[2] ?? match[1])]];
}
