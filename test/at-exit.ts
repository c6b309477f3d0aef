const KEY = Symbol.for('tapeql: what is done at the exit of a test process');

/** Several test files share a process, each with modules of its own: one listener serves them all. */
const shared = globalThis as unknown as Record<symbol, Set<() => void> | undefined>;
if (shared[KEY] === undefined) {
  const tasks = (shared[KEY] = new Set());
  process.once('exit', () => tasks.forEach((task) => task()));
}
const tasks = shared[KEY];

/** Has `task` done when this process ends. Returns what calls that off. */
export function atExit(task: () => void): () => void {
  tasks.add(task);
  return () => tasks.delete(task);
}
