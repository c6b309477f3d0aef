/** Who wants to be told of one thing. */
export class Listeners<T> {
  readonly #listeners = new Set<{ readonly listener: (told: T) => void }>();
  readonly #onFailure: ((error: unknown) => void) | null;

  /** With `onFailure` a listener that throws disturbs neither the others nor who tells. */
  constructor(onFailure: ((error: unknown) => void) | null = null) {
    this.#onFailure = onFailure;
  }

  /** Returns the function that removes the listener, which may be called again in vain. */
  add(listener: (told: T) => void): () => void {
    const registration = { listener };
    this.#listeners.add(registration);
    return () => void this.#listeners.delete(registration);
  }

  tell(told: T): void {
    for (const { listener } of this.#listeners) {
      try {
        listener(told);
      } catch (error) {
        if (this.#onFailure === null) throw error;
        this.#onFailure(error);
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
