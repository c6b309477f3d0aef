const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** A breath of colour behind a figure that moved; none where motion is not wanted. */
export function flash(element: Element, direction: 'up' | 'down'): void {
  if (reducedMotion.matches) return;
  element.animate([{ backgroundColor: `var(--${direction}-soft)` }, { backgroundColor: 'transparent' }], {
    duration: 300,
    easing: 'ease-out',
  });
}
