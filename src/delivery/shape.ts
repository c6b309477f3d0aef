import {
  type DocumentNode,
  getOperationAST,
  getVariableValues,
  type GraphQLField,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  print,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

declare module 'graphql' {
  // oxlint-disable-next-line typescript/no-explicit-any -- the parameters have to be graphql-js' own
  interface GraphQLFieldExtensions<_TSource, _TContext, _TArgs = any> {
    /** What it answers depends on who asks: its results are not shared with other viewers. */
    viewer?: boolean;
  }
}

/**
 * What decides how the results of a subscription look, whatever decides who gets which: its selection, without the arguments of
 * the root field and without the name of the operation.
 */
export type Shape = {
  /** The same for all operations whose results look alike, where they have the same values of `variables`. */
  readonly text: string;
  /** The variables that the results depend on. */
  readonly variables: readonly string[];
  /** Whether it holds a field that depends on the viewer. */
  readonly isPrivate: boolean;
  /** The name of the root field. */
  readonly field: string;
};

const shapes = new WeakMap<DocumentNode, Map<string, Shape>>();

/** The shape of a subscription in a valid document; worked out once per document. */
export function shapeOf(schema: GraphQLSchema, document: DocumentNode, operationName: string | null): Shape {
  let ofDocument = shapes.get(document);
  if (ofDocument === undefined) shapes.set(document, (ofDocument = new Map()));
  const key = operationName ?? '';
  let shape = ofDocument.get(key);
  if (shape === undefined) ofDocument.set(key, (shape = findShape(schema, document, operationName)));
  return shape;
}

/** Names what the results look like: equal for operations that can share them. */
export function describeResults(
  shape: Shape,
  operation: {
    readonly schema: GraphQLSchema;
    readonly document: DocumentNode;
    readonly operationName?: string | null | undefined;
    readonly variableValues?: { readonly [name: string]: unknown } | null | undefined;
  },
): string {
  if (shape.variables.length === 0) return shape.text;
  const definitions = getOperationAST(operation.document, operation.operationName)?.variableDefinitions ?? [];
  const { coerced = {} } = getVariableValues(
    operation.schema,
    definitions.filter(({ variable }) => shape.variables.includes(variable.name.value)),
    (operation.variableValues ?? {}) as Record<string, unknown>,
  );
  return `${shape.text}\n${JSON.stringify(shape.variables.map((name) => [name, name in coerced, coerced[name]]))}`;
}

function findShape(schema: GraphQLSchema, document: DocumentNode, operationName: string | null): Shape {
  const operation = getOperationAST(document, operationName)!;
  const definitions = [operation, ...listFragments(document, operation)];
  const root = schema.getSubscriptionType();
  const variables = new Set<string>();
  let field: GraphQLField<unknown, unknown> | null = null;
  let isPrivate = false;
  const typeInfo = new TypeInfo(schema);
  const texts = definitions.map((definition) => {
    const stripped = visit(
      definition,
      visitWithTypeInfo(typeInfo, {
        Field(node) {
          const definitionOfField = typeInfo.getFieldDef();
          if (definitionOfField?.extensions.viewer === true) isPrivate = true;
          if (typeInfo.getParentType() !== root) return undefined;
          field ??= definitionOfField ?? null;
          return { ...node, arguments: [] };
        },
        VariableDefinition: () => null,
      }),
    );
    visit(stripped, {
      Variable(node) {
        variables.add(node.name.value);
      },
    });
    return print(stripped.kind === Kind.OPERATION_DEFINITION ? { ...stripped, name: undefined } : stripped);
  });
  const found = field as GraphQLField<unknown, unknown> | null;
  return {
    text: texts.join('\n'),
    variables: [...variables].toSorted(),
    isPrivate,
    field: found?.name ?? 'other',
  };
}

/** The fragments that the operation uses, each once, in the order of their names. */
function listFragments(document: DocumentNode, operation: OperationDefinitionNode) {
  const used = new Set<string>();
  const all = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  const open: Parameters<typeof visit>[0][] = [operation];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    visit(node, {
      FragmentSpread({ name: { value: name } }) {
        if (used.has(name)) return;
        used.add(name);
        open.push(...all.filter((fragment) => fragment.name.value === name));
      },
    });
  }
  return all
    .filter((fragment) => used.has(fragment.name.value))
    .toSorted((a, b) => (a.name.value < b.name.value ? -1 : 1));
}
