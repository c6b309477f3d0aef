import { type ExecutionArgs, type ExecutionResult, subscribe as subscribePlainly } from 'graphql';
import { serializeError, toGraphQLError } from '../src/delivery/format-error.ts';
import { Mailbox } from '../src/delivery/mailbox.ts';
import type { Payload } from '../src/delivery/payload.ts';
import type { Plans } from '../src/delivery/plan.ts';
import { createSubscribe, type RunningOperation } from '../src/delivery/subscribe.ts';
import { Turn } from '../src/delivery/turn.ts';
import { encodeCursor, type LogPosition } from '../src/market/log.ts';

/* Both ways to an answer: that of graphql-js alone, and that of the plans. */

/** Ends when its events are read. */
export class Events extends Mailbox<object> {
  readonly #events: object[];

  constructor(events: readonly object[]) {
    super(() => undefined);
    this.#events = [...events];
  }

  get depth(): number {
    return this.#events.length;
  }

  get bytes(): number {
    return 0;
  }

  protected take(): object | undefined {
    const event = this.#events.shift();
    if (event === undefined) void this.return();
    return event;
  }

  protected clear(): void {
    this.#events.length = 0;
  }
}

/** What graphql-js alone answers, with errors as clients are shown them, and the cursor of an entry of a log. */
export async function answerPlainly(args: ExecutionArgs, events: readonly object[]): Promise<string[]> {
  const results = await subscribePlainly(args);
  if (!(Symbol.asyncIterator in results)) return [JSON.stringify(show(results))];
  const answers: string[] = [];
  for await (const result of results) {
    const place = events[answers.length] as Partial<LogPosition>;
    const extensions = place.epoch === undefined ? {} : { extensions: { cursor: encodeCursor(place as LogPosition) } };
    answers.push(JSON.stringify({ ...show(result), ...extensions }));
  }
  return answers;
}

function show(result: ExecutionResult): object {
  const { errors, ...rest } = result;
  return errors === undefined
    ? rest
    : { errors: errors.map((error) => serializeError(toGraphQLError(error))), ...rest };
}

/** What a subscription delivers whose results are made by a plan of `plans`; each result is told to `onPayload` as well. */
export async function answerByPlan(
  args: ExecutionArgs,
  plans: Plans,
  onPayload: (payload: Payload) => void = () => undefined,
): Promise<string[]> {
  const subscribe = createSubscribe({ plans, turn: new Turn(() => undefined), observer: NO_FIGURES });
  const running: RunningOperation = { subscription: null };
  const result = await subscribe({ ...args, contextValue: { ...(args.contextValue as object), running } });
  if (!(Symbol.asyncIterator in result)) return [JSON.stringify(show(result))];
  const answers: string[] = [];
  running.subscription!.deliverTo({
    ready: true,
    attach: () => undefined,
    detach: () => undefined,
    write: (payload: Payload) => {
      answers.push(payload.json);
      onPayload(payload);
    },
  });
  await running.subscription!.next();
  return answers;
}

const NO_FIGURES = { onStart: () => undefined, onEnd: () => undefined, now: () => 0 };

export type Outcome = { readonly answers: string[] } | { readonly thrown: string };

export async function settle(answers: Promise<string[]>): Promise<Outcome> {
  return await answers.then(
    (all) => ({ answers: all }),
    (error: unknown) => ({ thrown: String(error) }),
  );
}
