/** The patience of the feed. Every value has a default; tests shorten them. */
export type FeedLimits = {
  /** TCP, TLS and the upgrade together. */
  readonly handshakeTimeoutMs: number;
  /** From the upgrade to the status `connected`. */
  readonly greetingTimeoutMs: number;
  /** From sending the key to its acceptance. */
  readonly authTimeoutMs: number;
  readonly pingIntervalMs: number;
  /** Without any frame or pong for so long, the connection is dead. A quiet night has no events, but it has pongs. */
  readonly silenceTimeoutMs: number;
  /** For the closing handshake; then the socket is destroyed. */
  readonly closeTimeoutMs: number;
  /** A longer message of the upstream ends the connection; its real ones are below 1 MB. */
  readonly maxFrameBytes: number;

  /** A subscription that is not confirmed for so long is counted and logged; it is not an error. */
  readonly ackTimeoutMs: number;
  /** So long after the last subscription of a new connection was sent, it is called connected though acks are missing. */
  readonly settleTimeoutMs: number;
  /** Between two messages to the upstream. */
  readonly sendIntervalMs: number;
  /** Of one message to the upstream. */
  readonly maxPairsPerMessage: number;
  readonly maxMessageLength: number;

  /** Bound of the first wait before a reconnect; doubled with each further attempt. */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** The same where no key was accepted: nobody is there, or lets nobody in. */
  readonly maxClosedDelayMs: number;
  /** A connection that lived so long starts the doubling anew. */
  readonly stableAfterMs: number;
  /** The least wait after the upstream said that there are too many connections with the key. */
  readonly crowdedDelayMs: number;
};

export const FEED_LIMITS: FeedLimits = {
  handshakeTimeoutMs: 10_000,
  greetingTimeoutMs: 10_000,
  authTimeoutMs: 10_000,
  pingIntervalMs: 20_000,
  silenceTimeoutMs: 30_000,
  closeTimeoutMs: 1000,
  maxFrameBytes: 16 * 1024 * 1024,
  ackTimeoutMs: 10_000,
  settleTimeoutMs: 2000,
  sendIntervalMs: 50,
  maxPairsPerMessage: 200,
  maxMessageLength: 4096,
  initialDelayMs: 500,
  maxDelayMs: 30_000,
  maxClosedDelayMs: 5000,
  stableAfterMs: 10_000,
  crowdedDelayMs: 60_000,
};
