import { type KeyboardEvent, useDeferredValue, useEffect, useId, useRef, useState } from 'react';
import { graphql } from '../../gql/gql.ts';
import type { SearchInstrumentsQuery } from '../../gql/graphql.ts';
import { readSymbol } from '../shell/route.ts';
import { useTape } from '../tape-client.tsx';
import './symbol-search.css';

const SearchInstruments = graphql(`
  query SearchInstruments($search: String!) {
    instruments(search: $search, first: 8) {
      symbol
      name
      kind
    }
  }
`);

type Instrument = SearchInstrumentsQuery['instruments'][number];
/** `null` at `found`: it is being looked for. */
type Answer = { readonly search: string; readonly found: readonly Instrument[] | null; readonly error: string | null };

const NOTHING_ASKED: Answer = { search: '', found: null, error: null };

/** Finds a symbol by its letters or its company, and hands over the one that is picked. `/` leads to it from anywhere. */
export function SymbolSearch({
  held,
  onPick,
}: {
  /** What the list has already. */
  readonly held: ReadonlySet<string>;
  readonly onPick: (symbol: string) => void;
}) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [isOpen, setIsOpen] = useState(false);
  const [active, setActive] = useState(0);
  const answer = useInstruments(useDeferredValue(text.trim()));
  useSlash(input);

  const options = answer.found ?? [];
  const isShown = isOpen && text.trim() !== '';
  const current = options[Math.min(active, options.length - 1)];

  const pick = (symbol: string): void => {
    setText('');
    setIsOpen(false);
    setActive(0);
    onPick(symbol);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    switch (event.key) {
      case 'ArrowDown':
        setIsOpen(true);
        setActive(options.length === 0 ? 0 : (active + 1) % options.length);
        break;
      case 'ArrowUp':
        setActive(options.length === 0 ? 0 : (active - 1 + options.length) % options.length);
        break;
      case 'Enter': {
        // What is typed and not found may be an option or an index that no list names: the server knows.
        const symbol = (isShown && answer.search === text.trim() ? current?.symbol : undefined) ?? readSymbol(text);
        if (symbol === null || symbol === undefined) return;
        pick(symbol);
        break;
      }
      case 'Escape':
        if (isShown) setIsOpen(false);
        else setText('');
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  return (
    <div className="search">
      <input
        ref={input}
        className="search-field"
        type="text"
        role="combobox"
        aria-label="Add a symbol"
        aria-expanded={isShown}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={isShown && current !== undefined ? `${id}-${current.symbol}` : undefined}
        placeholder="Add a symbol or company"
        autoComplete="off"
        autoCapitalize="characters"
        spellCheck={false}
        maxLength={64}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setIsOpen(true);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
        onBlur={() => setIsOpen(false)}
      />
      <kbd className="search-key" aria-hidden="true">
        /
      </kbd>
      <div className="search-results" hidden={!isShown}>
        <ul id={`${id}-list`} role="listbox" aria-label="Symbols found">
          {options.map((instrument) => (
            <li
              key={instrument.symbol}
              id={`${id}-${instrument.symbol}`}
              role="option"
              aria-selected={instrument === current}
              className="search-option"
              // The field keeps the focus.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => pick(instrument.symbol)}
            >
              <strong>{instrument.symbol}</strong>
              <span className="search-name">{instrument.name}</span>
              <span className="search-kind">{held.has(instrument.symbol) ? 'in list' : KINDS[instrument.kind]}</span>
            </li>
          ))}
        </ul>
        <p className="search-note" role="status">
          {describeAnswer(answer, text.trim())}
        </p>
      </div>
    </div>
  );
}

const KINDS: Readonly<Record<Instrument['kind'], string>> = {
  STOCK: 'Stock',
  ETF: 'Fund',
  INDEX: 'Index',
  OTHER: 'Other',
};

function describeAnswer({ found, error }: Answer, text: string): string {
  if (error !== null) return error;
  if (found === null) return 'Searching…';
  if (found.length > 0) return '';
  const symbol = readSymbol(text);
  return symbol === null
    ? `Nothing is called “${text}”.`
    : `Nothing is called “${text}”. Enter adds ${symbol} as it is.`;
}

/** What is found of a text; of the last one while that of a new one is on its way, so that the list does not blink. */
function useInstruments(search: string): Answer {
  const client = useTape();
  const [answer, setAnswer] = useState(NOTHING_ASKED);
  useEffect(() => {
    if (search === '') return setAnswer(NOTHING_ASKED);
    const timer = setTimeout(() => {
      running = client
        .query(SearchInstruments, { search }, { requestPolicy: 'cache-first' })
        .subscribe(({ data, error }) => {
          const failure = error === undefined ? null : (error.graphQLErrors[0]?.message ?? 'The search failed.');
          setAnswer({ search, found: data?.instruments ?? [], error: failure });
        });
    }, 100);
    let running: { unsubscribe(): void } | null = null;
    return () => {
      clearTimeout(timer);
      running?.unsubscribe();
    };
  }, [client, search]);
  return answer;
}

function useSlash(input: { readonly current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent): void => {
      const isTyping = event.target instanceof HTMLElement && event.target.closest('input, select, textarea') !== null;
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [input]);
}
