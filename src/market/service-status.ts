/** Where ticks come from. */
export type FeedName = 'LIVE' | 'DELAYED' | 'SIMULATED' | 'REPLAY';

export type ServiceState = 'OPERATIONAL' | 'DEGRADED' | 'PAUSED' | 'SHUTTING_DOWN';

export type ServiceStatus = {
  readonly state: ServiceState;
  /** In plain words, where the state is not OPERATIONAL. */
  readonly reason: string | null;
  readonly feed: FeedName;
  readonly feedConnected: boolean;
  /** `null`: no Redis is configured. */
  readonly redisConnected: boolean | null;
  readonly timestamp: number;
};

/** What the feed is doing now. */
export type FeedStatus = {
  readonly feed: FeedName;
  readonly connected: boolean;
  /** Why it is not connected, in plain words and without secrets. */
  readonly reason: string | null;
};
