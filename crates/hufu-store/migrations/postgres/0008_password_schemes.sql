-- Which schemes of password hashes a pool has: a failed login does the work of all of them, so that its time does not
-- tell who was imported. The expression is the text of a hash without salt and hash, as in `passwords.rs`.
CREATE INDEX IF NOT EXISTS users_password_scheme ON users (
    pool_id,
    (CASE WHEN substr(password_hash, 2, 1) = '2'
          THEN rtrim(password_hash, replace(password_hash, '$', ''))
          ELSE rtrim(rtrim(rtrim(password_hash, replace(password_hash, '$', '')), '$'),
                     replace(password_hash, '$', '')) END)
) WHERE password_hash IS NOT NULL;
