import { useSyncExternalStore } from 'react';

/** One view at a time; a watchlist and one view; all side by side. */
export type Layout = 'phone' | 'columns' | 'wide';

const phone = matchMedia('(max-width: 699px)');
const wide = matchMedia('(min-width: 1200px)');

export function useLayout(): Layout {
  return useSyncExternalStore(watchWidth, readLayout);
}

function readLayout(): Layout {
  return phone.matches ? 'phone' : wide.matches ? 'wide' : 'columns';
}

function watchWidth(listener: () => void): () => void {
  phone.addEventListener('change', listener);
  wide.addEventListener('change', listener);
  return () => {
    phone.removeEventListener('change', listener);
    wide.removeEventListener('change', listener);
  };
}
