import { styleText } from 'node:util';

/** A piece of a line in one style. */
export type Span = {
  readonly text: string;
  readonly style?: 'bold' | 'dim' | 'green' | 'red' | 'yellow';
};

/** A line as it is written: cut at the terminal's width, styled only where the terminal shows colours. */
export function renderLine(spans: readonly Span[], columns: number, isColoured: boolean): string {
  let left = columns;
  return spans
    .map(({ text, style }) => {
      const shown = text.slice(0, left);
      left -= shown.length;
      // Whether to colour is decided by the caller, for the terminal that it writes to.
      return style === undefined || !isColoured || shown === ''
        ? shown
        : styleText(style, shown, { validateStream: false });
    })
    .join('');
}
