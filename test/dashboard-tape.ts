import type { Page } from 'playwright-core';

/** One row of time and sales: a print by its number, or the words of a row that says that some are missing. */
export type ShownRow = { readonly sequence: number; readonly price: string } | { readonly hole: string };

/**
 * What a reader of time and sales finds who scrolls through all of it, newest first: only rows in view are in the page. A tape
 * that is scrolled stands still; at the end it runs again.
 */
export function readTape(page: Page): Promise<ShownRow[]> {
  return page.getByTestId('tape').evaluate(async (scroller) => {
    const found = new Map<number, ShownRow>();
    const nextFrame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    /** The rows where it was scrolled to come when the page is drawn anew, which on a busy machine takes more than a frame. */
    const untilDrawn = async () => {
      const isDrawn = () => {
        const bottom = scroller.getBoundingClientRect().bottom - 40;
        return [...scroller.querySelectorAll('.tape-row')].some((row) => row.getBoundingClientRect().bottom > bottom);
      };
      do await nextFrame();
      while (!isDrawn());
    };
    for (let top = 3; ; top += scroller.clientHeight / 2) {
      scroller.scrollTo({ top });
      await untilDrawn();
      for (const row of scroller.querySelectorAll<HTMLElement>('.tape-row')) {
        const place = Number(/-?[\d.]+/.exec(row.style.transform)?.[0]);
        const { sequence } = row.dataset;
        const price = (row.querySelector('.tape-price')?.textContent ?? '').replace(/[▲▼,]/g, '');
        found.set(
          place,
          sequence === undefined ? { hole: row.textContent ?? '' } : { sequence: Number(sequence), price },
        );
      }
      if (top >= scroller.scrollHeight) break;
    }
    scroller.scrollTo({ top: 0 });
    await nextFrame();
    return [...found].toSorted(([one], [other]) => one - other).map(([, row]) => row);
  });
}
