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
  type Source,
  validate,
  type ValidationRule,
} from 'graphql';
import { ERROR_CODES, type ErrorCode } from '../errors.ts';

/** How large a document may be. The query by which tools read the whole schema is within all of it, twice. */
export const DOCUMENT_LIMITS = {
  /** Names, numbers, braces: 500 symbols that are written out are 500 of them. */
  tokens: 2000,
  /** Fields below each other, through fragments. */
  depth: 20,
  aliases: 50,
  directives: 50,
  /** Fields and spreads that are written, wherever: GraphQL's own validation compares those of one name with each other. */
  selections: 300,
  fragments: 100,
} as const;

const CODE: ErrorCode = 'QUERY_TOO_COMPLEX';

function tooComplex(message: string): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code: CODE, http: { status: ERROR_CODES[CODE].httpStatus, spec: false } },
  });
}

/** Parses a document that has no more tokens than it may. @throws {GraphQLError} */
export function parseBounded(source: string | Source, options?: ParseOptions): DocumentNode {
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
  const { selections, fragments } = countParts(document);
  if (selections > DOCUMENT_LIMITS.selections) {
    return [tooComplex(`Selections limit of ${DOCUMENT_LIMITS.selections} exceeded, found ${selections}.`)];
  }
  if (fragments > DOCUMENT_LIMITS.fragments) {
    return [tooComplex(`Fragments limit of ${DOCUMENT_LIMITS.fragments} exceeded, found ${fragments}.`)];
  }
  return validate(schema, document, RULES, { maxErrors: 1 }).slice(0, 1);
}

/** By a walk of our own: a general visitor takes several times as long, and this is the one that all documents come to. */
function countParts(document: DocumentNode): { selections: number; fragments: number } {
  let selections = 0;
  let fragments = 0;
  const open = document.definitions.flatMap((definition) => {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments += 1;
    return 'selectionSet' in definition ? [definition.selectionSet] : [];
  });
  for (let set = open.pop(); set !== undefined; set = open.pop()) {
    selections += set.selections.length;
    for (const selection of set.selections) {
      if ('selectionSet' in selection && selection.selectionSet !== undefined) open.push(selection.selectionSet);
    }
  }
  return { selections, fragments };
}
