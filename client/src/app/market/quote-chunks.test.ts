import { expect, it } from 'vitest';
import { planChunks } from './quote-chunks.ts';

const chunk = (...symbols: string[]) => ({ symbols: new Set(symbols) });
const want = (...symbols: string[]) => new Set(symbols);
const number = (count: number) => Array.from({ length: count }, (_, index) => `S${index}`);

it('asks for many symbols in as few subscriptions as may be', () => {
  const { opened } = planChunks([], new Set(number(1201)), 500);
  expect(opened.map(({ size }) => size)).toEqual([500, 500, 201]);
});

it('leaves alone what still serves, also with symbols that nobody wants any more', () => {
  const running = chunk('A', 'B');
  expect(planChunks([running], want('B'), 500)).toEqual({ kept: [running], opened: [] });
});

it('ends what serves nobody', () => {
  const needed = chunk('A');
  expect(planChunks([needed, chunk('B')], want('A'), 500)).toEqual({ kept: [needed], opened: [] });
});

it('takes a new symbol in with those of a subscription that has room, without what it holds in vain', () => {
  const full = chunk('A', 'B', 'C');
  const roomy = chunk('D', 'E');
  const { kept, opened } = planChunks([full, roomy], want('A', 'B', 'C', 'D', 'F'), 3);
  expect(kept).toEqual([full]);
  expect(opened).toEqual([want('D', 'F')]);
});

it('makes anew what is larger than the server takes', () => {
  const { kept, opened } = planChunks([chunk('A', 'B', 'C')], want('A', 'B', 'C'), 2);
  expect(kept).toEqual([]);
  expect(opened).toEqual([want('A', 'B'), want('C')]);
});

it('never asks for a symbol twice', () => {
  let running: { symbols: ReadonlySet<string> }[] = [];
  for (let size = 1; size <= 40; size++) {
    const wanted = new Set(number(size * 3).filter((_, index) => (index * 7 + size) % 5 !== 0));
    const { kept, opened } = planChunks(running, wanted, 10);
    running = [...kept, ...opened.map((symbols) => ({ symbols }))];
    const served = running.flatMap(({ symbols }) => [...symbols].filter((symbol) => wanted.has(symbol)));
    expect(served.toSorted()).toEqual([...wanted].toSorted());
    expect(Math.max(...running.map(({ symbols }) => symbols.size))).toBeLessThanOrEqual(10);
  }
});
