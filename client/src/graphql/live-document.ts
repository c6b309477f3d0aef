import type {
  DocumentNode,
  FieldNode,
  OperationDefinitionNode,
  SelectionNode,
  ValueNode,
  VariableDefinitionNode,
} from 'graphql';

/** Nothing of these may be skipped, so that they are resumed after the last entry that was had. */
const LOG_FIELDS: ReadonlySet<string> = new Set(['trades', 'bars', 'tradeNotifications']);

/** By what an entry is known again, where the same may come by two ways. */
const IDENTITY_FIELDS: Readonly<Record<string, readonly string[]>> = {
  trades: ['symbol', 'id', 'timestamp'],
  bars: ['symbol', 'start'],
};

/** The document of a subscription, as far as it matters to who carries it. */
export type LiveDocument = {
  readonly name: string | undefined;
  readonly field: FieldNode;
  /** Under which name the field's value is in a result's data. */
  readonly responseKey: string;
  readonly isLog: boolean;
  /** The variable by which a log is told where to begin: known by its type, whatever its name; `null`: it has none. */
  readonly cursorVariable: string | null;
  /** What is sent: with the fields by which an entry is known again. */
  readonly first: DocumentNode;
  /** What is sent to go on: without a beginning that is written into the document, which would hold good each time. */
  readonly resumed: DocumentNode;
};

const known = new WeakMap<DocumentNode, LiveDocument | null>();

/** `null` for what is no subscription to one field, which is the server's to refuse. */
export function readLiveDocument(document: DocumentNode): LiveDocument | null {
  let live = known.get(document);
  if (live === undefined) known.set(document, (live = read(document)));
  return live;
}

function read(document: DocumentNode): LiveDocument | null {
  const operation = findOperation(document);
  const field = operation?.selectionSet.selections.find((selection) => selection.kind === 'Field');
  if (operation === undefined || field === undefined) return null;
  const identified = select(field, IDENTITY_FIELDS[field.name.value] ?? []);
  const cursorVariable = findCursorVariable(operation.variableDefinitions ?? []);
  return {
    name: operation.name?.value,
    field,
    responseKey: field.alias?.value ?? field.name.value,
    isLog: LOG_FIELDS.has(field.name.value) || cursorVariable !== null,
    cursorVariable,
    first: replaceField(document, field, identified),
    resumed: replaceField(document, field, withoutWrittenPlace(identified)),
  };
}

export function findOperation(document: DocumentNode): OperationDefinitionNode | undefined {
  return document.definitions.find((node) => node.kind === 'OperationDefinition');
}

/** The field with these of its own fields selected as well, as far as their names are free. */
export function select(field: FieldNode, names: readonly string[]): FieldNode {
  if (field.selectionSet === undefined) return field;
  const { selections } = field.selectionSet;
  const taken = new Set(selections.map((node) => (node.kind === 'Field' ? (node.alias ?? node.name).value : null)));
  const added = names.filter((name) => !taken.has(name));
  if (added.length === 0) return field;
  const fields = added.map((value): SelectionNode => ({ kind: 'Field' as never, name: nameNode(value) }));
  return { ...field, selectionSet: { ...field.selectionSet, selections: [...selections, ...fields] } };
}

export function nameNode(value: string): FieldNode['name'] {
  return { kind: 'Name' as never, value };
}

function replaceField(document: DocumentNode, field: FieldNode, by: FieldNode): DocumentNode {
  if (field === by) return document;
  return {
    kind: document.kind,
    definitions: document.definitions.map((node) => {
      if (node.kind !== 'OperationDefinition' || !node.selectionSet.selections.includes(field)) return node;
      const selections = node.selectionSet.selections.map((selection) => (selection === field ? by : selection));
      return { ...node, selectionSet: { ...node.selectionSet, selections } };
    }),
  };
}

function withoutWrittenPlace(field: FieldNode): FieldNode {
  const kept = field.arguments?.filter(({ name, value }) => name.value !== 'after' || value.kind === 'Variable');
  return kept?.length === field.arguments?.length ? field : { ...field, arguments: kept };
}

function findCursorVariable(definitions: readonly VariableDefinitionNode[]): string | null {
  const found = definitions.find(({ type }) => type.kind === 'NamedType' && type.name.value === 'Cursor');
  return found?.variable.name.value ?? null;
}

/** What a field's argument comes to with these variables; `undefined`: it is not given. */
export function readArgument(field: FieldNode, name: string, variables: Readonly<Record<string, unknown>>): unknown {
  const argument = field.arguments?.find((node) => node.name.value === name);
  return argument === undefined ? undefined : readValue(argument.value, variables);
}

function readValue(node: ValueNode, variables: Readonly<Record<string, unknown>>): unknown {
  switch (node.kind) {
    case 'Variable':
      return variables[node.name.value];
    case 'ListValue':
      return node.values.map((value) => readValue(value, variables));
    case 'IntValue':
    case 'FloatValue':
      return Number(node.value);
    case 'StringValue':
    case 'EnumValue':
    case 'BooleanValue':
      return node.value;
    default:
      return null;
  }
}
