import { describe, expect, it } from 'vitest';
import type { Contestant } from './contestants.ts';
import {
  formatDisturbance,
  formatTable,
  formatValue,
  formatVerdict,
  judgeGoal,
  type Run,
  takeMedians,
} from './report.ts';
import type { Goal, Scenario } from './scenario.ts';

const COLUMNS = [
  { key: 'cpuMicros', title: 'CPU', decimals: 1 },
  { key: 'inTime', title: 'in time', isShare: true },
];

function makeRuns(figures: Partial<Record<Contestant, number[]>>): Run[] {
  return Object.entries(figures).flatMap(([contestant, values]) =>
    values.map((cpuMicros, index) => ({
      contestant: contestant as Contestant,
      round: index + 1,
      figures: { cpuMicros, inTime: 1 },
    })),
  );
}

describe('takeMedians', () => {
  it('is of each contestant by itself, over its rounds', () => {
    const medians = takeMedians(makeRuns({ tapeql: [3, 100, 4], stock: [50, 52] }));
    expect(medians.get('tapeql')).toEqual({ cpuMicros: 4, inTime: 1 });
    expect(medians.get('stock')).toEqual({ cpuMicros: 51, inTime: 1 });
  });
});

describe('judgeGoal', () => {
  const atMost: Goal = { key: 'cpuMicros', sense: 'at most', limit: 1.1, of: 'pre-framed' };
  const atLeast: Goal = { key: 'cpuMicros', sense: 'at least', limit: 200, of: 'stock' };
  const judge = (goal: Goal, figures: Partial<Record<Contestant, number[]>>) =>
    judgeGoal(goal, takeMedians(makeRuns(figures))).outcome;

  it('holds the product against a peer of the same call', () => {
    expect(judge(atMost, { tapeql: [11], 'pre-framed': [10] })).toBe('reached');
    expect(judge(atMost, { tapeql: [12], 'pre-framed': [10] })).toBe('within the noise');
    expect(judge(atMost, { tapeql: [13], 'pre-framed': [10] })).toBe('missed');
    expect(judge(atLeast, { tapeql: [2_000], stock: [10] })).toBe('reached');
    expect(judge(atLeast, { tapeql: [1_750], stock: [10] })).toBe('within the noise');
    expect(judge(atLeast, { tapeql: [1_600], stock: [10] })).toBe('missed');
  });

  it('says nothing where the peer, or the product, was not run', () => {
    expect(judge(atMost, { tapeql: [11] })).toBe('not measured');
    expect(judge(atMost, { 'pre-framed': [11] })).toBe('not measured');
  });

  it('is told with the ratio and the limit of this call', () => {
    const verdict = judgeGoal(atMost, takeMedians(makeRuns({ tapeql: [30], 'pre-framed': [10] })));
    expect(formatVerdict(verdict, COLUMNS)).toBe(
      'CPU: 30.0, 3.00 × pre-framed; the goal is at most 1.1 × pre-framed, that is 11.0: missed',
    );
  });
});

describe('formatTable', () => {
  it('shows the median, and the rounds that lie around it', () => {
    const scenario = { columns: COLUMNS } as unknown as Scenario;
    expect(formatTable(scenario, makeRuns({ tapeql: [9, 12], stock: [50] }))).toEqual({
      CPU: { tapeql: '10.5 (9.0–12.0)', stock: '50.0' },
      'in time': { tapeql: '100 %', stock: '100 %' },
    });
  });

  it('shows what could not be told as a dash', () => {
    expect(formatValue(Number.NaN, { decimals: 1 })).toBe('–');
    expect(formatValue(1_234_567, {})).toBe('1,234,567');
    expect(formatValue(0.9876, { isShare: true, decimals: 1 })).toBe('98.8 %');
  });
});

describe('formatDisturbance', () => {
  it('tells of runs that shared their core', () => {
    const run = (disturbance: number): Run => ({ contestant: 'tapeql', round: 1, figures: { disturbance } });
    expect(formatDisturbance([run(0.02), run(0.05)])).toBeNull();
    expect(formatDisturbance([run(0.02), run(0.35), run(0.2)])).toMatch(/^2 of 3 runs .* 35 % of the server's core$/);
  });
});
