import { useRef, useState } from 'react';
import type { TapeLog } from './tape-log.ts';

export type TapeHold = {
  /** The end of what is shown while the tape is held still; `null`: it runs. */
  readonly hold: number | null;
  readonly isPaused: boolean;
  /** How many prints came since it is held. */
  readonly news: number;
  readonly setPaused: (isPaused: boolean) => void;
  readonly setHovered: (isHovered: boolean) => void;
  readonly setScrolled: (isScrolled: boolean) => void;
  /** Lets it run, whatever held it. */
  readonly release: () => void;
};

type Held = { readonly end: number; readonly seen: number; readonly generation: number };

const NOTHING = { isPaused: false, isHovered: false, isScrolled: false };

/** A tape that is read stands still: under the pointer, scrolled, or by the button. What comes meanwhile is counted. */
export function useTapeHold(log: TapeLog): TapeHold {
  const [reasons, setReasons] = useState(NOTHING);
  const held = useRef<Held | null>(null);
  const isHeld = reasons.isPaused || reasons.isHovered || reasons.isScrolled;

  if (!isHeld) held.current = null;
  else held.current ??= { end: log.end, seen: log.printsSeen, generation: log.generation };
  const news = held.current === null ? 0 : log.printsSeen - held.current.seen;
  // Where rows were put in among those that are shown, their indexes moved: the same number of prints is left out.
  if (held.current !== null && held.current.generation !== log.generation) {
    held.current = { ...held.current, end: Math.max(log.first, log.end - news), generation: log.generation };
  }

  const change = (part: Partial<typeof NOTHING>): void =>
    setReasons((now) => {
      const next = { ...now, ...part };
      const isSame =
        next.isPaused === now.isPaused && next.isHovered === now.isHovered && next.isScrolled === now.isScrolled;
      return isSame ? now : next;
    });

  return {
    // So long that the ring has gone past it: there is nothing left to hold.
    hold: held.current === null ? null : Math.max(held.current.end, Math.min(log.end, log.first + 100)),
    isPaused: reasons.isPaused,
    news,
    setPaused: (isPaused) => change({ isPaused }),
    setHovered: (isHovered) => change({ isHovered }),
    setScrolled: (isScrolled) => change({ isScrolled }),
    release: () => setReasons(NOTHING),
  };
}
