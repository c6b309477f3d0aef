import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesRule } from '@escape.tech/graphql-armor-max-directives';
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  parse,
  type ParseOptions,
  type SelectionSetNode,
  type Source,
  validate,
  type ValidationRule,
} from 'graphql';
import { ERROR_CODES, type ErrorCode } from '../errors.ts';

/** How large a document may be. The query by which tools read the whole schema is within all of it, twice. */
const DOCUMENT_LIMITS = {
  /** Names, numbers, braces: 500 symbols that are written out are 500 of them. */
  tokens: 2000,
  /** Fields below each other, through fragments. */
  depth: 20,
  aliases: 50,
  directives: 50,
  /** Fields and spreads that are written, wherever: GraphQL's own validation compares those of one name with each other. */
  selections: 300,
  /** GraphQL's own validation compares each fragment with each other one that is spread beside it. */
  fragments: 30,
  operations: 50,
  /**
   * Fields that have to be the same because they have one name in one place of the answer, counted in pairs: GraphQL's own validation
   * compares each with each other one. 32 of one name are 496 pairs.
   */
  pairs: 500,
  /** Fields when each fragment is written out wherever it is spread. */
  fields: 2000,
  /** Spaces and comments as well: 500 symbols of 32 characters are half of it. */
  characters: 32 * 1024,
  /** graphql-js counts the lines up to the place of each error from the first one. */
  lines: 2000,
} as const;

/** After so many errors the rest of a document is not looked at: nobody reads more, and each takes time and room. */
const MAX_ERRORS = 20;

const CODE: ErrorCode = 'QUERY_TOO_COMPLEX';
const VALIDATION_CODE: ErrorCode = 'GRAPHQL_VALIDATION_FAILED';

function tooComplex(message: string): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code: CODE, http: { status: ERROR_CODES[CODE].httpStatus, spec: false } },
  });
}

/** Parses a document that is no longer, and has no more tokens, than it may. @throws {GraphQLError} */
export function parseBounded(source: string | Source, options?: ParseOptions): DocumentNode {
  const text = typeof source === 'string' ? source : source.body;
  if (text.length > DOCUMENT_LIMITS.characters) {
    throw tooComplex(`Length limit of ${DOCUMENT_LIMITS.characters} characters exceeded, found ${text.length}.`);
  }
  if (hasMoreLines(text, DOCUMENT_LIMITS.lines)) throw tooComplex(`Lines limit of ${DOCUMENT_LIMITS.lines} exceeded.`);
  try {
    return parse(source, { ...options, maxTokens: DOCUMENT_LIMITS.tokens });
  } catch (error) {
    // graphql-js gives up with an error of syntax.
    if (error instanceof GraphQLError && /^Syntax Error: Document contains more \w+ \d+ tokens/.test(error.message)) {
      throw tooComplex(`Tokens limit of ${DOCUMENT_LIMITS.tokens} exceeded.`);
    }
    throw error;
  }
}

const armor = {
  // The default adds to each a code of its own kind, a syntax error, and throws past the validation.
  propagateOnRejection: false,
  onReject: [
    (context: { reportError(error: GraphQLError): void } | null, error: GraphQLError): void =>
      context?.reportError(tooComplex(error.message.replace(/^Syntax Error: /, ''))),
  ],
};

/** Written aliases of any name count: armor lets those of `__typename` pass. */
const RULES = [
  maxDepthRule({ n: DOCUMENT_LIMITS.depth, ignoreIntrospection: false, flattenFragments: true, ...armor }),
  maxAliasesRule({ n: DOCUMENT_LIMITS.aliases, allowList: [], ...armor }),
  maxDirectivesRule({ n: DOCUMENT_LIMITS.directives, ...armor }),
] as unknown as ValidationRule[];

/**
 * What makes a document too large to be looked at any further. To be asked before GraphQL's own validation: several of its rules
 * compare each field with each other one.
 */
export function findExcess(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] {
  const { selections, fragments, operations } = countParts(document);
  if (selections > DOCUMENT_LIMITS.selections) {
    return [tooComplex(`Selections limit of ${DOCUMENT_LIMITS.selections} exceeded, found ${selections}.`)];
  }
  if (fragments > DOCUMENT_LIMITS.fragments) {
    return [tooComplex(`Fragments limit of ${DOCUMENT_LIMITS.fragments} exceeded, found ${fragments}.`)];
  }
  if (operations > DOCUMENT_LIMITS.operations) {
    return [tooComplex(`Operations limit of ${DOCUMENT_LIMITS.operations} exceeded, found ${operations}.`)];
  }
  const excess = validate(schema, document, RULES, { maxErrors: 1 }).slice(0, 1);
  if (excess.length > 0) return excess;
  const { fields, pairs } = countSpreadOut(document);
  if (fields > DOCUMENT_LIMITS.fields) {
    return [tooComplex(`Limit of ${DOCUMENT_LIMITS.fields} fields, with all fragments written out, exceeded.`)];
  }
  if (pairs > DOCUMENT_LIMITS.pairs) {
    return [tooComplex('The same fields are asked for too often in one place of the answer.')];
  }
  return [];
}

/** GraphQL's own validation, which ends after some errors. Each has a code, also the one that says so. */
export function validateBounded(...[schema, document, rules]: Parameters<typeof validate>): readonly GraphQLError[] {
  const errors = validate(schema, document, rules, { maxErrors: MAX_ERRORS });
  const last = errors.at(-1);
  if (errors.length <= MAX_ERRORS || last === undefined) return errors;
  return [...errors.slice(0, -1), new GraphQLError(last.message, { extensions: { code: VALIDATION_CODE } })];
}

function hasMoreLines(text: string, limit: number): boolean {
  let lines = 1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code === 10 || code === 13) && ++lines > limit) return true;
  }
  return false;
}

/** By a walk of our own: a general visitor takes several times as long, and this is the one that all documents come to. */
function countParts(document: DocumentNode): { selections: number; fragments: number; operations: number } {
  let selections = 0;
  let fragments = 0;
  let operations = 0;
  const open = document.definitions.flatMap((definition) => {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments += 1;
    else operations += 1;
    return 'selectionSet' in definition ? [definition.selectionSet] : [];
  });
  for (let set = open.pop(); set !== undefined; set = open.pop()) {
    selections += set.selections.length;
    for (const selection of set.selections) {
      if ('selectionSet' in selection && selection.selectionSet !== undefined) open.push(selection.selectionSet);
    }
  }
  return { selections, fragments, operations };
}

type Group = { readonly sets: readonly SelectionSetNode[]; readonly depth: number };

/**
 * The fields of a document with its fragments written out, and how many pairs of them stand in one place of the answer; no further
 * than the limits. Fields of one name are gathered as an execution gathers them, and then what is below them, all together.
 */
function countSpreadOut(document: DocumentNode): { fields: number; pairs: number } {
  const fragments = new Map<string, SelectionSetNode>();
  const open: Group[] = [];
  for (const definition of document.definitions) {
    if (!('selectionSet' in definition)) continue;
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition.selectionSet);
    open.push({ sets: [definition.selectionSet], depth: 1 });
  }
  let fields = 0;
  let pairs = 0;
  for (let group = open.pop(); group !== undefined; group = open.pop()) {
    const spread = new Set<string>();
    const byName = new Map<string, { count: number; readonly below: SelectionSetNode[] }>();
    const sets = [...group.sets];
    for (let set = sets.pop(); set !== undefined; set = sets.pop()) {
      for (const selection of set.selections) {
        if (selection.kind === Kind.INLINE_FRAGMENT) sets.push(selection.selectionSet);
        else if (selection.kind === Kind.FRAGMENT_SPREAD) {
          const name = selection.name.value;
          const fragment = spread.has(name) ? undefined : fragments.get(name);
          spread.add(name);
          if (fragment !== undefined) sets.push(fragment);
        } else {
          const name = selection.alias?.value ?? selection.name.value;
          let same = byName.get(name);
          if (same === undefined) byName.set(name, (same = { count: 0, below: [] }));
          fields += 1;
          pairs += same.count;
          same.count += 1;
          if (selection.selectionSet !== undefined) same.below.push(selection.selectionSet);
        }
      }
    }
    if (fields > DOCUMENT_LIMITS.fields || pairs > DOCUMENT_LIMITS.pairs) break;
    // Fragments that spread each other without end are told by the validation.
    if (group.depth >= DOCUMENT_LIMITS.depth) continue;
    for (const { below } of byName.values()) if (below.length > 0) open.push({ sets: below, depth: group.depth + 1 });
  }
  return { fields, pairs };
}
