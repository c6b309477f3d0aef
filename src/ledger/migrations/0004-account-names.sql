-- Until now a token whose "sub" is "key:" and the id of an API key acted on that key's account. From here on such a user has an account
-- of its own, named "user:" and the "sub" (src/access/account-name.ts); the same holds for a "sub" that looks like such a name.
-- An account whose name belongs to a key stays that key's. Any other account of such a name can only be a user's: it is renamed with
-- all that refers to it, so that the user finds it again. The longest names come first, for they are what shorter ones become.
DO $$
DECLARE
  old_name text;
  new_name text;
BEGIN
  FOR old_name IN
    SELECT name
    FROM (
      SELECT user_id AS name FROM accounts
      UNION
      SELECT user_id FROM api_keys WHERE user_id IS NOT NULL
    ) AS names
    WHERE name ~ '^(user:)*key:[0-9a-f]{16}$'
      AND NOT EXISTS (SELECT FROM api_keys WHERE 'key:' || api_keys.id = names.name)
    ORDER BY length(name) DESC
  LOOP
    new_name := 'user:' || old_name;
    INSERT INTO accounts (user_id, log_id, cash, notified, opened_at)
      SELECT new_name, log_id, cash, notified, opened_at FROM accounts WHERE user_id = old_name;
    UPDATE orders SET user_id = new_name WHERE user_id = old_name;
    UPDATE executions SET user_id = new_name WHERE user_id = old_name;
    UPDATE positions SET user_id = new_name WHERE user_id = old_name;
    UPDATE notifications SET user_id = new_name WHERE user_id = old_name;
    UPDATE api_keys SET user_id = new_name WHERE user_id = old_name;
    UPDATE movements SET source = 'user:' || new_name WHERE source = 'user:' || old_name;
    UPDATE movements SET target = 'user:' || new_name WHERE target = 'user:' || old_name;
    DELETE FROM accounts WHERE user_id = old_name;
  END LOOP;
END
$$;
