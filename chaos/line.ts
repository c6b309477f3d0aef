/** An error as a client gets it. */
export type Failure = {
  readonly message: string;
  readonly extensions: { readonly code: string; readonly cursor?: string | null; readonly oldestCursor?: string };
};

/** What a client asks for: an operation of GraphQL, and where it goes on. */
export type Asking = {
  readonly query: string;
  readonly variables: object;
  readonly extensions?: { readonly resumeFrom: string };
  /** Of server-sent events only, as an EventSource sends it. */
  readonly lastEventId?: string;
};

/** A result as a client gets it. */
export type Result = {
  readonly errors?: readonly Failure[];
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly extensions?: { readonly cursor?: string };
};

/** Who is at the client's end of a line. */
export type Caller = {
  /** Called when the line stands, and again when {@link takeFailure} has answered so. */
  ask(): Asking;
  /** `id`: that of the event, where the transport has one. */
  takeResult(result: Result, id: string | null): void;
  /** A place in the log without a result. */
  takePlace(cursor: string): void;
  /** The subscription has ended so. Returns whether to subscribe again over this line; else it is cut. */
  takeFailure(failure: Failure): boolean;
  /** What the protocol does not allow. */
  objectTo(detail: string): void;
};

/** One connection to an api process, with one subscription at a time. */
export type Line = {
  /** Resolves at its end, with the cause. */
  readonly ended: Promise<string>;
  /** As a phone in a tunnel: without a word. */
  cut(): void;
  /** Reads nothing until {@link goOn}; the connection stays. */
  stall(): void;
  goOn(): void;
};

/** `url`: of the api process, `http://…`. */
export type OpenLine = (url: string, caller: Caller) => Line;
