import { lexicographicSortSchema, printSchema } from 'graphql';
import { builder } from './builder.ts';
// One file per kind; importing it adds its types and fields.
import './quote.ts';
import './instrument.ts';
import './trade.ts';
import './bar.ts';
import './market-status.ts';
import './service-status.ts';
import './viewer.ts';
import './portfolio.ts';
import './order.ts';
import './trade-notification.ts';

export const schema = builder.toSchema();

/** The SDL as it is committed in schema.graphql and served at /schema.graphql. */
export function printSdl(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}
