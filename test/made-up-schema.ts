import {
  GraphQLBoolean,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigMap,
  GraphQLFloat,
  GraphQLID,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLInterfaceType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  GraphQLSchema,
  GraphQLString,
  GraphQLUnionType,
} from 'graphql';
import { ClientError } from '../src/errors.ts';
import { Colour, COLOURS, type Fruit, Json, type Kind, makeAny, mix, SOURCE_FIELDS, Wrong } from './made-up-values.ts';

/* A schema with what the real one lacks. */

const Where = new GraphQLInputObjectType({
  name: 'Where',
  fields: () => ({
    min: { type: GraphQLInt, defaultValue: 3 },
    max: { type: new GraphQLNonNull(GraphQLInt), defaultValue: 9 },
    colour: { type: Colour },
    tags: { type: new GraphQLList(new GraphQLNonNull(GraphQLString)) },
    not: { type: Where },
  }),
});

const list = (type: GraphQLOutputType): GraphQLList<GraphQLOutputType> => new GraphQLList(type);
const strict = (type: ConstructorParameters<typeof GraphQLNonNull>[0]): GraphQLOutputType =>
  new GraphQLNonNull(type) as GraphQLOutputType;

type Field = GraphQLFieldConfig<Fruit, { readonly greeting: string }>;

/** Fields that ask for more than the source. */
const RESOLVED: Readonly<Record<string, Field>> = {
  sum: {
    type: GraphQLString,
    args: {
      a: { type: new GraphQLNonNull(GraphQLInt), defaultValue: 1 },
      b: { type: GraphQLInt },
      list: { type: new GraphQLList(GraphQLInt) },
      where: { type: Where },
      colour: { type: Colour, defaultValue: COLOURS.BLUE },
    },
    resolve: ({ seed }, args) => `${seed}: ${JSON.stringify(args)}`,
  },
  echo: {
    type: Json,
    args: { value: { type: Json } },
    resolve: (_fruit, { value }: { value?: Map<string, unknown> | null }) => value?.get('value'),
  },
  greeting: { type: strict(GraphQLString), resolve: (_fruit, _args, context) => context.greeting },
  path: { type: GraphQLString, resolve: (_fruit, _args, _context, info) => JSON.stringify(info.path) },
  shyPath: {
    type: GraphQLString,
    resolve: (...rest: readonly unknown[]) => JSON.stringify((rest[3] as GraphQLResolveInfo).path),
  },
  shyName: {
    type: GraphQLString,
    resolve: (...rest: readonly unknown[]) => {
      const { fieldName, parentType, returnType } = rest[3] as GraphQLResolveInfo;
      return `${String(parentType)}.${fieldName}: ${String(returnType)}`;
    },
  },
  shyOperation: {
    type: GraphQLString,
    resolve: (...rest: readonly unknown[]) => {
      const { operation, fieldNodes, rootValue, fragments } = rest[3] as GraphQLResolveInfo;
      return JSON.stringify([
        operation.name?.value,
        fieldNodes.map(({ loc }) => loc?.start),
        (rootValue as Fruit).seed,
        Object.keys(fragments),
      ]);
    },
  },
  later: { type: GraphQLString, resolve: async ({ seed }) => await Promise.resolve(`later ${seed}`) },
  refused: {
    type: GraphQLString,
    resolve: () => {
      throw new ClientError('FORBIDDEN', 'not for you');
    },
  },
};

const Sized: GraphQLInterfaceType = new GraphQLInterfaceType({
  name: 'Sized',
  fields: () => ({ intStrict: { type: strict(GraphQLInt) }, sized: { type: Sized } }),
  resolveType: ({ seed, kind, wild }: Fruit & { kind: Kind }) => {
    if (mix(seed, 'resolveType') % 100 >= wild) return kind;
    if (mix(seed) % 3 === 0) return Promise.reject(new Wrong('resolveType'));
    const later = mix(seed) % 3 === 1 ? Promise.resolve(kind) : null;
    return later ?? (['Nothing', 'Colour', null, 7][mix(seed, 'wrong') % 4] as string);
  },
});

const Thing: GraphQLInterfaceType = new GraphQLInterfaceType({
  name: 'Thing',
  fields: () => ({
    id: { type: strict(GraphQLID) },
    str: { type: GraphQLString },
    thing: { type: Thing },
    things: { type: list(strict(Thing)) },
    sum: { type: GraphQLString, args: RESOLVED['sum']!.args! },
    greeting: { type: strict(GraphQLString) },
  }),
});

Object.assign(SOURCE_FIELDS, {
  id: { type: strict(GraphQLID) },
  int: { type: GraphQLInt },
  intStrict: { type: strict(GraphQLInt) },
  float: { type: GraphQLFloat },
  floatStrict: { type: strict(GraphQLFloat) },
  str: { type: GraphQLString },
  strStrict: { type: strict(GraphQLString) },
  bool: { type: GraphQLBoolean },
  colour: { type: Colour },
  colourStrict: { type: strict(Colour) },
  json: { type: Json },
  jsonStrict: { type: strict(Json) },
  matrix: { type: list(list(GraphQLInt)) },
  matrixStrict: { type: strict(list(strict(list(strict(GraphQLInt))))) },
});

const fieldsOf = (kind: Kind) => (): GraphQLFieldConfigMap<Fruit, { readonly greeting: string }> => {
  SOURCE_FIELDS['thing'] ??= { type: Thing };
  SOURCE_FIELDS['things'] ??= { type: list(strict(Thing)) };
  SOURCE_FIELDS['thingStrict'] ??= { type: strict(Thing) };
  SOURCE_FIELDS['sized'] ??= { type: Sized };
  SOURCE_FIELDS['fruits'] ??= { type: list(AnyFruit) };
  SOURCE_FIELDS['fruitsStrict'] ??= { type: strict(list(strict(AnyFruit))) };
  SOURCE_FIELDS['pit'] ??= { type: Pit };
  SOURCE_FIELDS['pitStrict'] ??= { type: strict(Pit) };
  SOURCE_FIELDS['grid'] ??= { type: list(list(strict(AnyFruit))) };
  SOURCE_FIELDS['apple'] ??= { type: Apple };
  SOURCE_FIELDS['plumStrict'] ??= { type: strict(Plum) };
  const ofSource = Object.entries(SOURCE_FIELDS).map(([name, { type }]) => [
    name,
    kind === 'Plum' ? { type, resolve: (fruit: Fruit) => makeAny(fruit, type, name) } : { type },
  ]);
  return { ...Object.fromEntries(ofSource), ...RESOLVED };
};

const Apple: GraphQLObjectType = new GraphQLObjectType({
  name: 'Apple',
  interfaces: () => [Thing, Sized],
  isTypeOf: (value) => (value as { kind?: unknown }).kind === 'Apple',
  fields: fieldsOf('Apple'),
});
const Pear: GraphQLObjectType = new GraphQLObjectType({
  name: 'Pear',
  interfaces: () => [Thing],
  isTypeOf: (value) => {
    const { kind, seed, wild } = value as Fruit & { kind: Kind };
    if (mix(seed, 'isTypeOf') % 100 < wild) {
      if (seed % 2 === 0) return Promise.reject(new Wrong('isTypeOf'));
      return Promise.resolve(kind === 'Pear');
    }
    return kind === 'Pear';
  },
  fields: fieldsOf('Pear'),
});
const Plum: GraphQLObjectType = new GraphQLObjectType({
  name: 'Plum',
  interfaces: () => [Thing, Sized],
  isTypeOf: (value, context, info) =>
    (value as { kind?: unknown }).kind === 'Plum' && (context as { greeting: string }).greeting !== info.fieldName,
  fields: fieldsOf('Plum'),
});

/** Says nothing of what it is: anything is taken for one. */
const Pit: GraphQLObjectType = new GraphQLObjectType({
  name: 'Pit',
  fields: () => ({
    length: { type: GraphQLInt },
    str: { type: GraphQLString },
    json: { type: Json },
    pit: { type: Pit },
    pitStrict: { type: strict(Pit) },
  }),
});

const AnyFruit = new GraphQLUnionType({ name: 'Fruit', types: () => [Apple, Pear, Plum] });

/** Called with the event of each field of the root; what it returns is the stream of its events. */
export type OpenEvents = () => AsyncIterable<Fruit>;

/** With the context `{ open, greeting }`: the events, and what a field says that has it from the context. */
export const madeUpSchema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { nothing: { type: GraphQLInt } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: () => {
      const field = (type: GraphQLOutputType, key: string) => ({
        type,
        args: { count: { type: GraphQLInt, defaultValue: 3 }, tag: { type: GraphQLString } },
        subscribe: (_root: unknown, _args: unknown, context: { open: OpenEvents }) => context.open(),
        resolve: (event: Fruit) => makeAny(event, type, key),
      });
      return {
        fruit: field(AnyFruit, 'fruit'),
        apple: field(strict(Apple), 'apple'),
        plum: field(Plum, 'plum'),
        pit: field(Pit, 'pit'),
        thing: field(Thing, 'thing'),
        sized: field(strict(Sized), 'sized'),
        fruits: field(strict(list(strict(AnyFruit))), 'fruits'),
        grid: field(list(list(AnyFruit)), 'grid'),
        number: field(strict(GraphQLInt), 'number'),
        matrix: field(list(strict(list(GraphQLInt))), 'matrix'),
        // Found in the event itself.
        seed: { type: GraphQLFloat, subscribe: field(GraphQLInt, '').subscribe },
        // What it answers depends on its arguments, as that of no field should that is meant to be shared.
        tagged: {
          ...field(GraphQLString, 'tagged'),
          resolve: ({ seed }: Fruit, args: { count?: number; tag?: string }) => `${seed} ${JSON.stringify(args)}`,
        },
      };
    },
  }),
  types: [Apple, Pear, Plum],
});

/** For the generator of operations. */
export const MADE_UP_SCALARS: Readonly<Record<string, readonly unknown[]>> = {
  Int: [0, 1, -5, 2 ** 31 - 1],
  Float: [0, 1.5, -2],
  String: ['', 'tag', '🍎 "'],
  Boolean: [true, false],
  ID: ['1', 7],
  Json: [1, 'text', true, { a: { b: [1, 2] } }, [[]]],
};
