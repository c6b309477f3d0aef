/** What a canvas needs of the theme: the tokens' values, which it cannot read from the style sheet by itself. */
export type ChartColours = {
  readonly ground: string;
  readonly text: string;
  readonly textFaint: string;
  readonly grid: string;
  readonly line: string;
  readonly label: string;
  readonly up: string;
  readonly down: string;
  readonly upVolume: string;
  readonly downVolume: string;
  readonly font: string;
};

export function readChartColours(element: Element): ChartColours {
  const style = getComputedStyle(element);
  const read = (token: string): string => style.getPropertyValue(token).trim();
  return {
    ground: read('--surface'),
    text: read('--text-soft'),
    textFaint: read('--text-faint'),
    grid: read('--grid'),
    line: read('--line'),
    label: read('--line-strong'),
    up: read('--up'),
    down: read('--down'),
    upVolume: `${read('--up')}66`,
    downVolume: `${read('--down')}66`,
    font: style.fontFamily,
  };
}
