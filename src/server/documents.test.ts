import { buildSchema, GraphQLError } from 'graphql';
import { describe, expect, it } from 'vitest';
import { Documents } from './documents.ts';

const schema = buildSchema('type Query { price: Float }');

/** Sends it as a client does; returns what it was charged for, and whether it was taken. */
function send(documents: Documents, source: string): { chargedMs: number; isValid: boolean } {
  let chargedMs = 0;
  const charge = (ms: number): void => void (chargedMs += ms);
  try {
    const document = documents.parse(source, undefined, charge);
    return { isValid: documents.validate(schema, document, undefined, charge).length === 0, chargedMs };
  } catch (error) {
    expect(error).toBeInstanceOf(GraphQLError);
    return { isValid: false, chargedMs };
  }
}

describe('documents', () => {
  it.each([
    ['a valid one', '{ price }', true],
    ['one that is not valid', '{ volume }', false],
    ['one that cannot be parsed', '{ price', false],
  ])('%s costs once, and nothing when it is sent again', (_what, source, isValid) => {
    const documents = new Documents();
    const first = send(documents, source);
    expect(first.isValid).toBe(isValid);
    expect(first.chargedMs).toBeGreaterThan(source.length * 0.001);
    // However slow the machine is.
    expect(first.chargedMs).toBeLessThan(1.5);
    expect(send(documents, source)).toEqual({ isValid, chargedMs: 0 });
    expect(documents.readStats().parsed).toBe(1);
  });

  it('those that are refused take no room from those that are valid, and have a bound', () => {
    const documents = new Documents();
    send(documents, '{ price }');
    for (let number = 0; number < 500; number++) {
      send(documents, `{ volume${number} }`);
      send(documents, `{ price ${number}`);
    }
    expect(send(documents, '{ price }').chargedMs).toBe(0);
    const { known, refused, refusedCharacters } = documents.readStats();
    expect(known).toBe(1);
    expect(refused).toBeLessThan(400);
    expect(refusedCharacters).toBeLessThanOrEqual(64 * 1024);
  });

  it('those that are valid have a bound as well', () => {
    const documents = new Documents();
    for (let number = 0; number < 200; number++) send(documents, `{ price } # ${number} ${'x'.repeat(5000)}`);
    const { known, knownCharacters } = documents.readStats();
    expect(known).toBeLessThan(110);
    expect(knownCharacters).toBeLessThanOrEqual(512 * 1024);
    const write = (number: number): string => `{ price } # ${number} ${'x'.repeat(5000)}`;
    expect(send(documents, write(199)).chargedMs).toBe(0);
    expect(send(documents, write(0)).chargedMs).toBeGreaterThan(0);
  });
});
