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

type Held = { readonly first: number; readonly end: number; readonly seen: number; readonly generation: number };

/** When the ring has gone past what is held, so many of the oldest rows that are left are shown in its place. */
const LEFT_ROWS = 100;

const NOTHING = { isPaused: false, isHovered: false, isScrolled: false };

/** A tape that is read stands still: under the pointer, scrolled, or by the button. What comes meanwhile is counted. */
export function useTapeHold(log: TapeLog): TapeHold {
  const [reasons, setReasons] = useState(NOTHING);
  const held = useRef<Held | null>(null);
  const isHeld = reasons.isPaused || reasons.isHovered || reasons.isScrolled;

  if (!isHeld) held.current = null;
  else held.current ??= { first: log.first, end: log.end, seen: log.printsSeen, generation: log.generation };
  const news = held.current === null ? 0 : log.printsSeen - held.current.seen;
  // Where rows were put in among those that are shown, their indexes moved: the same number of prints is left out.
  if (held.current !== null && held.current.generation !== log.generation) {
    held.current = {
      ...held.current,
      first: log.first,
      end: Math.max(log.first, log.end - news),
      generation: log.generation,
    };
  }

  const change = (part: Partial<typeof NOTHING>): void =>
    setReasons((now) => {
      const next = { ...now, ...part };
      const isSame =
        next.isPaused === now.isPaused && next.isHovered === now.isHovered && next.isScrolled === now.isScrolled;
      return isSame ? now : next;
    });

  const hold = held.current;
  return {
    hold: hold === null || log.first === hold.first ? (hold?.end ?? null) : Math.max(hold.end, log.first + LEFT_ROWS),
    isPaused: reasons.isPaused,
    news,
    setPaused: (isPaused) => change({ isPaused }),
    setHovered: (isHovered) => change({ isHovered }),
    setScrolled: (isScrolled) => change({ isScrolled }),
    release: () => setReasons(NOTHING),
  };
}
