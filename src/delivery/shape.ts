import {
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  type GraphQLField,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  print,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { collectFields } from 'graphql/execution/collectFields.js';

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
  /** The name of the root field; `null`: all are left out, by conditions that are written in the document. */
  readonly field: string | null;
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
    readonly variableValues?: { readonly [name: string]: unknown } | null | undefined;
  },
): string {
  if (shape.variables.length === 0) return shape.text;
  // As they were sent, for how a scalar reads them may hide how they differ.
  const values = operation.variableValues ?? {};
  return `${shape.text}\n${JSON.stringify(shape.variables.map((name) => (Object.hasOwn(values, name) ? [values[name]] : [])))}`;
}

function findShape(schema: GraphQLSchema, document: DocumentNode, operationName: string | null): Shape {
  const operation = getOperationAST(document, operationName)!;
  const definitions = [operation, ...listFragments(document, operation)];
  const root = schema.getSubscriptionType();
  const variables = new Set<string>();
  let isPrivate = false;
  const typeInfo = new TypeInfo(schema);
  const texts = definitions.map((definition) => {
    const stripped = visit(
      definition,
      visitWithTypeInfo(typeInfo, {
        Field(node) {
          const definitionOfField = typeInfo.getFieldDef();
          if (definitionOfField?.extensions.viewer === true) isPrivate = true;
          if (typeInfo.getParentType() !== root || !takesEventOnly(definitionOfField)) return undefined;
          return { ...node, arguments: [] };
        },
        // Written below, where they matter.
        VariableDefinition: () => null,
        // Of what is left out none is visited.
        Variable(node) {
          variables.add(node.name.value);
        },
      }),
    );
    return print(stripped.kind === Kind.OPERATION_DEFINITION ? { ...stripped, name: undefined } : stripped);
  });
  const declared = (operation.variableDefinitions ?? []).filter(({ variable }) => variables.has(variable.name.value));
  return {
    // With their types and defaults, which decide with the value that is sent what a variable is.
    text: [...texts, ...declared.map(print).toSorted()].join('\n'),
    variables: [...variables].toSorted(),
    isPrivate,
    field: findRootField(schema, document, operation) ?? null,
  };
}

/** What it answers depends on its event alone: others with other arguments get the same for it. */
function takesEventOnly(field: GraphQLField<unknown, unknown> | null | undefined): boolean {
  return field?.resolve?.length === 1;
}

/** Of a valid subscription no variable decides which field that is. */
function findRootField(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) {
  const fragments: Record<string, FragmentDefinitionNode> = {};
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
  }
  const fields = collectFields(schema, fragments, {}, schema.getSubscriptionType()!, operation.selectionSet);
  return [...fields.values()][0]?.[0]?.name.value;
}

/** The fragments that the operation uses, each once, in the order of their names. */
function listFragments(document: DocumentNode, operation: OperationDefinitionNode) {
  const all = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  if (all.length === 0) return [];
  const used = new Set<string>();
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
