import { describe, expect, test } from 'vitest';
import type { Logger } from '../../market/logger.ts';
import { RawClient } from '../../../test/raw-exchange-client.ts';
import { startSimulatorProcess } from './simulator-process.ts';

describe('an exchange in a thread of its own', () => {
  test('serves over its socket, is told of faults by HTTP, and logs through its parent', async () => {
    const lines: string[] = [];
    const write = (_fields: object, message: string): void => void lines.push(message);
    const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
    const exchange = await startSimulatorProcess({ symbols: 5, seed: 3, logger });
    const client = await RawClient.login(`${exchange.wsUrl}/stocks`);
    await client.subscribe('T.*');
    await client.untilElement(({ ev }) => ev === 'T');
    const response = await fetch(`${exchange.restUrl}/_control/fault`, { method: 'POST', body: '{"name":"mute"}' });
    expect(await response.json()).toMatchObject({ on: { mute: true } });
    await expect.poll(() => lines).toContain('simulator: fault on');
    await exchange.close();
    await exchange.ended;
    expect(await client.closed).toBe(1006);
  });

  test('says why it cannot start', async () => {
    await expect(startSimulatorProcess({ symbols: 0 })).rejects.toThrow(/symbols is 0/);
    const exchange = await startSimulatorProcess({ symbols: 5, tape: false });
    const port = Number(new URL(exchange.restUrl).port);
    await expect(startSimulatorProcess({ symbols: 5, tape: false, port })).rejects.toThrow(/EADDRINUSE/);
    await exchange.close();
    await exchange.close();
  });
});
