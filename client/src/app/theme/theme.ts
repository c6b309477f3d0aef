import { useSyncExternalStore } from 'react';
import { recall, remember } from '../remembered.ts';

export type Theme = 'dark' | 'light';

const KEY = { name: 'theme', version: 1 } as const;
const LIGHT = '(prefers-color-scheme: light)';

const listeners = new Set<() => void>();

function readTheme(): Theme {
  return document.documentElement.dataset['theme'] === 'light' ? 'light' : 'dark';
}

function apply(theme: Theme): void {
  if (document.documentElement.dataset['theme'] === theme) return;
  document.documentElement.dataset['theme'] = theme;
  for (const listener of listeners) listener();
}

function readChoice(): Theme | null {
  return recall(KEY, (value) => (value === 'dark' || value === 'light' ? value : null));
}

/** Before the first paint: what was chosen here, else what the system prefers, now and when it changes. */
export function startTheme(): void {
  const system = matchMedia(LIGHT);
  const follow = (): void => apply(readChoice() ?? (system.matches ? 'light' : 'dark'));
  system.addEventListener('change', follow);
  follow();
}

export function chooseTheme(theme: Theme): void {
  remember(KEY, theme);
  apply(theme);
}

/** For what cannot be styled by custom properties alone, such as a canvas: its colours are read anew when this changes. */
export function useTheme(): Theme {
  return useSyncExternalStore(watchTheme, readTheme);
}

function watchTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
