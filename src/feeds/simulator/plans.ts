/** What a key may do. */
export type KeyPlan = {
  /** Topics of WebSocket; default: all but FMV and LV, which the vendor sells to businesses alone. */
  readonly topics?: readonly string[];
  /** Clusters of WebSocket; default: all. Others answer as a plan without WebSocket does. */
  readonly clusters?: readonly string[];
  /** Connections at a time per cluster; default: the simulator's `maxConnectionsPerKey`. */
  readonly maxConnections?: number;
  /** Whether REST answers (403 otherwise); default true. */
  readonly rest?: boolean;
  /** REST requests a minute, 429 beyond; default: no limit. */
  readonly requestsPerMinute?: number;
};

/** The topics that each cluster knows. Pairs of others are ignored without an answer. */
export const CLUSTERS: Readonly<Record<string, readonly string[]>> = {
  stocks: ['T', 'Q', 'A', 'AM', 'LULD', 'NOI', 'FMV', 'LV'],
  options: ['T', 'Q', 'A', 'AM', 'FMV', 'LV'],
  indices: ['V', 'A', 'AM', 'LV'],
  forex: ['C', 'CA', 'CAS', 'FMV', 'LV'],
  crypto: ['XT', 'XQ', 'XL2', 'XA', 'XAS', 'FMV', 'LV'],
  futures: ['T', 'Q', 'A', 'AM'],
  'futures/cme': ['T', 'Q', 'A', 'AM'],
  'futures/cbot': ['T', 'Q', 'A', 'AM'],
  'futures/nymex': ['T', 'Q', 'A', 'AM'],
  'futures/comex': ['T', 'Q', 'A', 'AM'],
};

const BUSINESS_TOPICS: readonly string[] = ['FMV', 'LV'];

export class Plans {
  readonly #keys: ReadonlyMap<string, KeyPlan> | null;

  /** @param keys the keys that are accepted; `undefined`: any that is not empty, with the default plan */
  constructor(keys: Readonly<Record<string, KeyPlan>> | undefined) {
    this.#keys = keys === undefined ? null : new Map(Object.entries(keys));
  }

  /** `null`: the key is not accepted. */
  find(key: string): KeyPlan | null {
    if (key === '') return null;
    return this.#keys === null ? {} : (this.#keys.get(key) ?? null);
  }
}

export function allowsTopic(plan: KeyPlan, topic: string): boolean {
  return plan.topics?.includes(topic) ?? !BUSINESS_TOPICS.includes(topic);
}

export function allowsCluster(plan: KeyPlan, cluster: string): boolean {
  return plan.clusters?.includes(cluster) ?? true;
}
