import { type Browser, chromium } from 'playwright-core';
import { inject } from 'vitest';
import { DEADLINE_MS } from './deadline.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the Chromium of this run listens; test/setup.ts starts it where a selected test file imports this one. */
    readonly chromiumEndpoint: string;
  }
}

/**
 * The Chromium that all test files of this run share, for which a file has a connection of its own: it sees no other's contexts, and its
 * own are closed with the connection. Whatever is waited for in a page has the deadline that all tests share.
 */
export async function openBrowser(): Promise<Browser> {
  const browser = await chromium.connect(inject('chromiumEndpoint'), { timeout: DEADLINE_MS });
  browser.on('context', (context) => context.setDefaultTimeout(DEADLINE_MS));
  return browser;
}
