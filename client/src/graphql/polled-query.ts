import type {
  ArgumentNode,
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  TypeNode,
  VariableDefinitionNode,
  VariableNode,
} from 'graphql';
import { findOperation, nameNode } from './live-document.ts';

/** A field of a query that stands for a field of a subscription: its arguments are variables of the given types. */
export type QueriedField = {
  readonly alias: string;
  readonly name: string;
  /** By argument: the variable, and its type as it is written. */
  readonly variables: Readonly<Record<string, { readonly name: string; readonly type: string }>>;
  readonly selectionSet: FieldNode['selectionSet'];
};

/**
 * The query that asks for what a subscription selects. What it asks of is in variables alone, so that a server reads the same
 * document each time.
 */
export function createPolledQuery(subscription: DocumentNode, fields: readonly QueriedField[]): DocumentNode {
  const operation = findOperation(subscription)!;
  const fragments = subscription.definitions.filter((node) => node.kind === 'FragmentDefinition');
  const used = collectVariables([fragments, fields.map(({ selectionSet }) => selectionSet)]);
  const added = new Map(
    fields.flatMap(({ variables }) => Object.values(variables).map(({ name, type }) => [name, type])),
  );
  return {
    kind: 'Document' as never,
    definitions: [
      {
        kind: 'OperationDefinition' as never,
        operation: 'query' as never,
        name: nameNode(`Poll${operation.name?.value ?? ''}`),
        variableDefinitions: [
          ...(operation.variableDefinitions ?? []).filter(({ variable }) => used.has(variable.name.value)),
          ...[...added].map(([name, type]) => defineVariable(name!, type!)),
        ],
        directives: [],
        selectionSet: { kind: 'SelectionSet' as never, selections: fields.map(toField) },
      },
      ...fragments,
    ],
  };
}

function toField({ alias, name, variables, selectionSet }: QueriedField): FieldNode {
  return {
    kind: 'Field' as never,
    alias: nameNode(alias),
    name: nameNode(name),
    arguments: Object.entries(variables).map(([argument, variable]): ArgumentNode => ({
      kind: 'Argument' as never,
      name: nameNode(argument),
      value: variableNode(variable.name),
    })),
    selectionSet,
  };
}

/** Its names are not checked here: a type is written as in the schema. */
function defineVariable(name: string, type: string): VariableDefinitionNode {
  return { kind: 'VariableDefinition' as never, variable: variableNode(name), type: readType(type) };
}

function readType(type: string): TypeNode {
  if (type.endsWith('!')) return { kind: 'NonNullType' as never, type: readType(type.slice(0, -1)) as never };
  if (type.startsWith('[')) return { kind: 'ListType' as never, type: readType(type.slice(1, -1)) };
  return { kind: 'NamedType' as never, name: nameNode(type) };
}

function variableNode(name: string): VariableNode {
  return { kind: 'Variable' as never, name: nameNode(name) };
}

function collectVariables(
  node: readonly (readonly FragmentDefinitionNode[] | readonly FieldNode['selectionSet'][])[],
): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { kind, name } = value as { kind?: unknown; name?: { value: string } };
    if (kind === 'Variable' && name !== undefined) names.add(name.value);
    for (const [key, child] of Object.entries(value)) if (key !== 'loc') visit(child);
  };
  visit(node);
  return names;
}
