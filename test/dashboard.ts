import type { Browser, BrowserContext, Page } from 'playwright-core';

/** An environment in which nobody is signed in by himself: what is seen is open to all, and no ledger is needed for it. */
export const ANONYMOUS = { JWT_SECRET: 'a secret of 32 characters or more' } as const;

export type DashboardOptions = {
  /** Default 1280 × 800. */
  readonly width?: number;
  readonly height?: number;
  /** Default: dark. */
  readonly colorScheme?: 'dark' | 'light';
  /** Default: 'reduce', for what moves costs many frames. */
  readonly reducedMotion?: 'reduce' | 'no-preference';
  /** After `#`. Default: none. */
  readonly route?: string;
  /** What the browser remembers of the page, by name: each with the version that the page reads. */
  readonly remembered?: Readonly<Record<string, { readonly version: number; readonly value: unknown }>>;
};

/** The page as a reader has it, in a window of its own that nobody used before. */
export type Dashboard = AsyncDisposable & {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page itself found wrong: errors that nobody caught, and what its policy forbade. */
  readonly errors: readonly string[];
};

export async function openDashboard(browser: Browser, url: string, options: DashboardOptions = {}): Promise<Dashboard> {
  const { width = 1280, height = 800, colorScheme = 'dark', reducedMotion = 'reduce', route = '' } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion });
  const errors: string[] = [];
  const page = await context.newPage();
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    // A server that is away is no fault of the page: the browser says so all the same.
    if (message.type() === 'error' && !/ERR_CONNECTION|WebSocket connection/.test(message.text()))
      errors.push(message.text());
  });
  const remembered = Object.entries(options.remembered ?? {}).map(([name, value]) => [name, JSON.stringify(value)]);
  if (remembered.length > 0) {
    // Once, not at each reload: what the page remembers itself is to stay.
    await page.goto(`${url}/health/live`);
    await page.evaluate((entries) => {
      for (const [name, value] of entries) localStorage.setItem(`tapeql:${name}`, value!);
    }, remembered);
  }
  await page.goto(`${url}/#${route}`);
  return { page, context, errors, [Symbol.asyncDispose]: () => context.close() };
}

/** What the page says of its connection, after "Connection: ". */
export async function readConnection(page: Page): Promise<string> {
  return ((await page.locator('.connection').textContent()) ?? '').replace(/^Connection: /, '');
}

/** The page waits longer after each failure; whoever sits before it need not. Presses its button if it is there at this moment. */
export function tryNow(page: Page): Promise<void> {
  return page
    .getByRole('button', { name: 'Try now' })
    .evaluateAll((buttons) => buttons.forEach((button) => (button as HTMLElement).click()));
}
