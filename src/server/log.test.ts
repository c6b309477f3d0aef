import { expect, it } from 'vitest';
import { createLogger } from './log.ts';

it('a line is one JSON object with its level in words, and holds no credentials', () => {
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line: string) => void lines.push(line) });
  const secrets = { authorization: 'Bearer hunter2', 'x-api-key': 'hunter2', apiKey: 'hunter2' };
  logger.child({ connection: 'c1', headers: secrets }).info({ ...secrets, config: secrets }, 'connected');
  logger.debug({}, 'too detailed');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 'info',
    time: expect.stringMatching(/Z$/),
    connection: 'c1',
    msg: 'connected',
    apiKey: '[redacted]',
  });
  expect(lines[0]).not.toContain('hunter2');
});
