import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getOperationAST,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { ClientError } from '../errors.ts';

/**
 * The fields that an operation may ask for, each as often as the list above it is long at the most. 5,000 bars with all of their
 * fields are half of it. A field counts once more for every {@link NAME_LENGTH} characters of the name under which it is answered, for a
 * name of some thousand characters would make each of thousands of values as long.
 */
export const MAX_COST = 100_000;
const NAME_LENGTH = 32;

/** What asks the schema about itself has lists of lists, whose lengths no argument tells. */
const INTROSPECTION_FACTOR = 400;

type Variables = Readonly<Record<string, unknown>> | null | undefined;
type RootCost = { readonly fields: number; readonly times: (variables: Variables) => number };

const costs = new WeakMap<DocumentNode, Map<string, readonly RootCost[]>>();

/**
 * What a valid operation costs: the fields that it selects, times the length of the list that they are asked for, which the
 * arguments of the root field tell (`first`, `last`, or a list), whether they are written or sent as variables. With it the number
 * of its root fields.
 */
export function measure(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null,
  variables: Variables,
): { readonly cost: number; readonly roots: number } {
  let ofDocument = costs.get(document);
  if (ofDocument === undefined) costs.set(document, (ofDocument = new Map()));
  let roots = ofDocument.get(operationName ?? '');
  if (roots === undefined) {
    const operation = getOperationAST(document, operationName);
    roots = operation == null ? [] : listRoots(schema, document, operation);
    ofDocument.set(operationName ?? '', roots);
  }
  let cost = 0;
  for (const { fields, times } of roots) cost += fields * times(variables);
  return { cost, roots: roots.length };
}

/** @throws {ClientError} QUERY_TOO_COMPLEX */
export function assertAffordable(cost: number): void {
  if (cost > MAX_COST) {
    throw new ClientError('QUERY_TOO_COMPLEX', `Cost limit of ${MAX_COST} exceeded, found ${cost}.`, {
      limit: MAX_COST,
      cost,
    });
  }
}

function listRoots(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): RootCost[] {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<string, number>();
  const countFields = (set: SelectionSetNode | undefined): number => {
    let count = 0;
    for (const selection of set?.selections ?? []) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) count += countFragment(selection.name.value);
      else count += countFields(selection.selectionSet) + (selection.kind === Kind.FIELD ? costOf(selection) : 0);
    }
    return count;
  };
  const countFragment = (name: string): number => {
    let count = known.get(name);
    if (count === undefined) known.set(name, (count = countFields(fragments.get(name)?.selectionSet)));
    return count;
  };
  const type = schema.getRootType(operation.operation);
  const roots: RootCost[] = [];
  const visited = new Set<string>();
  const collect = (set: SelectionSetNode): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const definition = type?.getFields()[selection.name.value];
        const defaults = new Map(definition?.args.map(({ name, defaultValue }) => [name, defaultValue]));
        roots.push({
          fields: costOf(selection) + countFields(selection.selectionSet),
          times: readTimes(selection, defaults, operation),
        });
      } else {
        if (selection.kind === Kind.INLINE_FRAGMENT) {
          collect(selection.selectionSet);
          continue;
        }
        // However often it is spread here, it is executed once.
        const name = selection.name.value;
        const fragment = fragments.get(name);
        if (fragment === undefined || visited.has(name)) continue;
        visited.add(name);
        collect(fragment.selectionSet);
      }
    }
  };
  collect(operation.selectionSet);
  return roots;
}

function costOf({ alias, name }: FieldNode): number {
  return 1 + Math.floor((alias ?? name).value.length / NAME_LENGTH);
}

/** What is no Int of GraphQL is refused when the field is asked for. */
function isInt(given: unknown): given is number {
  return Number.isInteger(given) && Math.abs(given as number) < 2 ** 31;
}

function readTimes(
  field: FieldNode,
  defaults: ReadonlyMap<string, unknown>,
  operation: OperationDefinitionNode,
): RootCost['times'] {
  if (field.name.value.startsWith('__')) return field.selectionSet === undefined ? () => 1 : () => INTROSPECTION_FACTOR;
  const readers = [...defaults].map(([name, fallback]): RootCost['times'] => {
    const value = field.arguments?.find((argument) => argument.name.value === name)?.value;
    const isCount = name === 'first' || name === 'last';
    const lengthOf = (given: unknown): number =>
      Array.isArray(given) ? given.length : isCount && isInt(given) ? given : 1;
    if (value === undefined) return () => lengthOf(fallback);
    if (value.kind === Kind.LIST) return () => value.values.length;
    if (value.kind === Kind.INT) return () => lengthOf(Number(value.value));
    if (value.kind !== Kind.VARIABLE) return () => 1;
    const variable = value.name.value;
    const declared = operation.variableDefinitions?.find((one) => one.variable.name.value === variable)?.defaultValue;
    const written = declared?.kind === Kind.INT ? Number(declared.value) : undefined;
    return (variables) => lengthOf(variables?.[variable] ?? written ?? fallback);
  });
  return (variables) => readers.reduce((most, read) => Math.max(most, read(variables)), 1);
}
