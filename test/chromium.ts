import { CHROMIUM, demandProgram } from './programs.ts';

/** Quiet and self-contained: no sandbox (tests run as root in containers), no request that a page did not make. */
export const CHROMIUM_ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
] as const;

/** The path of Chromium: `CHROMIUM_PATH`, else one on the PATH. Throws one line that says what to install. */
export function findChromium(): string {
  return demandProgram(CHROMIUM);
}
