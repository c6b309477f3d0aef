import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type DocumentNode,
  type ExecutionArgs,
  getOperationAST,
  OperationTypeNode,
  type ParseOptions,
  type ValidationRule,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { assertAffordable, MAX_COST, measure } from '../access/cost.ts';
import type { RateKind, RateLimits } from '../access/limits.ts';
import type { Spender } from '../access/work-budget.ts';
import { shapeOf } from '../delivery/shape.ts';
import { ClientError } from '../errors.ts';
import { Documents } from './documents.ts';

export type AdmissionOptions = {
  readonly schema: ExecutionArgs['schema'];
  readonly rateLimits: Pick<RateLimits, 'consume' | 'refuseSpent'>;
  readonly readAddress: (request: IncomingMessage) => string;
  /** Event streams of one user at a time, to this process: each is a connection of its own, with one subscription. */
  readonly maxEventStreams: number;
  /** Who is charged for the work of a request; that of a WebSocket is in its context. Default: nobody. */
  readonly spenderOf?: (request: IncomingMessage) => Spender | null;
  readonly documents?: Documents;
};

/** What comes to nothing: the error is made, written and logged, though the document may be known. */
const REFUSED_MS = 0.2;
/** Fields of an answer that cost nothing: those of 100 bars with all that they have. */
const FREE_FIELDS = 1000;
/** For each field more, from the first resolver to the text of the answer. */
const FIELD_MS = 0.0005;

/** What an operation's context has of who asks, on each of the transports. */
type Asking = {
  readonly viewer?: { readonly id: string } | null;
  /** Of a WebSocket. */
  readonly address?: string;
  readonly spender?: Spender | null;
  /** Over HTTP; SSE is one of its ways to answer. */
  readonly req?: IncomingMessage;
  readonly res?: ServerResponse;
  readonly params?: { readonly operationName?: string | null; readonly variables?: Record<string, unknown> | null };
};

/**
 * Lets an operation in, whatever way it came: a document within its bounds, an operation that is not too dear, and a user who has
 * not had too many in this minute. Refused, it is not executed.
 */
export function useAdmission(options: AdmissionOptions): Plugin {
  const { schema, rateLimits, readAddress, maxEventStreams, documents = new Documents() } = options;
  const parsed = new WeakMap<object, DocumentNode>();
  /** What came of counting a request, which may be tried in two ways one after the other, and counts once. */
  const counted = new WeakMap<IncomingMessage, { refusal: Error | null }>();
  const eventStreams = new Map<string, number>();

  const addressOf = ({ address, req }: Asking): string =>
    `address ${address ?? (req === undefined ? 'unknown' : readAddress(req))}`;

  function charge({ spender, req }: Asking, ms: number): void {
    const charged = spender ?? (req === undefined ? null : options.spenderOf?.(req));
    charged?.charge(ms);
  }

  /** @throws {ClientError} RATE_LIMITED, at once or by the promise */
  function count(asking: Asking, kind: RateKind, user: string, operations = 1): void | Promise<void> {
    const { req } = asking;
    if (req === undefined) return rateLimits.consume(kind, user, operations);
    const known = counted.get(req);
    if (known !== undefined) {
      if (known.refusal !== null) throw known.refusal;
      return undefined;
    }
    const outcome: { refusal: Error | null } = { refusal: null };
    counted.set(req, outcome);
    const refuse = (refusal: Error): never => {
      outcome.refusal = refusal;
      charge(asking, REFUSED_MS);
      throw refusal;
    };
    try {
      return rateLimits.consume(kind, user, operations)?.catch(refuse);
    } catch (refusal) {
      return refuse(refusal as Error);
    }
  }

  /** What comes to nothing is work all the same. It is answered with what is wrong with it; the next one is refused. */
  function countInvalid(asking: Asking): void {
    charge(asking, REFUSED_MS);
    try {
      count(asking, 'http', addressOf(asking))?.catch(() => undefined);
    } catch {
      // As above.
    }
  }

  function holdEventStream({ res }: Asking, user: string): void {
    if (res === undefined) return;
    const streams = eventStreams.get(user) ?? 0;
    if (streams >= maxEventStreams) {
      throw new ClientError('TOO_MANY_SUBSCRIPTIONS', `A user may have ${maxEventStreams} event streams at a time.`, {
        limit: maxEventStreams,
      });
    }
    eventStreams.set(user, streams + 1);
    res.once('close', () => {
      const others = eventStreams.get(user)! - 1;
      if (others === 0) eventStreams.delete(user);
      else eventStreams.set(user, others);
    });
  }

  return {
    onParse({ context, setParseFn }) {
      const asking = context as Asking;
      setParseFn((source: string, parseOptions?: ParseOptions) =>
        documents.parse(source, parseOptions, (ms) => charge(asking, ms)),
      );
      if (asking.req !== undefined && !counted.has(asking.req)) {
        try {
          rateLimits.refuseSpent('http', addressOf(asking));
        } catch (refusal) {
          charge(asking, REFUSED_MS);
          throw refusal;
        }
      }
      return ({ result }) => {
        if (result instanceof Error || result === null) countInvalid(asking);
        else parsed.set(context, result as DocumentNode);
      };
    },
    onValidate({ context, setValidationFn }) {
      setValidationFn((ofSchema: typeof schema, document: DocumentNode, rules?: readonly ValidationRule[]) =>
        documents.validate(ofSchema, document, rules, (ms) => charge(context as Asking, ms)),
      );
      return ({ valid }) => {
        if (!valid) countInvalid(context as Asking);
      };
    },
    onContextBuilding({ context }) {
      const asking = context as Asking;
      const document = parsed.get(context);
      if (document === undefined) return undefined;
      const { operationName = null, variables } = asking.params ?? {};
      const operation = getOperationAST(document, operationName)?.operation;
      const user = asking.viewer == null ? addressOf(asking) : `user ${asking.viewer.id}`;
      if (operation === OperationTypeNode.SUBSCRIPTION) {
        const counting = count(asking, kindOf(shapeOf(schema, document, operationName).field), user);
        if (counting !== undefined) return counting.then(() => holdEventStream(asking, user));
        return holdEventStream(asking, user);
      }
      const { cost, roots } = measure(schema, document, operationName, variables);
      if (cost > FREE_FIELDS && cost <= MAX_COST) charge(asking, (cost - FREE_FIELDS) * FIELD_MS);
      // Each field of a mutation places an order or cancels one.
      const [kind, operations] =
        operation === OperationTypeNode.MUTATION ? (['orders', roots] as const) : ['http' as const, 1];
      const counting = count(asking, kind, user, operations);
      if (counting !== undefined) return counting.then(() => assertAffordable(cost));
      return assertAffordable(cost);
    },
  } as Plugin;
}

function kindOf(field: string | null): RateKind {
  return field === 'portfolio' || field === 'tradeNotifications' ? field : 'market';
}
