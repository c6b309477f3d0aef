import type { DocumentNode } from 'graphql';
import type { FormattedExecutionResult } from 'graphql-ws';
import type { ConnectionRefusedError } from './close-codes.ts';
import type { PolledOperation, PolledRound } from './polled-operation.ts';

export type GraphQLErrors = NonNullable<FormattedExecutionResult['errors']>;

/** What is sent to begin a subscription, or to go on with it. */
export type LiveRequest = {
  readonly document: DocumentNode;
  readonly variables: Record<string, unknown>;
  /** The cursor after which a log goes on; `null`: where its variables say, or live. */
  readonly resumeFrom: string | null;
};

/** A subscription that runs over all interruptions, whatever carries it. */
export type LiveOperation = {
  readonly name: string | undefined;
  /** Nothing of it may be skipped: it comes first where only some can be streamed. */
  readonly isLog: boolean;
  /** Read each time that the operation is about to be sent: once, and again after each interruption. */
  readonly readRequest: () => LiveRequest;
  /** How the same is had by queries; `null`: it cannot be. */
  readonly polled: PolledOperation | null;
};

export type LiveSink = {
  /** What was read of the operation last has been sent to a server that hears. */
  begin?(): void;
  /** Where a log stands at its begin, before its first result. */
  start?(cursor: string): void;
  next(result: FormattedExecutionResult): void;
  /** What queries brought in place of events. */
  poll?(round: PolledRound): void;
  /** The server refused the operation or ended it with errors: it is over. */
  fail(errors: GraphQLErrors): void;
  /** The server refused this client for good. The operation rests until the transport is told to try again. */
  refuse(error: ConnectionRefusedError): void;
  complete(): void;
};

export type LiveTransport = {
  /** Runs an operation over all interruptions until it ends; returns what ends it at once, without a further call. */
  readonly subscribe: (operation: LiveOperation, sink: LiveSink) => () => void;
};
