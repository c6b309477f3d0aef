import {
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLError,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  GraphQLScalarType,
  GraphQLString,
  valueFromASTUntyped,
} from 'graphql';
import { ClientError } from '../src/errors.ts';

/*
 * What stands in the fields of a made-up schema: an endless graph in which all follows from a number, so that it is the same
 * whoever asks, and however often.
 */

/** An event, and any object below it. `wild`: how many of a hundred fields are not what they should be. */
export type Fruit = {
  readonly seed: number;
  readonly wild: number;
};

/** A number that follows from others, and looks as if it did not. */
export function mix(...parts: readonly (number | string)[]): number {
  let hash = 0x811c9dc5;
  for (const char of parts.join('|')) {
    hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const STRINGS = ['', 'plain', 'Zürich "quoted" \\', 'line\nbreak', '\u2028 🍐 \u0000', '\ud800 alone'];
const NUMBERS = [0, -0, 1, -7, 0.1, 1e21, 1e-7, 2 ** 31 - 1, -(2 ** 31), 2 ** 53];
const WRONG: readonly unknown[] = [
  null,
  undefined,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 40,
  0.5,
  'text',
  '7',
  '',
  true,
  {},
  [],
  [[]],
  Symbol('wrong'),
  10n,
  () => 'a function',
  new Date(0),
  { __typename: 'Nothing' },
  { __typename: 'Sized' },
  new Set(['an', 'iterable']),
  // oxlint-disable-next-line no-sparse-arrays -- a hole is an item, and undefined
  [1, , 2],
];

export class Wrong extends Error {}

export const COLOURS = { RED: 0, GREEN: 'g', BLUE: { blue: true } };
export const Colour = new GraphQLEnumType({
  name: 'Colour',
  values: { RED: { value: COLOURS.RED }, GREEN: { value: COLOURS.GREEN }, BLUE: { value: COLOURS.BLUE } },
});

/** Serialises to anything, also to what is no object and no scalar. */
export const Json = new GraphQLScalarType({
  name: 'Json',
  serialize: (value) => {
    if (value instanceof Set || typeof value === 'bigint') throw new TypeError('not to be written');
    return value;
  },
  // Two values that are not alike where they are written as JSON are alike.
  parseValue: (value) => new Map([['value', value]]),
  parseLiteral: (node, variables) => new Map([['value', valueFromASTUntyped(node, variables)]]),
});
const JSONS: readonly unknown[] = [
  { a: [1, { b: null }], 'c d': undefined, e: () => 1 },
  ['x', undefined, Number.NaN],
  new Date(1e12),
  { toJSON: (key: string) => `of ${key}` },
  { toJSON: () => undefined },
  Number.NaN,
  false,
  0,
  'text',
  Symbol('none'),
  () => 1,
];

/** The fields that are found in their objects. */
export const SOURCE_FIELDS: Record<string, { readonly type: GraphQLOutputType }> = {};

/** What stands in a field, as it should be. */
function makeTame(fruit: Fruit, type: GraphQLOutputType, key: string): unknown {
  const seed = mix(fruit.seed, key);
  if (type instanceof GraphQLNonNull) return makeTame(fruit, type.ofType as GraphQLOutputType, key);
  if (seed % 11 === 0 && fruit.wild > 0) return null;
  if (type instanceof GraphQLList) {
    return Array.from({ length: seed % 4 }, (_, index) =>
      makeItem(fruit, type.ofType as GraphQLOutputType, `${key}.${index}`),
    );
  }
  switch (type) {
    case GraphQLInt:
      return seed % 1000;
    case GraphQLFloat:
      return NUMBERS[seed % NUMBERS.length];
    case GraphQLBoolean:
      return seed % 2 === 0;
    case GraphQLID:
      return seed % 2 === 0 ? seed : `id ${seed}`;
    case GraphQLString:
      return STRINGS[seed % STRINGS.length];
    case Colour:
      return Object.values(COLOURS)[seed % 3];
    case Json:
      return JSONS[seed % JSONS.length];
    default:
      return makeFruit(fruit, type as GraphQLObjectType, seed);
  }
}

/** What stands in a field: at times what should not. */
export function makeAny(fruit: Fruit, type: GraphQLOutputType, key: string): unknown {
  const seed = mix(fruit.seed, key, 'wild');
  if (seed % 100 >= fruit.wild) return makeTame(fruit, type, key);
  switch (mix(seed) % 7) {
    case 0:
      throw new Wrong(`thrown at ${key}`);
    case 1:
      return new Wrong(`returned at ${key}`);
    case 2:
      return Promise.reject(new ClientError('FORBIDDEN', `rejected at ${key}`, { at: key }));
    case 3:
      return Promise.resolve().then(() => makeTame(fruit, type, key));
    case 4:
      throw new GraphQLError(`refused at ${key}`, { extensions: { code: 'OF_ITS_OWN', key } });
    default:
      return WRONG[mix(seed, 'wrong') % WRONG.length];
  }
}

/** An item cannot throw, it can only be an error. */
function makeItem(fruit: Fruit, type: GraphQLOutputType, key: string): unknown {
  try {
    return makeAny(fruit, type, key);
  } catch (error) {
    return error;
  }
}

const KINDS = ['Apple', 'Pear', 'Plum'] as const;

function makeFruit(parent: Fruit, type: GraphQLOutputType, seed: number): Fruit {
  const possible = 'name' in type && (KINDS as readonly string[]).includes(type.name) ? [type.name] : KINDS;
  const kind = possible[seed % possible.length]!;
  return createFruit(kind as Kind, seed, parent.wild);
}

export type Kind = (typeof KINDS)[number];

/** Apples and pears have their fields as properties, those of a pear are functions; those of a plum are made by resolvers. */
function createFruit(kind: Kind, seed: number, wild: number): Fruit {
  const fruit = { kind, seed, wild };
  if (kind === 'Plum') return fruit;
  for (const [name, { type }] of Object.entries(SOURCE_FIELDS)) {
    Object.defineProperty(fruit, name, {
      get: () =>
        kind === 'Apple' || mix(seed, name) % 2 === 0
          ? makeAny(fruit, type, name)
          : (args: object, _context: unknown, info: GraphQLResolveInfo) =>
              makeAny(fruit, type, `${name}${JSON.stringify(args)}${info.fieldName}`),
    });
  }
  if (mix(seed, 'typename') % 3 === 0) Object.defineProperty(fruit, '__typename', { get: () => kind });
  return fruit;
}
