-- Whose account a key acts on; null: the key's own.
ALTER TABLE api_keys ADD COLUMN user_id text;
CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;

-- Tokens that were revoked before their time, by their "jti".
CREATE TABLE revoked_tokens (
  id text PRIMARY KEY,
  revoked_at timestamp(3) with time zone NOT NULL DEFAULT now()
);
CREATE INDEX revoked_tokens_at ON revoked_tokens (revoked_at);
