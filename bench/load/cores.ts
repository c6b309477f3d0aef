/** Which process runs on which core, and what it uses of it: Linux's own figures. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** The server under test has this core for itself; all that makes it work shares the other one. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

const TICKS_PER_SECOND = 100;

/** Whether processes can be kept apart here; where not, figures of a server hold what the load costs as well. */
export const canPin = availableParallelism() > 1 && existsSync('/proc/stat') && findTaskset();

function findTaskset(): boolean {
  return spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** The command that runs another on one core, by the same process id. */
export function pinTo(
  core: number | null,
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: string[] } {
  if (core === null || !canPin) return { command, args: [...args] };
  return { command: 'taskset', args: ['-c', String(core), command, ...args] };
}

export function pinProcess(pid: number, core: number): void {
  if (canPin) spawnSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' });
}

/** User and system time of a process, all its threads and all processes that it started. */
export function readCpuSeconds(pid: number): number {
  return sum(listTree(pid), (one) => {
    const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  });
}

/** Resident memory of a process and all that it started. */
export function readResidentBytes(pid: number): number {
  return sum(listTree(pid), (one) => {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'));
    return Number(found?.[1] ?? 0) * 1024;
  });
}

/** A process and all that it started, itself first. */
export function listTree(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' '),
  );
  return [pid, ...children.filter((child) => child !== '').flatMap((child) => listTree(Number(child)))];
}

function sum(pids: readonly number[], read: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + read(pid), 0);
}

/** Since the machine's start, in seconds: what a core has worked, and what the host of a virtual machine took from it. */
export type CoreTimes = { readonly busy: number; readonly stolen: number };

export function readCoreTimes(core: number): CoreTimes {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (line ?? '').split(' ').map(Number);
  return {
    busy: (user + nice + system + irq + softirq) / TICKS_PER_SECOND,
    stolen: steal / TICKS_PER_SECOND,
  };
}

/** What a server on its core, and the two cores, have worked until a moment. */
export type Work = {
  readonly at: number;
  readonly cpu: number;
  readonly serverCore: number;
  readonly loadCore: number;
};

export function readWork(serverPid: number): Work {
  const { busy, stolen } = readCoreTimes(SERVER_CORE);
  return {
    at: performance.now(),
    cpu: readCpuSeconds(serverPid),
    serverCore: busy + stolen,
    loadCore: readCoreTimes(LOAD_CORE).busy,
  };
}

export type Worked = {
  /** In seconds. */
  readonly elapsed: number;
  /** Of the server, in seconds. */
  readonly cpu: number;
  /** Shares of a core. */
  readonly serverLoad: number;
  readonly loadCoreBusy: number;
  /** What was taken from the server's core by processes that are none of the bench, or by the host: the machine's noise. */
  readonly disturbance: number;
};

export function workSince(before: Work, serverPid: number): Worked {
  const now = readWork(serverPid);
  const elapsed = (now.at - before.at) / 1_000;
  const cpu = now.cpu - before.cpu;
  return {
    elapsed,
    cpu,
    serverLoad: cpu / elapsed,
    loadCoreBusy: (now.loadCore - before.loadCore) / elapsed,
    // The core's own figures are counted in ticks: of little they may miss some.
    disturbance: Math.max(0, now.serverCore - before.serverCore - cpu) / elapsed,
  };
}

/** How many files, and so connections, a process may have open. */
export function readFileLimit(): number {
  const found = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return found === undefined || found === 'unlimited' ? Number.POSITIVE_INFINITY : Number(found);
}
