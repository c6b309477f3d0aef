import type { BrokerParts } from './broker.ts';

/** Between two askings for the role. */
const ROLE_MS = 2_000;

/** Where open orders are worked. */
export interface Desk {
  /** Gives the role back, too. */
  close(): Promise<void>;
}

export type DeskRoleOptions = Pick<BrokerParts, 'takeRole' | 'timers' | 'logger'> & {
  /** Called with what gives the role back. */
  readonly open: (release: () => Promise<void>) => Desk;
};

/** The role of the one process that works open orders: asked for until it is had, and again when it is lost. */
export class DeskRole {
  readonly #options: DeskRoleOptions;
  #desk: Desk | null = null;
  #cancelAsking: (() => void) | null = null;
  #asking: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: DeskRoleOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#asking !== null || this.#cancelAsking !== null || this.#desk !== null) return;
    const askAndAgain = (): void => {
      this.#cancelAsking = null;
      this.#asking = this.#ask().finally(() => {
        this.#asking = null;
        if (this.#desk === null && !this.#isClosed) {
          this.#cancelAsking = this.#options.timers.after(ROLE_MS, askAndAgain);
        }
      });
    };
    askAndAgain();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelAsking?.();
    await this.#asking;
    const desk = this.#desk;
    this.#desk = null;
    await desk?.close();
  }

  async #ask(): Promise<void> {
    const { takeRole, open, logger } = this.#options;
    try {
      const release = await takeRole(() => this.#leave());
      if (release !== null && this.#isClosed) await release();
      else if (release !== null) {
        logger.info({}, 'This process works the open orders now.');
        this.#desk = open(release);
      }
    } catch (error) {
      logger.debug({ err: error }, 'the role of who works open orders could not be asked for');
    }
  }

  #leave(): void {
    const desk = this.#desk;
    this.#desk = null;
    desk?.close().catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'the work on open orders did not end in order');
    });
    if (!this.#isClosed) this.start();
  }
}
