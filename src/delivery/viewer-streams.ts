import { ClientError } from '../errors.ts';
import { encodeCursor, type LogPosition } from '../market/log.ts';
import { type Mailbox, StateMailbox } from './mailbox.ts';
import { ReplayedLog } from './replayed-log.ts';
import { TimerWheel } from './timer-wheel.ts';

/** A log of one viewer, kept for good. Its offsets count from 1 without a hole. */
export type ViewerLog<T> = {
  /** Its name, and the offset of its newest entry. */
  readonly readEnd: () => Promise<LogPosition>;
  /** Oldest first. */
  readonly read: (after: number, limit: number) => Promise<readonly T[]>;
  /** Calls `listener` with the offset of what was added, `null` where some may have been missed. Resolves with its end. */
  readonly listen: (listener: (offset: number | null) => void) => Promise<() => void>;
};

/** The open subscriptions to what is one viewer's own. */
export class ViewerStreams {
  readonly #wheel = new TimerWheel();
  readonly #mailboxes = new Set<Mailbox<object>>();

  /** A state that `watch` tells: the current one first, then each change; newest wins where the reader is behind. */
  async openState<T extends object>(
    watch: (listener: (value: T) => void) => Promise<() => void>,
  ): Promise<StateMailbox<T>> {
    const stops: (() => void)[] = [];
    const mailbox: StateMailbox<T> = new StateMailbox({
      minIntervalMs: 0,
      wheel: this.#wheel,
      onEnd: () => {
        this.#mailboxes.delete(mailbox as Mailbox<object>);
        for (const stop of stops) stop();
      },
    });
    this.#mailboxes.add(mailbox as Mailbox<object>);
    try {
      const stop = await watch((value) => mailbox.put('', value));
      if (mailbox.ended) stop();
      else stops.push(stop);
    } catch (error) {
      await mailbox.return();
      throw error;
    }
    return mailbox;
  }

  /**
   * Every entry after `after`, in order, then each new one; without `after` the new ones alone.
   * @throws {ClientError} HISTORY_EXPIRED where `after` is no place in this log
   */
  async openLog<T extends LogPosition>(log: ViewerLog<T>, after: LogPosition | null): Promise<ReplayedLog<T>> {
    // Heard first, read second: what is added in between is read. Before that there is nothing to wake.
    let stream: ReplayedLog<T> | null = null;
    const stop = await log.listen((offset) => stream?.wake(offset));
    try {
      const end = await log.readEnd();
      if (after !== null && (after.epoch !== end.epoch || after.offset > end.offset)) {
        const oldestCursor = encodeCursor({ epoch: end.epoch, offset: 0 });
        throw new ClientError('HISTORY_EXPIRED', 'This cursor is no place in this log.', { oldestCursor });
      }
      const opened: ReplayedLog<T> = new ReplayedLog({
        start: after ?? end,
        read: log.read,
        onEnd: () => {
          this.#mailboxes.delete(opened as Mailbox<object>);
          stop();
        },
      });
      this.#mailboxes.add(opened as Mailbox<object>);
      stream = opened;
      return opened;
    } catch (error) {
      stop();
      throw error;
    }
  }

  readStats() {
    let messagesWaiting = 0;
    let bytesWaiting = 0;
    for (const mailbox of this.#mailboxes) {
      messagesWaiting += mailbox.depth;
      bytesWaiting += mailbox.bytes;
    }
    return { mailboxes: this.#mailboxes.size, messagesWaiting, bytesWaiting };
  }

  /** Ends all subscriptions in order. */
  async close(): Promise<void> {
    for (const mailbox of [...this.#mailboxes]) await mailbox.return();
  }
}
