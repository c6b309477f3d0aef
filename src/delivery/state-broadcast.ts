import { StateMailbox } from './mailbox.ts';
import { TimerWheel } from './timer-wheel.ts';

/** One value that changes now and then: each listener gets the current one first, then each change, newest wins. */
export class StateBroadcast<T> {
  readonly #fingerprint: (value: T) => string;
  readonly #listeners = new Set<StateMailbox<T>>();
  readonly #wheel = new TimerWheel();
  #current: { readonly value: T; readonly print: string } | null = null;

  /** `fingerprint` decides what counts as a change. */
  constructor(fingerprint: (value: T) => string) {
    this.#fingerprint = fingerprint;
  }

  get current(): T | null {
    return this.#current?.value ?? null;
  }

  set(value: T): void {
    const print = this.#fingerprint(value);
    if (print === this.#current?.print) return;
    this.#current = { value, print };
    for (const mailbox of this.#listeners) mailbox.put('', value);
  }

  open(): StateMailbox<T> {
    const mailbox: StateMailbox<T> = new StateMailbox({
      minIntervalMs: 0,
      wheel: this.#wheel,
      onEnd: () => this.#listeners.delete(mailbox),
    });
    this.#listeners.add(mailbox);
    if (this.#current !== null) mailbox.put('', this.#current.value);
    return mailbox;
  }

  async close(): Promise<void> {
    for (const mailbox of [...this.#listeners]) await mailbox.return();
  }
}
