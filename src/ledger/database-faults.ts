import { ClientError } from '../errors.ts';
import { EmbeddedPostgresError } from './embedded-postgres.ts';

/**
 * What an error of the database means for whoever asked:
 * - `unreachable`: there is no connection. Nobody can use it until there is one.
 * - `unusable`: it answers, and does not do its work: it is read-only, full, broken, or does not let us in. An operator has to act.
 * - `busy`: this operation was given up: it took too long, or waited for somebody else's lock. Others may succeed.
 * - `conflict`: the transaction was undone in favour of another one. The same transaction is expected to succeed at once.
 */
export type DatabaseFault = 'unreachable' | 'unusable' | 'busy' | 'conflict';

/** An operation was not done when its time was over. */
export class DatabaseDeadlineError extends Error {
  override readonly name = 'DatabaseDeadlineError';
}

/** It could not be connected to: whatever the driver says, nothing that we asked was wrong. */
export class DatabaseConnectError extends Error {
  override readonly name = 'DatabaseConnectError';
}

/** It answers, but takes no change. */
export class DatabaseReadOnlyError extends Error {
  override readonly name = 'DatabaseReadOnlyError';
}

/** By SQLSTATE. What is in neither table is our own mistake: a statement, a value or a transaction that is wrong. */
const BY_CODE: Readonly<Record<string, DatabaseFault>> = {
  // read_only_sql_transaction: a standby, or set by an operator or because the disk is full.
  '25006': 'unusable',
  // idle_in_transaction_session_timeout and transaction_timeout: this process, or the network, was too slow.
  '25P03': 'busy',
  '25P04': 'busy',
  // transaction_rollback, serialization_failure, deadlock_detected: nothing of the transaction was done.
  '40000': 'conflict',
  '40001': 'conflict',
  '40P01': 'conflict',
  // statement_completion_unknown: to be asked for again, and not repeated blindly.
  '40003': 'busy',
  // insufficient_privilege, invalid_catalog_name: the role or the database of DATABASE_URL is not what it has to be.
  '42501': 'unusable',
  '3D000': 'unusable',
  // object_not_in_prerequisite_state: the database takes no connections. object_in_use, lock_not_available.
  '55000': 'unusable',
  '55006': 'busy',
  '55P03': 'busy',
  // query_canceled: by statement_timeout or by an operator. idle_session_timeout: only this connection.
  '57014': 'busy',
  '57P05': 'busy',
};

const BY_CLASS: Readonly<Record<string, DatabaseFault>> = {
  // connection_exception
  '08': 'unreachable',
  // invalid_authorization_specification: the password, or pg_hba.conf.
  '28': 'unusable',
  // insufficient_resources: the disk, the memory, the connections.
  '53': 'unusable',
  // operator_intervention: shut down, crashed, starting up, dropped.
  '57': 'unreachable',
  // system_error: what the disk says.
  '58': 'unusable',
  // config_file_error
  F0: 'unusable',
  // internal_error, data_corrupted, index_corrupted
  XX: 'unusable',
};

const SYSTEM_ERRORS = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'ETIMEDOUT', 'EAGAIN'],
  ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE'],
]);

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** What the driver says in words alone. */
const LOST_CONNECTION =
  /^(Connection terminated|timeout expired|Client was closed|Client has encountered a connection error|Cannot use a pool after calling end)/;
const NO_FREE_CONNECTION = /^timeout exceeded when trying to connect/;

/** `null`: the error is none of the database's. */
export function readDatabaseFault(error: unknown): DatabaseFault | null {
  // What Drizzle throws has what the driver threw as its cause.
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ClientError) return null;
    if (cause instanceof DatabaseDeadlineError) return 'busy';
    if (cause instanceof DatabaseReadOnlyError) return 'unusable';
    if (cause instanceof EmbeddedPostgresError) return 'unreachable';
    if (NO_FREE_CONNECTION.test(cause.message)) return 'busy';
    if (LOST_CONNECTION.test(cause.message)) return 'unreachable';
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (SYSTEM_ERRORS.has(code)) return 'unreachable';
    if (SQLSTATE.test(code)) return BY_CODE[code] ?? BY_CLASS[code.slice(0, 2)] ?? null;
    if (cause instanceof DatabaseConnectError) return readDatabaseFault(cause.cause) ?? 'unreachable';
    const ofParts = cause instanceof AggregateError ? cause.errors.map(readDatabaseFault) : [];
    const ofPart = ofParts.find((fault) => fault !== null);
    if (ofPart !== undefined) return ofPart;
  }
  return null;
}
