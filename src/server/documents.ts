import { type DocumentNode, GraphQLError, type GraphQLSchema, type ParseOptions, type ValidationRule } from 'graphql';
import { LRUCache } from 'lru-cache';
import { findExcess, parseBounded, validateBounded } from '../access/complexity.ts';
import { CpuClock } from '../access/cpu-clock.ts';

/** Valid documents are kept up to this many characters of source in all: as trees they hold some sixty times as much memory. */
const MAX_KNOWN_CHARACTERS = 512 * 1024;
/** Documents that are refused are kept so that one which is sent again and again costs little; they take no room from valid ones. */
const MAX_REFUSED_CHARACTERS = 64 * 1024;
/** A tree has a size though its source is short, and an error as well. */
const LEAST_CHARACTERS = 200;
/**
 * A new document takes room that others had, and they have to be parsed again: so each character costs as long as it takes to parse and
 * to validate one of a document that is mostly names.
 */
const CHARACTER_MS = 0.001;

/**
 * Neither parsing nor validating a document is charged for with more than this, and this for each character: twice of what the dearest
 * documents take. What is above it is no fault of who sent it: code that has not run before, memory that is collected, a machine that is busy.
 */
const MAX_BASE_MS = 0.5;
const MAX_CHARACTER_MS = 0.00125;
/** Characters of a message: graphql-js repeats a name in it, however long that is. */
const MAX_MESSAGE_CHARACTERS = 500;

/** Counts milliseconds of work. */
type Charge = (ms: number) => void;

/**
 * The documents that clients sent, parsed and validated once. What is new is work, which is measured and charged to who sent it; what is
 * known costs nothing. What is not valid is never kept among what is.
 */
export class Documents {
  readonly #known = createCache<DocumentNode>(MAX_KNOWN_CHARACTERS);
  readonly #refused = createCache<DocumentNode | GraphQLError>(MAX_REFUSED_CHARACTERS);
  readonly #sources = new WeakMap<DocumentNode, string>();
  readonly #verdicts = new WeakMap<DocumentNode, readonly GraphQLError[]>();
  readonly #clock = new CpuClock();
  #parsed = 0;
  #validated = 0;

  /** @throws {GraphQLError} */
  parse(source: string, options: ParseOptions | undefined, charge: Charge): DocumentNode {
    const kept = this.#known.get(source) ?? this.#refused.get(source);
    if (kept instanceof GraphQLError) throw kept;
    if (kept !== undefined) return kept;
    this.#parsed++;
    const start = this.#clock.start();
    try {
      const document = parseBounded(source, options);
      this.#sources.set(document, source);
      return document;
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      const shortened = shorten(error);
      this.#refused.set(source, shortened);
      throw shortened;
    } finally {
      charge(this.#measure(start, source.length) + source.length * CHARACTER_MS);
    }
  }

  validate(
    schema: GraphQLSchema,
    document: DocumentNode,
    rules: readonly ValidationRule[] | undefined,
    charge: Charge,
  ): readonly GraphQLError[] {
    const verdict = this.#verdicts.get(document);
    if (verdict !== undefined) return verdict;
    this.#validated++;
    const start = this.#clock.start();
    const excess = findExcess(schema, document);
    const errors = (excess.length > 0 ? excess : validateBounded(schema, document, rules)).map(shorten);
    this.#verdicts.set(document, errors);
    const source = this.#sources.get(document);
    if (source !== undefined) (errors.length === 0 ? this.#known : this.#refused).set(source, document);
    charge(this.#measure(start, source?.length ?? 0));
    return errors;
  }

  #measure(start: number, characters: number): number {
    return Math.min(this.#clock.since(start), MAX_BASE_MS + characters * MAX_CHARACTER_MS);
  }

  readStats() {
    return {
      parsed: this.#parsed,
      validated: this.#validated,
      known: this.#known.size,
      knownCharacters: this.#known.calculatedSize,
      refused: this.#refused.size,
      refusedCharacters: this.#refused.calculatedSize,
    };
  }
}

function shorten(error: GraphQLError): GraphQLError {
  const { message, nodes, source, positions, extensions } = error;
  if (message.length <= MAX_MESSAGE_CHARACTERS) return error;
  const options = { nodes: nodes ?? null, source: source ?? null, positions: positions ?? null, extensions };
  return new GraphQLError(`${message.slice(0, MAX_MESSAGE_CHARACTERS)}…`, options);
}

/** Bounded by the length of the sources, for a client decides how many different ones it sends. */
function createCache<T extends object>(maxCharacters: number): LRUCache<string, T> {
  return new LRUCache<string, T>({
    maxSize: maxCharacters,
    sizeCalculation: (_value, source) => source.length + LEAST_CHARACTERS,
  });
}
