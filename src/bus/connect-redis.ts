import type { RedisClient } from './redis-client.ts';
import { RedisCluster } from './redis-cluster.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';
import { connectSingle } from './redis-single.ts';

/**
 * One server, or, where `url` is several separated by commas, the Cluster that these nodes belong to. Returns at once and
 * connects in the background. Throws where one is no URL of Redis.
 */
export function connectRedis({ url, ...options }: RedisConnectionOptions): RedisClient {
  const urls = url.split(',');
  return urls.length > 1 ? new RedisCluster({ ...options, urls }) : connectSingle({ ...options, url });
}
