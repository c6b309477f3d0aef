-- Orders that a broker outside works: whose they are, its name of them, and what was asked of it.
ALTER TABLE orders
  ADD COLUMN broker text NOT NULL DEFAULT 'paper',
  ADD COLUMN broker_order_id text,
  ADD COLUMN held_price numeric CHECK (held_price > 0),
  ADD COLUMN cancel_asked_at timestamp(3) with time zone;
ALTER TABLE executions ADD COLUMN broker_execution_id text;
CREATE UNIQUE INDEX executions_broker ON executions (order_id, broker_execution_id);

-- An order that is filled in part is open as well.
DROP INDEX orders_open;
CREATE INDEX orders_open ON orders (user_id) WHERE status IN ('PENDING', 'PARTIALLY_FILLED');
