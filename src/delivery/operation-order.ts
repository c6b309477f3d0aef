type Operation = {
  /** The client has ended it; it may still be on its way to its end. */
  isCompleted: boolean;
  /** The message of the next operation with this id, which waits for that end. */
  next: string | null;
};

/**
 * Hands the messages of one connection to the protocol such that an id is used again only once its last operation is
 * over. graphql-ws takes a `subscribe` as soon as a `complete` of the same id came, although the first one may still be
 * opening: it would then take the one for the other, and one of them would run for ever, also after the connection.
 */
export class OperationOrder {
  readonly #handle: (text: string) => Promise<void>;
  readonly #refuse: (id: string) => void;
  /** Bounded by whoever prepares an operation, by their sizes. */
  readonly #operations = new Map<string, Operation>();
  #closed = false;

  /**
   * `handle` resolves when the message is done with: that of a `subscribe` when the operation is over. `refuse` ends the
   * connection, for the id is already waited for by another `subscribe`.
   */
  constructor(handle: (text: string) => Promise<void>, refuse: (id: string) => void) {
    this.#handle = handle;
    this.#refuse = refuse;
  }

  /** Operations that run, and those that the client has ended but that are not over yet. */
  readSizes(): { running: number; ending: number } {
    let ending = 0;
    for (const { isCompleted } of this.#operations.values()) if (isCompleted) ending += 1;
    return { running: this.#operations.size - ending, ending };
  }

  async take(text: string): Promise<void> {
    const { type, id } = peek(text);
    const operation = this.#operations.get(id);
    if (type === 'subscribe') {
      if (operation === undefined) return this.#run(id, text);
      if (operation.isCompleted) {
        if (operation.next === null) operation.next = text;
        else this.#refuse(id);
        return;
      }
    } else if (type === 'complete' && operation !== undefined) {
      if (operation.isCompleted) {
        operation.next = null;
        return;
      }
      operation.isCompleted = true;
    }
    return this.#handle(text);
  }

  /** The connection is over: what waits is not begun. */
  close(): void {
    this.#closed = true;
  }

  async #run(id: string, first: string): Promise<void> {
    for (let text: string | null = first; text !== null && !this.#closed;) {
      const operation: Operation = { isCompleted: false, next: null };
      this.#operations.set(id, operation);
      try {
        await this.#handle(text);
      } finally {
        this.#operations.delete(id);
      }
      text = operation.next;
    }
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
