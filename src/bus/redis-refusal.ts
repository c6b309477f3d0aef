/** What a server that is there answers where it does not take what is sent: by the first word of its answer. */
const REFUSALS: Readonly<Record<string, string>> = {
  OOM: 'Redis is full: it has reached its maxmemory.',
  READONLY: 'Redis does not take writes: REDIS_URL leads to a replica.',
  MISCONF: 'Redis does not take writes: it cannot save its data to the disk.',
  NOREPLICAS: 'Redis does not take writes: it has too few replicas.',
  MASTERDOWN: 'Redis does not answer: it is a replica that has lost its master.',
  NOAUTH: 'Redis asks for a password, and REDIS_URL holds none.',
  WRONGPASS: 'Redis does not take the user or the password of REDIS_URL.',
  NOPERM: 'The user of REDIS_URL may not run a command, or use a key, that is needed.',
  LOADING: 'Redis is loading its data.',
  BUSY: 'Redis is busy with a script.',
  CLUSTERDOWN: 'The Redis Cluster is down.',
};

/** Redis 7 tells with these words, and not by its first one, that a script ran into the limits of its user. */
const NOT_PERMITTED_IN_SCRIPT = /executing the script can't|ACL failure in script/;

/**
 * Why a server did not take what was sent to it, in plain words, where that lies with the server; `null` where it lies with
 * what was sent, or with the connection.
 */
export function readRefusal(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if (NOT_PERMITTED_IN_SCRIPT.test(error.message)) return REFUSALS['NOPERM']!;
  const [word] = error.message.split(' ', 1);
  return REFUSALS[word!] ?? null;
}

/** Whether a server had no room for what was to be written. */
export function isFull(error: unknown): boolean {
  return readRefusal(error) === REFUSALS['OOM'];
}
