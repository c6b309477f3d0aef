import type { Timers } from '../market/timers.ts';
import { backgroundTimers } from './background-timers.ts';

/** A wait is late by at most this part of itself. */
const COARSENESS = 64;

/**
 * One timer for any number of wake-ups: they are kept in slots of `resolutionMs`, and a single timeout runs to the
 * next slot that holds any. A wake-up comes at its time or up to one resolution later, never earlier. Long waits share
 * coarser slots, so that there are never more than a few thousand of them to look through, whatever the number of wake-ups.
 */
export class TimerWheel {
  readonly #resolutionMs: number;
  readonly #timers: Timers;
  readonly #slots = new Map<number, Set<() => void>>();
  #cancel: (() => void) | null = null;
  #nextSlot = Number.POSITIVE_INFINITY;

  constructor(options: { resolutionMs?: number; timers?: Timers } = {}) {
    this.#resolutionMs = options.resolutionMs ?? 5;
    this.#timers = options.timers ?? backgroundTimers;
  }

  /** The milliseconds by which it wakes; only differences mean something. */
  now(): number {
    return this.#timers.now();
  }

  /** How many slots hold a wake-up, or held one that was cancelled. */
  get slots(): number {
    return this.#slots.size;
  }

  /** Calls `wake` once after `delayMs`; the returned function prevents it. */
  schedule(delayMs: number, wake: () => void): () => void {
    const width = 2 ** Math.max(0, Math.floor(Math.log2(delayMs / this.#resolutionMs / COARSENESS)));
    const number = Math.ceil((this.now() + delayMs) / this.#resolutionMs / width) * width;
    let slot = this.#slots.get(number);
    if (slot === undefined) this.#slots.set(number, (slot = new Set()));
    slot.add(wake);
    if (number < this.#nextSlot) this.#runAt(number);
    return () => {
      // An emptied slot stays until its time: a cancelled wake-up costs no search.
      slot.delete(wake);
    };
  }

  #runAt(number: number): void {
    this.#cancel?.();
    this.#nextSlot = number;
    const delayMs = Math.max(0, number * this.#resolutionMs - this.now());
    this.#cancel = this.#timers.after(delayMs, () => this.#turn());
  }

  #turn(): void {
    this.#cancel = null;
    this.#nextSlot = Number.POSITIVE_INFINITY;
    const current = Math.floor(this.now() / this.#resolutionMs);
    let next = Number.POSITIVE_INFINITY;
    const due: { readonly number: number; readonly slot: Set<() => void> }[] = [];
    for (const [number, slot] of this.#slots) {
      if (number <= current) {
        due.push({ number, slot });
        this.#slots.delete(number);
      } else if (number < next) {
        next = number;
      }
    }
    if (next !== Number.POSITIVE_INFINITY) this.#runAt(next);
    // Where the process was busy several slots are due at once: they are woken in the order of their times.
    due.sort((a, b) => a.number - b.number);
    for (const { slot } of due) for (const wake of slot) wake();
  }
}
