/** What the platform says of its network: of use where it says that there is none, and no promise where it does not. */
export type Network = {
  readonly isOnline: () => boolean;
  /** Calls the listener when that changes; returns what ends that. */
  readonly watch: (listener: () => void) => () => void;
};

/** A browser's. Node knows nothing of it: there the network is always taken to be there. */
export function readPlatformNetwork(): Network {
  const target: Partial<EventTarget> = globalThis;
  return {
    isOnline: () => (globalThis.navigator as Partial<Navigator> | undefined)?.onLine !== false,
    watch: (listener) => {
      target.addEventListener?.('online', listener);
      target.addEventListener?.('offline', listener);
      return () => {
        target.removeEventListener?.('online', listener);
        target.removeEventListener?.('offline', listener);
      };
    },
  };
}
