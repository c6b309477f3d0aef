import { medianOf } from '../load/percentiles.ts';
import type { Contestant } from './contestants.ts';
import { type Column, type Figures, type Goal, MAX_DISTURBANCE, type Scenario } from './scenario.ts';

/** One contestant's figures of one round. */
export type Run = { readonly contestant: Contestant; readonly round: number; readonly figures: Figures };

/** Differences below this are the machine's. */
const NOISE = 0.15;

export type Verdict = {
  readonly goal: Goal;
  readonly value: number;
  /** The limit that held in this call: a peer's figure times its factor. */
  readonly limit: number;
  readonly outcome: 'reached' | 'within the noise' | 'missed' | 'not measured';
};

/** The median of each figure over the rounds, by contestant in the order in which they were run. */
export function takeMedians(runs: readonly Run[]): Map<Contestant, Figures> {
  const medians = new Map<Contestant, Figures>();
  for (const [contestant, own] of Map.groupBy(runs, (run) => run.contestant)) {
    const keys = new Set(own.flatMap(({ figures }) => Object.keys(figures)));
    medians.set(
      contestant,
      Object.fromEntries([...keys].map((key) => [key, medianOf(own.map(({ figures }) => figures[key] ?? Number.NaN))])),
    );
  }
  return medians;
}

export function judgeGoal(goal: Goal, medians: ReadonlyMap<Contestant, Figures>): Verdict {
  const value = medians.get('tapeql')?.[goal.key] ?? Number.NaN;
  const reference = goal.of === undefined ? 1 : (medians.get(goal.of)?.[goal.key] ?? Number.NaN);
  const limit = goal.limit * reference;
  return { goal, value, limit, outcome: compare(value, limit, goal.sense) };
}

function compare(value: number, limit: number, sense: Goal['sense']): Verdict['outcome'] {
  if (Number.isNaN(value) || Number.isNaN(limit)) return 'not measured';
  if (sense === 'at most' ? value <= limit : value >= limit) return 'reached';
  const isNear = sense === 'at most' ? value <= limit * (1 + NOISE) : value >= limit * (1 - NOISE);
  return isNear ? 'within the noise' : 'missed';
}

/** A column for each contestant: medians, and in brackets the lowest and the highest round where they differ. */
export function formatTable(scenario: Scenario, runs: readonly Run[]): Record<string, Record<string, string>> {
  const table: Record<string, Record<string, string>> = {};
  for (const column of scenario.columns) {
    const row: Record<string, string> = {};
    for (const [contestant, medians] of takeMedians(runs)) {
      const all = runs.filter((run) => run.contestant === contestant).map(({ figures }) => figures[column.key]!);
      const [low, median, high] = [Math.min(...all), medians[column.key]!, Math.max(...all)].map((value) =>
        formatValue(value, column),
      );
      row[contestant] = low === high ? median! : `${median} (${low}–${high})`;
    }
    table[column.title] = row;
  }
  return table;
}

export function formatValue(value: number, { decimals = 0, isShare = false }: Omit<Column, 'key' | 'title'>): string {
  if (Number.isNaN(value)) return '–';
  const shown = isShare ? value * 100 : value;
  const text = shown.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return isShare ? `${text} %` : text;
}

export function formatVerdict({ goal, value, limit, outcome }: Verdict, columns: readonly Column[]): string {
  const column = columns.find(({ key }) => key === goal.key)!;
  const shown = formatValue(value, column);
  const asked =
    goal.of === undefined
      ? formatValue(goal.limit, { ...column, decimals: Number.isInteger(goal.limit) ? 0 : 2 })
      : `${goal.limit} × ${goal.of}, that is ${formatValue(limit, column)}`;
  const ratio = goal.of === undefined ? '' : `, ${((value / limit) * goal.limit).toFixed(2)} × ${goal.of}`;
  return `${column.title}: ${shown}${ratio}; the goal is ${goal.sense} ${asked}: ${outcome}`;
}

/** Of the runs that other processes of the machine disturbed; `null` where there were none. */
export function formatDisturbance(runs: readonly Run[]): string | null {
  const disturbed = runs.filter(({ figures }) => (figures['disturbance'] ?? 0) > MAX_DISTURBANCE);
  if (disturbed.length === 0) return null;
  const most = Math.max(...disturbed.map(({ figures }) => figures['disturbance']!));
  const taken = formatValue(most, { isShare: true });
  return `${disturbed.length} of ${runs.length} runs were disturbed: other processes took up to ${taken} of the server's core`;
}
