import {
  defaultFieldResolver,
  defaultTypeResolver,
  type ExecutionArgs,
  type FieldNode,
  type FragmentDefinitionNode,
  getArgumentValues,
  GraphQLError,
  getOperationAST,
  getVariableValues,
  type GraphQLField,
  type GraphQLAbstractType,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
} from 'graphql';
import { collectFields, collectSubfields } from 'graphql/execution/collectFields.js';

/**
 * The JSON of the result of one operation, given the event that is its root value; `null` where the result is not a plain one:
 * where graphql-js would wait for a promise, or would have an error to tell. Then graphql-js is asked.
 */
export type Projection = (event: unknown) => string | null;

/** Writes a value that was resolved; throws {@link NOT_PLAIN}, or whatever a resolver throws. */
type Writer = (value: unknown) => string;

const NOT_PLAIN = new Error('not a plain result');

/**
 * Prepares what graphql-js' `execute` works out anew for every event: which fields are selected, with which arguments, and how
 * each is written. It resolves as graphql-js does and gives, where all goes well, the same JSON to the byte. `null` where a
 * resolver asks for more than can be prepared.
 */
export function createProjection(args: ExecutionArgs): Projection | null {
  try {
    return new Preparation(args).prepare();
  } catch (error) {
    // What graphql-js objects to, such as an argument that is null where it must not be, is its to tell, at each event.
    if (error === NOT_PLAIN || error instanceof GraphQLError) return null;
    throw error;
  }
}

class Preparation {
  readonly #args: ExecutionArgs;
  readonly #fragments: Record<string, FragmentDefinitionNode> = Object.create(null) as Record<
    string,
    FragmentDefinitionNode
  >;
  readonly #variables: Record<string, unknown>;

  constructor(args: ExecutionArgs) {
    this.#args = args;
    for (const definition of args.document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments[definition.name.value] = definition;
    }
    const operation = getOperationAST(args.document, args.operationName);
    const { coerced } = getVariableValues(
      args.schema,
      operation?.variableDefinitions ?? [],
      (args.variableValues ?? {}) as Record<string, unknown>,
    );
    if (coerced === undefined) throw NOT_PLAIN;
    this.#variables = coerced;
  }

  prepare(): Projection {
    const { schema, document, operationName } = this.#args;
    const operation = getOperationAST(document, operationName);
    const root = schema.getRootType(operation!.operation)!;
    const fields = collectFields(schema, this.#fragments, this.#variables, root, operation!.selectionSet);
    const write = this.#prepareObject(root, fields);
    return (event) => {
      try {
        return `{"data":${write(event)}}`;
      } catch {
        return null;
      }
    };
  }

  #prepareObject(type: GraphQLObjectType, fields: ReadonlyMap<string, readonly FieldNode[]>): Writer {
    const members: { readonly key: string; readonly write: Writer }[] = [];
    for (const [name, nodes] of fields) {
      const write = this.#prepareField(type, nodes);
      if (write !== null) members.push({ key: `${members.length === 0 ? '' : ','}${JSON.stringify(name)}:`, write });
    }
    return (value) => {
      let text = '{';
      for (const { key, write } of members) text += key + write(value);
      return `${text}}`;
    };
  }

  /** `null`: graphql-js leaves the field out. */
  #prepareField(parent: GraphQLObjectType, nodes: readonly FieldNode[]): Writer | null {
    const node = nodes[0]!;
    if (node.name.value === '__typename') {
      const text = JSON.stringify(parent.name);
      return () => text;
    }
    const field = parent.getFields()[node.name.value];
    if (field === undefined) return null;
    const { contextValue } = this.#args;
    const args = getArgumentValues(field, node, this.#variables);
    const info = this.#describe(parent, field);
    const complete = this.#prepareValue(field.type, nodes, info);
    const { resolve, name } = field;
    if (resolve === undefined || resolve === defaultFieldResolver) {
      return (source) => {
        // A text has a length, but no fields.
        const hasFields = typeof source === 'object' || typeof source === 'function';
        const value = hasFields ? (source as Record<string, unknown>)[name] : undefined;
        if (typeof value === 'function') throw NOT_PLAIN;
        return complete(value);
      };
    }
    // It asks for its place in the operation and in the result, which cannot be prepared.
    if (resolve.length > 3) throw NOT_PLAIN;
    return (source) => complete(resolve(source, args, contextValue, info));
  }

  /** What holds for every event and every operation that shares the result; whoever asks for more has graphql-js asked. */
  #describe(parentType: GraphQLObjectType, field: GraphQLField<unknown, unknown>): GraphQLResolveInfo {
    const { schema } = this.#args;
    const info = { fieldName: field.name, returnType: field.type, parentType, schema };
    return Object.defineProperties(info, OF_ONE_RESULT) as unknown as GraphQLResolveInfo;
  }

  #prepareValue(type: GraphQLOutputType, nodes: readonly FieldNode[], info: GraphQLResolveInfo): Writer {
    if (isNonNullType(type)) {
      const write = this.#prepareNullable(type.ofType, nodes, info);
      return (value) => {
        if (value == null) throw NOT_PLAIN;
        return write(value);
      };
    }
    const write = this.#prepareNullable(type, nodes, info);
    return (value) => (value == null ? 'null' : write(value));
  }

  /** Writes what is there. */
  #prepareNullable(type: GraphQLOutputType, nodes: readonly FieldNode[], info: GraphQLResolveInfo): Writer {
    if (isListType(type)) return prepareList(this.#prepareValue(type.ofType as GraphQLOutputType, nodes, info));
    if (isLeafType(type)) return prepareLeaf(type);
    if (isObjectType(type)) return this.#prepareComposite(type, nodes, info);
    if (isAbstractType(type)) return this.#prepareAbstract(type, nodes, info);
    throw NOT_PLAIN;
  }

  #prepareComposite(type: GraphQLObjectType, nodes: readonly FieldNode[], info: GraphQLResolveInfo): Writer {
    const { contextValue } = this.#args;
    const write = this.#prepareObject(
      type,
      collectSubfields(this.#args.schema, this.#fragments, this.#variables, type, nodes),
    );
    const isTypeOf = type.isTypeOf;
    return (value) => {
      checkSettled(value);
      if (isTypeOf != null) {
        const isOfType = isTypeOf(value, contextValue, info);
        if (isOfType !== true) refuse(isOfType);
      }
      return write(value);
    };
  }

  #prepareAbstract(type: GraphQLAbstractType, nodes: readonly FieldNode[], info: GraphQLResolveInfo): Writer {
    const { schema, contextValue } = this.#args;
    const writers = new Map(
      schema.getPossibleTypes(type).map((possible) => [possible.name, this.#prepareComposite(possible, nodes, info)]),
    );
    const resolveType = type.resolveType ?? defaultTypeResolver;
    return (value) => {
      checkSettled(value);
      const name = resolveType(value, contextValue, info, type);
      const write = typeof name === 'string' ? writers.get(name) : undefined;
      return write === undefined ? refuse(name) : write(value);
    };
  }
}

function prepareList(writeItem: Writer): Writer {
  return (value) => {
    if (!Array.isArray(value)) refuse(value);
    const items = value as readonly unknown[];
    let text = '[';
    try {
      // By index: a hole is an item as well.
      for (let index = 0; index < items.length; index++) text += (index === 0 ? '' : ',') + writeItem(items[index]);
    } catch (error) {
      ignoreRejections(items);
      throw error;
    }
    return `${text}]`;
  };
}

function prepareLeaf(type: GraphQLLeafType): Writer {
  return (value) => {
    if (typeof value === 'object' || typeof value === 'function') checkSettled(value);
    const serialized = type.serialize(value);
    if (typeof serialized === 'number' && Number.isFinite(serialized)) return `${serialized}`;
    if (typeof serialized === 'boolean') return serialized ? 'true' : 'false';
    // An object may say by its place how it is written.
    if (serialized == null || (typeof serialized === 'object' && 'toJSON' in serialized)) return refuse(serialized);
    const text = JSON.stringify(serialized) as string | undefined;
    return text ?? refuse(serialized);
  };
}

/** Neither a promise nor an error that was returned. */
function checkSettled(value: unknown): void {
  if (value instanceof Error || typeof (value as { then?: unknown }).then === 'function') refuse(value);
}

/** graphql-js resolves it anew. */
function refuse(value: unknown): never {
  ignoreRejections(value);
  throw NOT_PLAIN;
}

/** Nobody awaits what was resolved here, and a rejection that nobody awaits ends the process. */
function ignoreRejections(value: unknown): void {
  if (value instanceof Promise) value.then(ignoreRejections, () => undefined);
  else if (Array.isArray(value)) for (const item of value) ignoreRejections(item);
}

/** What a resolver could be told that is of one operation, or of one place in one result. */
const OF_ONE_RESULT = Object.fromEntries(
  ['fieldNodes', 'path', 'fragments', 'rootValue', 'operation', 'variableValues'].map((name) => [
    name,
    {
      enumerable: true,
      get: () => {
        throw NOT_PLAIN;
      },
    },
  ]),
);
