CREATE TABLE accounts (
  user_id text PRIMARY KEY,
  log_id text NOT NULL,
  cash numeric NOT NULL,
  notified bigint NOT NULL DEFAULT 0,
  opened_at timestamp(3) with time zone NOT NULL DEFAULT now(),
  CONSTRAINT accounts_cash_check CHECK (cash >= 0)
);

CREATE TABLE orders (
  number bigserial PRIMARY KEY,
  id uuid NOT NULL UNIQUE,
  user_id text NOT NULL REFERENCES accounts,
  client_order_id text NOT NULL,
  symbol text NOT NULL,
  side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
  type text NOT NULL CHECK (type IN ('MARKET', 'LIMIT')),
  quantity numeric NOT NULL CHECK (quantity > 0),
  limit_price numeric CHECK (limit_price > 0),
  filled_quantity numeric NOT NULL DEFAULT 0,
  average_price numeric,
  status text NOT NULL CHECK (status IN ('PENDING', 'FILLED', 'PARTIALLY_FILLED', 'CANCELLED', 'REJECTED')),
  reason text,
  created_at timestamp(3) with time zone NOT NULL,
  updated_at timestamp(3) with time zone NOT NULL,
  CHECK ((type = 'LIMIT') = (limit_price IS NOT NULL)),
  CHECK (filled_quantity BETWEEN 0 AND quantity),
  CHECK ((status = 'REJECTED') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX orders_user_client_order ON orders (user_id, client_order_id);
CREATE INDEX orders_user_number ON orders (user_id, number);
CREATE INDEX orders_open ON orders (user_id) WHERE status = 'PENDING';

CREATE TABLE executions (
  id uuid PRIMARY KEY,
  order_id uuid NOT NULL REFERENCES orders (id),
  user_id text NOT NULL,
  symbol text NOT NULL,
  side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
  quantity numeric NOT NULL CHECK (quantity > 0),
  price numeric NOT NULL CHECK (price > 0),
  amount numeric NOT NULL CHECK (amount >= 0),
  executed_at timestamp(3) with time zone NOT NULL
);

CREATE TABLE positions (
  user_id text NOT NULL REFERENCES accounts,
  symbol text NOT NULL,
  quantity numeric NOT NULL,
  cost numeric NOT NULL,
  PRIMARY KEY (user_id, symbol),
  CONSTRAINT positions_quantity_check CHECK (quantity > 0)
);

CREATE TABLE movements (
  number bigserial PRIMARY KEY,
  execution_id uuid REFERENCES executions,
  asset text NOT NULL,
  amount numeric NOT NULL,
  source text NOT NULL,
  target text NOT NULL,
  moved_at timestamp(3) with time zone NOT NULL,
  CONSTRAINT movements_amount_check CHECK (amount > 0),
  CHECK (source <> target)
);
CREATE INDEX movements_source ON movements (source, asset);
CREATE INDEX movements_target ON movements (target, asset);

CREATE TABLE notifications (
  user_id text NOT NULL REFERENCES accounts,
  number bigint NOT NULL,
  body jsonb NOT NULL,
  created_at timestamp(3) with time zone NOT NULL,
  published_at timestamp(3) with time zone,
  PRIMARY KEY (user_id, number)
);
CREATE INDEX notifications_unpublished ON notifications (created_at) WHERE published_at IS NULL;

CREATE TABLE api_keys (
  id text PRIMARY KEY,
  name text NOT NULL,
  hash text NOT NULL UNIQUE,
  scopes text[] NOT NULL,
  created_at timestamp(3) with time zone NOT NULL DEFAULT now(),
  revoked_at timestamp(3) with time zone
);
