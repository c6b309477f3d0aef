/** What the value of a fault is. Durations are written as `250ms`, `30s`, `2m`; shares as numbers of 0 to 1. */
export type FaultKind = 'flag' | 'duration' | 'share' | 'number' | 'text';

/**
 * Every way in which the simulated exchange can misbehave. A share says of how many it holds; 1 where none is given.
 * The same names serve tests, the command line (`--fault name=value`) and the control route.
 */
export const FAULTS = {
  'drop-every': { kind: 'duration', about: 'cut each connection without a close frame when it is about this old' },
  'idle-drop': { kind: 'duration', about: 'cut a connection without a close frame after this long without data' },
  'refuse-connections': { kind: 'flag', about: 'reset every new TCP connection' },
  'upgrade-status': { kind: 'number', about: 'answer WebSocket upgrades with this HTTP status' },
  stall: { kind: 'flag', about: 'keep connections open but say nothing: no data, no answers, no pongs' },
  mute: { kind: 'flag', about: 'send no data, answer everything else' },
  'no-pong': { kind: 'flag', about: 'leave pings unanswered' },
  'max-connections': { kind: 'flag', about: 'answer a good key, then send max_connections and close with 1008' },
  'auth-failed': { kind: 'flag', about: 'refuse every key' },
  'auth-timeout': { kind: 'flag', about: 'send auth_timeout instead of reading the key, then close' },
  'no-auth-answer': { kind: 'flag', about: 'never answer the key' },
  'no-connected': { kind: 'flag', about: 'never greet' },
  'unknown-status': { kind: 'flag', about: 'send a status that no document knows, after the key and with each ack' },
  'no-acks': { kind: 'flag', about: 'subscribe without saying so' },
  'ack-per-frame': { kind: 'flag', about: 'send each ack in a frame of its own' },
  'malformed-element': { kind: 'share', about: 'put an element that is no event into this share of frames' },
  'bad-json': { kind: 'share', about: 'send a frame that is not JSON before this share of frames' },
  'binary-frame': { kind: 'share', about: 'send a binary frame before this share of frames' },
  duplicate: { kind: 'share', about: 'send this share of events twice' },
  'out-of-order': { kind: 'share', about: 'give this share of trades and quotes a time some seconds back' },
  'late-bar': { kind: 'share', about: 'send this share of bars some seconds late' },
  'unknown-ids': { kind: 'share', about: 'give this share of trades a condition and an exchange that no table knows' },
  'zero-quote': { kind: 'share', about: 'quote no bid (price 0, size 0) in this share of quotes' },
  'crossed-quote': { kind: 'share', about: 'put the bid above the ask in this share of quotes' },
  'fractional-bar-size': { kind: 'flag', about: 'write the average size of bars as 12.0' },
  'numeric-id': { kind: 'flag', about: 'write trade ids as numbers' },
  halt: {
    kind: 'text',
    about: 'halt these symbols, comma-separated (LULD 17, or quote condition 43); resume them when cleared (18, or 16)',
  },
  'rest-status': { kind: 'number', about: 'answer REST requests with this status: 401, 403, 404, 429, 500, ...' },
  'rest-retry-after': { kind: 'text', about: 'the Retry-After header that goes with rest-status' },
  'rest-empty-body': { kind: 'flag', about: 'leave the body of rest-status empty' },
  'rest-bad-json': { kind: 'flag', about: 'answer REST requests with half of the body' },
  'rest-hang': { kind: 'flag', about: 'never answer REST requests' },
  'rest-latency': { kind: 'duration', about: 'answer REST requests after this time' },
  'rest-path': { kind: 'text', about: 'limit the REST faults to paths that contain this text' },
} as const satisfies Record<string, { kind: FaultKind; about: string }>;

export type FaultName = keyof typeof FAULTS;

/** As parsed: durations in ms. */
export type FaultValue = true | number | string;

/** @throws {RangeError} that says what is allowed, where `text` is no fault */
export function parseFault(text: string): { name: FaultName; value: FaultValue } {
  const [unchecked, value] = splitOnce(text, '=');
  const name = checkName(unchecked);
  return { name, value: parseValue(name, value) };
}

function checkName(name: string): FaultName {
  if (Object.hasOwn(FAULTS, name)) return name as FaultName;
  throw new RangeError(`no fault is called "${name}"; there are ${Object.keys(FAULTS).join(', ')}`);
}

function parseValue(name: FaultName, text: string | undefined): FaultValue {
  const { kind } = FAULTS[name];
  const wrong = (wanted: string): RangeError => new RangeError(`fault "${name}" needs ${wanted}`);
  if (kind === 'flag') {
    if (text !== undefined && text !== 'true') throw wrong('no value');
    return true;
  }
  if (kind === 'share') {
    const share = text === undefined ? 1 : Number(text);
    if (!(share > 0 && share <= 1)) throw wrong('a share above 0 and at most 1');
    return share;
  }
  if (kind === 'duration') {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text ?? '');
    if (match === null) throw wrong('a duration such as 250ms, 30s or 2m');
    return Number(match[1]) * { ms: 1, s: 1_000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'];
  }
  if (kind === 'number') {
    if (!/^\d{3}$/.test(text ?? '')) throw wrong('a status of three digits');
    return Number(text);
  }
  if (text === undefined || text === '') throw wrong('a text');
  return text;
}

function splitOnce(text: string, separator: string): [string, string?] {
  const place = text.indexOf(separator);
  return place === -1 ? [text] : [text.slice(0, place), text.slice(place + 1)];
}

/** The faults that are on, each for ever or for a number of times. */
export class FaultSwitches {
  readonly #on = new Map<FaultName, { value: FaultValue; left: number }>();
  #onChange: (name: FaultName, value: FaultValue | null) => void = () => {};

  /** Called at every switch, `null` for off. */
  set onChange(listener: (name: FaultName, value: FaultValue | null) => void) {
    this.#onChange = listener;
  }

  /**
   * @param value as text (`30s`) or as a number (ms for durations); needed where the fault has one, but for shares (1)
   * @param times after how many uses it ends by itself; default: never
   * @throws {RangeError} where the name or the value is wrong
   */
  set(name: string, value?: FaultValue, times = Infinity): void {
    const known = checkName(name);
    const isNumber =
      typeof value === 'number' && (FAULTS[known].kind === 'duration' || FAULTS[known].kind === 'number');
    const parsed = isNumber ? value : parseValue(known, value === undefined ? undefined : String(value));
    if (!(times > 0)) throw new RangeError(`fault "${name}": times must be above 0`);
    this.#on.set(known, { value: parsed, left: times });
    this.#onChange(known, parsed);
  }

  /** Without a name: all. */
  clear(name?: string): void {
    for (const known of name === undefined ? [...this.#on.keys()] : [checkName(name)]) {
      if (this.#on.delete(known)) this.#onChange(known, null);
    }
  }

  get any(): boolean {
    return this.#on.size > 0;
  }

  list(): Readonly<Record<string, FaultValue>> {
    return Object.fromEntries([...this.#on].map(([name, { value }]) => [name, value]));
  }

  /** Its value without using it up; `null`: off. */
  peek(name: FaultName): FaultValue | null {
    return this.#on.get(name)?.value ?? null;
  }

  /** Its value, one use less; `null`: off. */
  use(name: FaultName): FaultValue | null {
    const fault = this.#on.get(name);
    if (fault === undefined) return null;
    fault.left -= 1;
    if (fault.left <= 0) this.clear(name);
    return fault.value;
  }

  /** Whether a fault with a share strikes this one; `chance` is uniform in [0, 1). */
  strikes(name: FaultName, chance: () => number): boolean {
    const fault = this.#on.get(name);
    if (fault === undefined || (typeof fault.value === 'number' && chance() >= fault.value)) return false;
    this.use(name);
    return true;
  }
}
