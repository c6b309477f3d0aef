type Operation = {
  readonly id: string;
  /** The client has ended it; it may still be on its way to its end. */
  isCompleted: boolean;
  /** The message of the next operation with this id, which waits for that end. */
  next: string | null;
};

export type OperationOrderOptions = {
  /** Resolves when the message is done with: that of a `subscribe` when the operation is over. */
  handle(text: string): Promise<void>;
  /** Ends the connection: the id is already waited for by another `subscribe`. */
  refuse(id: string): void;
  /** A message could not be handled. */
  fail(error: unknown): void;
};

const NONE: Operation[] = [];

/**
 * Hands the messages of one connection to the protocol such that an id is used again only once its last operation is
 * over. graphql-ws takes a `subscribe` as soon as a `complete` of the same id came, although the first one may still be
 * opening: it would then take the one for the other, and one of them would run for ever, also after the connection.
 */
export class OperationOrder {
  readonly #options: OperationOrderOptions;
  /** Bounded by whoever prepares an operation, by their sizes. */
  #operations = NONE;
  #closed = false;

  constructor(options: OperationOrderOptions) {
    this.#options = options;
  }

  /** Operations that run, and those that the client has ended but that are not over yet. */
  readSizes(): { running: number; ending: number } {
    let ending = 0;
    for (const { isCompleted } of this.#operations) if (isCompleted) ending += 1;
    return { running: this.#operations.length - ending, ending };
  }

  take(text: string): void {
    const { type, id } = peek(text);
    const operation = this.#operations.find((one) => one.id === id);
    if (type === 'subscribe') {
      if (operation === undefined) {
        this.#run(id, text);
        return;
      }
      if (operation.isCompleted) {
        if (operation.next === null) operation.next = text;
        else this.#options.refuse(id);
        return;
      }
    } else if (type === 'complete' && operation !== undefined) {
      if (operation.isCompleted) {
        operation.next = null;
        return;
      }
      operation.isCompleted = true;
    }
    this.#options.handle(text).catch((error: unknown) => this.#options.fail(error));
  }

  /** The connection is over: what waits is not begun. */
  close(): void {
    this.#closed = true;
  }

  #run(id: string, text: string): void {
    const operation: Operation = { id, isCompleted: false, next: null };
    // A new list: nearly always it holds one, and one that grows in place would keep room for many.
    this.#operations = [...this.#operations, operation];
    this.#options.handle(text).then(
      () => this.#end(operation),
      (error: unknown) => {
        this.#options.fail(error);
        this.#end(operation);
      },
    );
  }

  #end(operation: Operation): void {
    this.#operations = this.#operations.filter((one) => one !== operation);
    if (operation.next !== null && !this.#closed) this.#run(operation.id, operation.next);
  }
}

/** What is no message is for the protocol to object to. */
function peek(text: string): { readonly type: unknown; readonly id: string } {
  try {
    const message = JSON.parse(text) as { type?: unknown; id?: unknown } | null;
    return { type: message?.type, id: typeof message?.id === 'string' ? message.id : '' };
  } catch {
    return { type: null, id: '' };
  }
}
