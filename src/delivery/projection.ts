import {
  defaultFieldResolver,
  defaultTypeResolver,
  type ExecutionArgs,
  type FieldNode,
  type FragmentDefinitionNode,
  getArgumentValues,
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
    if (error === NOT_PLAIN) return null;
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
      const write = this.#prepareField(type, name, nodes);
      if (write !== null) members.push({ key: `${members.length === 0 ? '' : ','}${JSON.stringify(name)}:`, write });
    }
    const isTypeOf = type.isTypeOf;
    const info = null as unknown as GraphQLResolveInfo;
    const { contextValue } = this.#args;
    return (value) => {
      if (isTypeOf != null && isTypeOf(value, contextValue, info) !== true) throw NOT_PLAIN;
      let text = '{';
      for (const { key, write } of members) text += key + write(value);
      return `${text}}`;
    };
  }

  /** `null`: graphql-js leaves the field out. */
  #prepareField(parent: GraphQLObjectType, responseName: string, nodes: readonly FieldNode[]): Writer | null {
    const node = nodes[0]!;
    if (node.name.value === '__typename') {
      const text = JSON.stringify(parent.name);
      return () => text;
    }
    const field = parent.getFields()[node.name.value];
    if (field === undefined) return null;
    const { contextValue } = this.#args;
    const args = getArgumentValues(field, node, this.#variables);
    const complete = this.#prepareValue(field.type, nodes);
    const { resolve, name } = field;
    if (resolve === undefined || resolve === defaultFieldResolver) {
      return (source) => {
        const value = (source as Record<string, unknown>)[name];
        if (typeof value === 'function') throw NOT_PLAIN;
        return complete(value);
      };
    }
    // A resolver that asks for the place in the result is given what holds for every event, or graphql-js is asked.
    if (resolve.length > 3) throw NOT_PLAIN;
    const info = this.#describe(parent, field, responseName, nodes);
    return (source) => complete(resolve(source, args, contextValue, info));
  }

  #describe(
    parentType: GraphQLObjectType,
    field: GraphQLField<unknown, unknown>,
    responseName: string,
    fieldNodes: readonly FieldNode[],
  ): GraphQLResolveInfo {
    return {
      fieldName: field.name,
      fieldNodes,
      returnType: field.type,
      parentType,
      path: { prev: undefined, key: responseName, typename: parentType.name },
      schema: this.#args.schema,
      fragments: this.#fragments,
      rootValue: undefined,
      operation: getOperationAST(this.#args.document, this.#args.operationName)!,
      variableValues: this.#variables,
    };
  }

  #prepareValue(type: GraphQLOutputType, nodes: readonly FieldNode[]): Writer {
    if (isNonNullType(type)) {
      const write = this.#prepareNullable(type.ofType, nodes);
      return (value) => {
        if (value == null) throw NOT_PLAIN;
        return write(value);
      };
    }
    const write = this.#prepareNullable(type, nodes);
    return (value) => (value == null ? 'null' : write(value));
  }

  /** Writes what is there. */
  #prepareNullable(type: GraphQLOutputType, nodes: readonly FieldNode[]): Writer {
    if (isListType(type)) {
      const writeItem = this.#prepareValue(type.ofType as GraphQLOutputType, nodes);
      return (value) => {
        if (!Array.isArray(value)) throw NOT_PLAIN;
        return `[${value.map(writeItem).join(',')}]`;
      };
    }
    if (isLeafType(type)) return prepareLeaf(type);
    if (isObjectType(type)) return this.#prepareComposite(type, nodes);
    if (isAbstractType(type)) return this.#prepareAbstract(type, nodes);
    throw NOT_PLAIN;
  }

  #prepareComposite(type: GraphQLObjectType, nodes: readonly FieldNode[]): Writer {
    const write = this.#prepareObject(
      type,
      collectSubfields(this.#args.schema, this.#fragments, this.#variables, type, nodes),
    );
    return (value) => {
      checkSettled(value);
      return write(value);
    };
  }

  #prepareAbstract(type: GraphQLAbstractType, nodes: readonly FieldNode[]): Writer {
    const { schema, contextValue } = this.#args;
    const writers = new Map(
      schema.getPossibleTypes(type).map((possible) => [possible.name, this.#prepareComposite(possible, nodes)]),
    );
    const resolveType = type.resolveType ?? defaultTypeResolver;
    const info = { schema } as GraphQLResolveInfo;
    return (value) => {
      checkSettled(value);
      const name = resolveType(value, contextValue, info, type);
      const write = typeof name === 'string' ? writers.get(name) : undefined;
      if (write === undefined) throw NOT_PLAIN;
      return write(value);
    };
  }
}

function prepareLeaf(type: GraphQLLeafType): Writer {
  return (value) => {
    if (typeof value === 'object') checkSettled(value);
    const serialized = type.serialize(value);
    if (typeof serialized === 'number' && Number.isFinite(serialized)) return `${serialized}`;
    if (typeof serialized === 'boolean') return serialized ? 'true' : 'false';
    if (serialized == null) throw NOT_PLAIN;
    const text = JSON.stringify(serialized) as string | undefined;
    if (text === undefined) throw NOT_PLAIN;
    return text;
  };
}

/** Neither a promise nor an error that was returned. */
function checkSettled(value: unknown): void {
  if (value instanceof Error || typeof (value as { then?: unknown }).then === 'function') throw NOT_PLAIN;
}
