/**
 * A process that does what this one asks of it, so that each part of a bench has its own event loop and its own core.
 * The servant's file calls {@link serve} with its commands; the master starts it with {@link startServant}.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { listTree, pinTo } from './cores.ts';

type Commands = Readonly<Record<string, (argument: never) => unknown>>;
type Question = { readonly id: number; readonly name: string; readonly argument: unknown };
type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string };

export type Servant<C extends Commands> = {
  readonly pid: number;
  ask<K extends keyof C & string>(name: K, argument: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>>;
  stop(): Promise<void>;
};

/** `core`: where it is to run; `null`: anywhere. It ends with this process. */
export function startServant<C extends Commands>(
  file: string,
  core: number | null,
  args: readonly string[] = [],
): Servant<C> {
  const pinned = pinTo(core, process.execPath, []);
  const child = fork(file, args, {
    execPath: pinned.command,
    execArgv: pinned.args,
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let lastId = 0;
  child.on('message', ({ id, value, error }: Answer) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(new Error(error));
  });
  child.once('exit', (code, signal) => {
    for (const asked of waiting.values()) asked.reject(new Error(`${file} ended: ${code ?? signal}`));
    waiting.clear();
  });
  return {
    pid: child.pid!,
    ask: (name, argument) => {
      const asked = Promise.withResolvers<unknown>();
      waiting.set((lastId += 1), asked);
      child.send({ id: lastId, name, argument } satisfies Question);
      return asked.promise as never;
    },
    stop: () => endProcess(child),
  };
}

export function serve<C extends Commands>(commands: C): void {
  process.on('message', ({ id, name, argument }: Question) => {
    Promise.resolve((commands[name] as (argument: unknown) => unknown)(argument)).then(
      (value) => process.send!({ id, value } satisfies Answer),
      (error: unknown) => process.send!({ id, error: String(error) } satisfies Answer),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

/** At once, and with all that it started. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (const pid of existsSync('/proc/self') ? listTree(child.pid!) : [child.pid!]) process.kill(pid, 'SIGKILL');
  await ended;
}
