import type { LaunchOptions } from 'playwright-core';
import { DEADLINE_MS } from './deadline.ts';
import { CHROMIUM, demandProgram } from './programs.ts';

/** Quiet and self-contained: no sandbox (tests run as root in containers), no request that a page did not make. */
const CHROMIUM_ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  // Fewer processes: what draws is a thread of the browser's, and no page is begun before one is asked for.
  '--in-process-gpu',
  '--disable-features=SpareRendererForSitePerProcess',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
] as const;

/** How Playwright starts Chromium: `CHROMIUM_PATH`, else one on the PATH. Throws one line that says what to install. */
export function readLaunchOptions(): LaunchOptions {
  return { executablePath: demandProgram(CHROMIUM), args: [...CHROMIUM_ARGS], timeout: DEADLINE_MS };
}
