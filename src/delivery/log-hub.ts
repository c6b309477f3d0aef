import type { Bus, Interruption, LogEntry, LogKey } from '../bus/bus.ts';
import type { LogPosition } from '../market/log.ts';
import type { Logger } from '../market/logger.ts';
import { HistoryReader } from './history-reader.ts';
import { type LogBounds, LogStream } from './log-stream.ts';
import { LogTopic } from './log-topic.ts';
import type { TimerWheel } from './timer-wheel.ts';

export type LogHubOptions = {
  readonly bus: Bus;
  /** How far back a log can be resumed. */
  readonly historyMs: number;
  readonly bounds: LogBounds;
  readonly wheel: TimerWheel;
  readonly now: () => number;
  readonly logger: Logger;
};

/**
 * The logs that this process follows, one topic each, and the streams over them. It knows when the bus was lost: every
 * stream then reads what it missed, as soon as the bus is back.
 */
export class LogHub {
  readonly #options: LogHubOptions;
  readonly #topics = new Map<string, LogTopic<LogEntry>>();
  readonly #streams = new Set<LogStream<LogEntry>>();
  readonly #history: HistoryReader;
  readonly #stopWatching: readonly (() => void)[];
  #isConnected: boolean;
  #isHeld = false;
  #slowConsumers = 0;

  constructor(options: LogHubOptions) {
    this.#options = options;
    this.#history = new HistoryReader(options.bus);
    this.#isConnected = options.bus.readState().connected;
    this.#stopWatching = [
      options.bus.onState(({ connected }) => this.#setConnected(connected)),
      options.bus.onInterruption((channels) => this.#interrupt(channels)),
    ];
  }

  /**
   * Every entry of the logs, in order; those after `after` first, where it is given. `onEnd` is called once, also where it
   * rejects. While the bus is away it waits for it.
   * @throws {ClientError} HISTORY_EXPIRED
   */
  async open<T extends LogEntry>(
    keys: readonly LogKey[],
    after: LogPosition | null,
    onEnd: () => void,
  ): Promise<LogStream<T>> {
    const { historyMs, bounds, wheel, now } = this.#options;
    const topics = keys.map((key) => this.#join(key) as LogTopic<LogEntry> as LogTopic<T>);
    const stream: LogStream<T> = new LogStream<T>(
      {
        topics,
        history: this.#history,
        historyMs,
        bounds,
        wheel,
        canRead: () => this.#isConnected,
        onSlow: () => this.#slowConsumers++,
        onEnd: () => {
          this.#streams.delete(stream as unknown as LogStream<LogEntry>);
          for (const topic of topics) this.#leave(topic, stream);
          onEnd();
        },
        now,
      },
      after,
    );
    this.#streams.add(stream as unknown as LogStream<LogEntry>);
    for (const topic of topics) topic.streams.add(stream);
    if (this.#isHeld) stream.hold();
    try {
      await Promise.all(topics.map(({ ready }) => ready));
      await stream.begin();
    } catch (error) {
      await stream.return();
      throw error;
    }
    return stream;
  }

  /** Nothing is handed over until {@link release}, and nothing is kept meanwhile: it is read from history then. */
  hold(): void {
    this.#isHeld = true;
    for (const stream of this.#streams) {
      stream.hold();
      stream.interrupt();
    }
  }

  release(): void {
    this.#isHeld = false;
    for (const stream of this.#streams) stream.release();
  }

  readStats() {
    let messagesWaiting = 0;
    let bytesWaiting = 0;
    for (const { depth, bytes } of this.#streams) {
      messagesWaiting += depth;
      bytesWaiting += bytes;
    }
    return {
      channels: this.#topics.size,
      mailboxes: this.#streams.size,
      messagesWaiting,
      bytesWaiting,
      slowConsumers: this.#slowConsumers,
      historyReads: this.#history.reads,
    };
  }

  async close(): Promise<void> {
    for (const stop of this.#stopWatching) stop();
    for (const stream of [...this.#streams]) await stream.return();
  }

  #setConnected(connected: boolean): void {
    if (connected === this.#isConnected) return;
    this.#isConnected = connected;
    if (!connected) this.#interrupt('all');
    // Not at once: which channels were interrupted is told next, and ends what was begun before.
    else queueMicrotask(() => this.#resume());
  }

  #resume(): void {
    for (const stream of this.#streams) stream.resume();
  }

  #interrupt(channels: Interruption): void {
    const names = channels === 'all' ? null : new Set(channels);
    this.#history.forget();
    for (const topic of this.#topics.values()) {
      if (names === null || names.has(topic.channel.name)) topic.interrupt();
    }
  }

  #join(key: LogKey): LogTopic<LogEntry> {
    const id = idOf(key);
    let topic = this.#topics.get(id);
    if (topic === undefined) this.#topics.set(id, (topic = new LogTopic(this.#options.bus, key)));
    return topic;
  }

  #leave<T extends LogEntry>(topic: LogTopic<T>, stream: LogStream<T>): void {
    if (!topic.streams.delete(stream) || topic.streams.size > 0) return;
    this.#topics.delete(idOf(topic.key));
    topic.close().catch((error: unknown) => {
      this.#options.logger.warn({ err: error, log: topic.key }, 'could not unsubscribe');
    });
  }
}

function idOf(key: LogKey): string {
  return key.kind === 'trade' ? `trade ${key.symbol}` : `bar ${key.interval} ${key.symbol}`;
}
