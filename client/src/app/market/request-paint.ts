/** How old what a hidden page shows may be: its title is still seen, among others. */
const HIDDEN_MS = 1000;

/** Calls back before the next frame is painted, or where none is, because nobody looks, after a while. */
export function requestPaint(callback: () => void): void {
  const run = (): void => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    callback();
  };
  const frame = requestAnimationFrame(run);
  const timer = setTimeout(run, HIDDEN_MS);
}
