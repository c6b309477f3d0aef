import {
  type GraphQLArgument,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  getNamedType,
} from 'graphql';

/** Decisions, one after another, read from bytes: where they end, the simplest is taken, so that a short tape is a simple operation. */
export class Decisions {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** From 0 to `count - 1`. */
  pick(count: number): number {
    return (this.#bytes[this.#at++] ?? 0) % count;
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.pick(choices.length)]!;
  }

  /** True once in `times`, and never at the end of the tape. */
  once(times: number): boolean {
    return this.pick(times) === times - 1;
  }
}

export type Generated = {
  readonly source: string;
  readonly operationName: string | null;
  readonly variableValues: Record<string, unknown>;
  /** Others that are as good. */
  readonly otherValues: Record<string, unknown>;
};

export type GeneratorOptions = {
  readonly schema: GraphQLSchema;
  /** Values of the scalars that take arguments, as JSON. */
  readonly scalars: Readonly<Record<string, readonly unknown[]>>;
  /** How deep fields are nested. */
  readonly maxDepth: number;
};

type Fragment = { readonly name: string; readonly on: GraphQLCompositeType; readonly variables: Set<string> };

/** Writes one document of subscriptions that is nearly always valid, as the decisions say. */
export function generateSubscriptions(options: GeneratorOptions, decisions: Decisions): Generated {
  return new Generator(options, decisions).generate();
}

/** By type, which belongs to one schema. */
const overlaps = new WeakMap<GraphQLCompositeType, readonly GraphQLCompositeType[]>();

const RESPONSE_NAMES = ['a', 'b', 'c', 'd', '__proto__', 'toString', 'constructor'];

class Generator {
  readonly #options: GeneratorOptions;
  readonly #decisions: Decisions;
  /** By response name: what is selected under it, which is the same wherever the name is used. */
  readonly #selected = new Map<string, string>();
  readonly #fragments: Fragment[] = [];
  readonly #texts: string[] = [];
  readonly #variables = new Map<string, { definition: string; type: string }>();
  readonly #values: Record<string, unknown> = {};
  readonly #otherValues: Record<string, unknown> = {};
  /** Those that what is being written uses. */
  #used = new Set<string>();

  constructor(options: GeneratorOptions, decisions: Decisions) {
    this.#options = options;
    this.#decisions = decisions;
  }

  generate(): Generated {
    const decisions = this.#decisions;
    const count = 1 + (decisions.once(4) ? 1 + decisions.pick(2) : 0);
    const names = ['One', 'Two', 'Three'].slice(0, count);
    for (const name of names) this.#writeOperation(count === 1 && !decisions.once(3) ? '' : name);
    const isNamed = count > 1 || decisions.once(2);
    const chosen = decisions.one(names);
    return {
      source: this.#texts.join('\n'),
      operationName: isNamed && this.#texts.some((text) => text.startsWith(`subscription ${chosen}`)) ? chosen : null,
      variableValues: this.#values,
      otherValues: this.#otherValues,
    };
  }

  #writeOperation(name: string): void {
    const root = this.#options.schema.getSubscriptionType()!;
    this.#used = new Set();
    // At the top one response name only: the same field, perhaps more than once.
    const fields = Object.values(root.getFields());
    const field = this.#decisions.one(fields);
    // Its arguments are those of the field wherever it is repeated.
    const head = this.#writeFieldHead(root, field);
    const selections = [this.#writeRootField(root, field, head)];
    while (this.#decisions.once(4)) selections.push(this.#writeRootField(root, field, head));
    // What is left out may be another field.
    if (this.#decisions.once(6)) {
      const other = this.#decisions.one(fields);
      if (other.args.every((arg) => !isRequiredArgument(arg))) {
        selections.splice(
          this.#decisions.pick(2),
          0,
          `left: ${other.name} @skip(if: true)${isCompositeType(getNamedType(other.type)) ? ' { __typename }' : ''}`,
        );
      }
    }
    const used = this.#used;
    const definitions = [...used].map((variable) => this.#variables.get(variable)!.definition);
    const variables = definitions.length === 0 ? '' : `(${definitions.join(', ')})`;
    this.#texts.push(`subscription ${name}${variables} { ${selections.join(' ')} }`);
  }

  #writeRootField(root: GraphQLObjectType, field: GraphQLField<unknown, unknown>, head: string): string {
    const type = getNamedType(field.type);
    const text = `${head}${isCompositeType(type) ? this.#writeSelectionSet(type, this.#options.maxDepth) : ''}`;
    if (!this.#decisions.once(4)) return text;
    if (this.#decisions.once(2)) {
      const condition = this.#decisions.one(['', ` on ${root.name}`]);
      return `...${condition}${this.#decisions.one(['', ' @include(if: true)', ' @skip(if: false)'])} { ${text} }`;
    }
    return this.#writeFragment(root, () => `{ ${text} }`, false);
  }

  #writeSelectionSet(type: GraphQLCompositeType, depth: number): string {
    const selections = [this.#writeSelection(type, depth)];
    while (selections.length < 8 && this.#decisions.pick(4) > 0) {
      selections.push(this.#writeSelection(type, depth));
    }
    return ` { ${selections.join(' ')} }`;
  }

  #writeSelection(type: GraphQLCompositeType, depth: number): string {
    const kind = this.#decisions.pick(6);
    if (kind === 5 && depth > 0) return this.#writeSpread(type, depth);
    if (kind === 4 && depth > 0) return this.#writeInlineFragment(type, depth);
    return this.#writeField(type, depth);
  }

  #writeField(type: GraphQLCompositeType, depth: number): string {
    const all = 'getFields' in type ? Object.values(type.getFields()) : [];
    const fields = depth > 0 ? all : all.filter((candidate) => !isCompositeType(getNamedType(candidate.type)));
    if (fields.length === 0 || this.#decisions.once(9)) {
      const alias = this.#decisions.once(3) ? this.#claim('__typename', '__typename: String!') : '';
      return `${alias === '' ? '' : `${alias}: `}__typename${this.#writeDirectives()}`;
    }
    const field = this.#decisions.one(fields);
    const head = this.#writeFieldHead(type, field);
    const named = getNamedType(field.type);
    const below = isCompositeType(named) ? this.#writeSelectionSet(named, depth - 1) : '';
    return `${head}${this.#writeDirectives()}${below}`;
  }

  /** The field with its arguments under a response name that is free, or stands for the same. */
  #writeFieldHead(parent: GraphQLCompositeType, field: GraphQLField<unknown, unknown>): string {
    const args = this.#writeArguments(field.args);
    const call = `${field.name}${args}`;
    const isRoot = parent === this.#options.schema.getSubscriptionType();
    const signature = `${call}: ${String(field.type)}`;
    const wanted = this.#decisions.once(isRoot ? 3 : 4) ? this.#decisions.one(RESPONSE_NAMES) : field.name;
    const name = this.#claim(wanted, signature);
    return name === field.name ? call : `${name}: ${call}`;
  }

  #claim(wanted: string, signature: string): string {
    for (let attempt = 0; ; attempt++) {
      const name = attempt === 0 ? wanted : `${wanted}_${attempt}`;
      const known = this.#selected.get(name);
      if (known === undefined) this.#selected.set(name, signature);
      if (known === undefined || known === signature) return name;
    }
  }

  #writeInlineFragment(type: GraphQLCompositeType, depth: number): string {
    const on = this.#decisions.once(4) ? null : this.#decisions.one(this.#listOverlapping(type));
    const condition = on === null ? '' : ` on ${on.name}`;
    return `...${condition}${this.#writeDirectives()}${this.#writeSelectionSet(on ?? type, depth - 1)}`;
  }

  #writeSpread(type: GraphQLCompositeType, depth: number): string {
    const overlapping = this.#listOverlapping(type);
    const known = this.#fragments.filter(({ on }) => overlapping.includes(on));
    if (known.length > 0 && this.#decisions.once(2)) {
      const fragment = this.#decisions.one(known);
      for (const variable of fragment.variables) this.#used.add(variable);
      return `...${fragment.name}${this.#writeDirectives()}`;
    }
    const on = this.#decisions.one(overlapping);
    return this.#writeFragment(on, () => this.#writeSelectionSet(on, depth - 1), true);
  }

  #writeFragment(on: GraphQLCompositeType, write: () => string, mayDepend: boolean): string {
    const outer = this.#used;
    this.#used = new Set();
    const body = write();
    const fragment: Fragment = { name: `F${this.#texts.length}_${this.#fragments.length}`, on, variables: this.#used };
    this.#texts.push(`fragment ${fragment.name} on ${on.name} ${body.trim()}`);
    // A fragment of the root belongs to its operation.
    if (mayDepend) this.#fragments.push(fragment);
    this.#used = new Set([...outer, ...fragment.variables]);
    return `...${fragment.name}${mayDepend ? this.#writeDirectives() : ''}`;
  }

  /** The types of fragments that may stand where `type` is: the same for every document, and long to find. */
  #listOverlapping(type: GraphQLCompositeType): readonly GraphQLCompositeType[] {
    let overlapping = overlaps.get(type);
    if (overlapping === undefined) overlaps.set(type, (overlapping = this.#findOverlapping(type)));
    return overlapping;
  }

  #findOverlapping(type: GraphQLCompositeType): GraphQLCompositeType[] {
    const { schema } = this.#options;
    const possible = new Set(this.#listPossible(type));
    return Object.values(schema.getTypeMap()).filter(
      (other): other is GraphQLCompositeType =>
        isCompositeType(other) &&
        !other.name.startsWith('__') &&
        this.#listPossible(other).some((one) => possible.has(one)),
    );
  }

  #listPossible(type: GraphQLCompositeType): readonly GraphQLObjectType[] {
    return isAbstractType(type) ? this.#options.schema.getPossibleTypes(type) : isObjectType(type) ? [type] : [];
  }

  #writeDirectives(): string {
    if (!this.#decisions.once(5)) return '';
    const name = this.#decisions.one(['include', 'skip']);
    const condition = this.#decisions.one(['true', 'false', 'variable', 'variable']);
    const text = ` @${name}(if: ${condition === 'variable' ? this.#writeVariable('Boolean!', null) : condition})`;
    return this.#decisions.once(8) ? `${text} @${name === 'skip' ? 'include' : 'skip'}(if: ${name === 'skip'})` : text;
  }

  #writeArguments(args: readonly GraphQLArgument[]): string {
    const given = args.filter((arg) => isRequiredArgument(arg) || this.#decisions.once(2));
    if (given.length === 0) return '';
    const texts = given.map((arg) => `${arg.name}: ${this.#writeArgument(arg)}`);
    return `(${(this.#decisions.once(2) ? texts : texts.toReversed()).join(', ')})`;
  }

  #writeArgument(arg: GraphQLArgument): string {
    if (!this.#decisions.once(3)) return this.#writeLiteral(arg.type, this.#makeValue(arg.type, 2));
    return this.#writeVariable(String(arg.type), arg);
  }

  /** A variable that fits where `type` is wanted, with a value, a default, null, or nothing. */
  #writeVariable(type: string, arg: GraphQLArgument | null): string {
    const same = [...this.#variables].filter(([, known]) => known.type === type);
    if (same.length > 0 && this.#decisions.once(2)) {
      const [name] = this.#decisions.one(same);
      this.#used.add(name);
      return `$${name}`;
    }
    const name = `v${this.#variables.size}`;
    const wanted = arg?.type ?? this.#options.schema.getDirective('skip')!.args[0]!.type;
    const hasDefault = this.#decisions.once(3);
    // With a default, also that of the argument, a variable that may be null is allowed where null is not.
    const mayBeNull = !isNonNullType(wanted) || (hasDefault ? true : arg?.defaultValue !== undefined);
    const isNullable = mayBeNull && (!isNonNullType(wanted) || this.#decisions.once(2));
    const declared = isNullable && isNonNullType(wanted) ? type.slice(0, -1) : type;
    const text = hasDefault ? ` = ${this.#writeLiteral(wanted, this.#makeValue(wanted, 2))}` : '';
    this.#variables.set(name, { definition: `$${name}: ${declared}${text}`, type });
    for (const values of [this.#values, this.#otherValues]) {
      const choice = this.#decisions.pick(4);
      if (choice === 3 && (hasDefault || isNullable)) continue;
      values[name] = choice === 2 && isNullable ? null : this.#makeValue(wanted, 2);
    }
    this.#used.add(name);
    return `$${name}`;
  }

  #makeValue(type: GraphQLInputType, depth: number): unknown {
    if (isNonNullType(type)) return this.#makeValue(type.ofType as GraphQLInputType, depth);
    if (isListType(type)) {
      const count = depth > 0 ? this.#decisions.pick(3) : 0;
      return Array.from({ length: count + 1 }, () => this.#makeValue(type.ofType as GraphQLInputType, depth - 1));
    }
    if (isEnumType(type)) return this.#decisions.one(type.getValues()).name;
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter(
        (field) => (isNonNullType(field.type) && field.defaultValue === undefined) || this.#decisions.once(2),
      );
      return Object.fromEntries(fields.map((field) => [field.name, this.#makeValue(field.type, depth - 1)]));
    }
    return this.#decisions.one(this.#options.scalars[type.name]!);
  }

  #writeLiteral(type: GraphQLInputType, value: unknown): string {
    if (isNonNullType(type)) return this.#writeLiteral(type.ofType as GraphQLInputType, value);
    if (Array.isArray(value)) {
      const item = isListType(type) ? (type.ofType as GraphQLInputType) : type;
      return `[${value.map((one) => this.#writeLiteral(item, one)).join(', ')}]`;
    }
    if (isEnumType(type) && typeof value === 'string') return value;
    if (typeof value === 'object' && value !== null) {
      const fields = isInputObjectType(type) ? type.getFields() : {};
      return `{${Object.entries(value)
        .map(([key, one]) => `${key}: ${this.#writeLiteral(fields[key]?.type ?? type, one)}`)
        .join(', ')}}`;
    }
    return JSON.stringify(value);
  }
}
