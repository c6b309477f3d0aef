import type { ChainableCommander } from 'ioredis';

/** The replies of a pipeline or transaction in order; rejects with the first error among them. */
export async function execute<T>(pipeline: ChainableCommander): Promise<T[]> {
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply as T;
  });
}
