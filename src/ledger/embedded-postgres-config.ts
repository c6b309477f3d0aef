/** The database is small: what Postgres would keep in memory for a large one is left out. */
export const POSTGRES_CONFIG = [
  'shared_buffers = 8MB',
  'wal_buffers = 512kB',
  'max_wal_size = 64MB',
  'min_wal_size = 32MB',
];
