import { encodeCursor, type LogPosition } from '../market/log.ts';

export type PayloadFacts = {
  /** The root field, by which figures are kept. */
  readonly field: string;
  /** It may tell of places in the document of an operation. */
  readonly isOfDocument: boolean;
  /** When ingest read what it tells, in Unix ms; `null` where it tells nothing of the market. */
  readonly receivedAt: number | null;
  /** Its place in the log, where it is an entry of one. */
  readonly place: LogPosition | null;
};

/**
 * One result as it leaves, encoded once however many subscribers get it: the JSON of the GraphQL result, and from that, when
 * first asked for, the bytes of each transport.
 */
export class Payload {
  readonly field: string;
  readonly isOfDocument: boolean;
  readonly receivedAt: number | null;
  readonly place: LogPosition | null;
  /** How often it was handed to a transport in this turn, and how often live: not as a snapshot or a resumed entry. */
  deliveries = 0;
  liveDeliveries = 0;
  /** The result without `extensions`. */
  readonly #result: string;
  #tail: Uint8Array | null = null;
  #event: Uint8Array | null = null;

  constructor(result: string, about: PayloadFacts) {
    this.#result = result;
    this.isOfDocument = about.isOfDocument;
    this.field = about.field;
    this.receivedAt = about.receivedAt;
    this.place = about.place;
  }

  /** The JSON of the whole result. */
  get json(): string {
    if (this.place === null) return this.#result;
    return `${this.#result.slice(0, -1)},"extensions":{"cursor":"${encodeCursor(this.place)}"}}`;
  }

  /** What follows on `{"id":…,"type":"next","payload":` in a message of the WebSocket. */
  get tail(): Uint8Array {
    return (this.#tail ??= Buffer.from(`${this.json}}`));
  }

  /** The event of SSE. */
  get event(): Uint8Array {
    const id = this.place === null ? '' : `id: ${encodeCursor(this.place)}\n`;
    return (this.#event ??= Buffer.from(`event: next\n${id}data: ${this.json}\n\n`));
  }

  /** The same result for a reader that cannot resume from here, but from `place`. */
  at(place: LogPosition): Payload {
    return new Payload(this.#result, {
      field: this.field,
      isOfDocument: this.isOfDocument,
      receivedAt: this.receivedAt,
      place,
    });
  }
}
