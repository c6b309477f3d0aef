/** A reader's own fault: as loud as if nobody stood between the reader and the platform. */
export function reportUncaught(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
