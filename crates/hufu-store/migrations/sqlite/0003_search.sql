-- Users in the order in which they came, and those that are not in common use.
CREATE INDEX users_created ON users (pool_id, created_at, id);
CREATE INDEX users_unusual ON users (pool_id, status, created_at, id) WHERE status <> 'Activated';

-- The names that users are found by, in lower case as far as ASCII goes. A phone number stands as it is
-- stored, and without its country's code (ITU-T E.164: those of one and two digits are listed, all others have three).
CREATE VIEW names_of_users AS
    SELECT pool_id, id AS user_id, substr(lower(username), 1, 254) AS name FROM users WHERE username IS NOT NULL
    UNION
    SELECT pool_id, id, substr(lower(email), 1, 254) FROM users WHERE email IS NOT NULL
    UNION
    SELECT pool_id, id, substr(lower(phone), 1, 254) FROM users WHERE phone IS NOT NULL
    UNION
    SELECT pool_id, id, substr(lower(CASE
        WHEN substr(phone, 2, 1) IN ('1', '7') THEN substr(phone, 3)
        WHEN substr(phone, 2, 2) IN (
              '20', '27', '30', '31', '32', '33', '34', '36', '39', '40', '41', '43', '44', '45', '46',
              '47', '48', '49', '51', '52', '53', '54', '55', '56', '57', '58', '60', '61', '62', '63',
              '64', '65', '66', '81', '82', '84', '86', '90', '91', '92', '93', '94', '95', '98'
        ) THEN substr(phone, 4)
        ELSE substr(phone, 5)
    END), 1, 254) FROM users WHERE phone IS NOT NULL
    UNION
    SELECT pool_id, id, substr(lower((profile ->> '$.nickname')), 1, 254) FROM users WHERE profile <> '{}' AND (profile ->> '$.nickname') <> ''
    UNION
    SELECT pool_id, id, substr(lower((profile ->> '$.name')), 1, 254) FROM users WHERE profile <> '{}' AND (profile ->> '$.name') <> '';

-- A row a name: prefixes are ranges of its key. Kept by triggers, whoever writes users; who has no name has no row.
CREATE TABLE user_names (
    pool_id TEXT NOT NULL,
    name    TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (pool_id, name, user_id)
) WITHOUT ROWID;
CREATE INDEX user_names_user ON user_names (pool_id, user_id, name);

-- A row a user with a name: all names, one a line, for what stands anywhere in them.
CREATE TABLE user_search (
    -- In the order in which users got their first name.
    seq     INTEGER PRIMARY KEY,
    pool_id TEXT    NOT NULL,
    user_id TEXT    NOT NULL,
    text    TEXT    NOT NULL,
    UNIQUE (pool_id, user_id)
);
CREATE VIRTUAL TABLE user_search_grams USING fts5 (
    text, content = 'user_search', content_rowid = 'seq', tokenize = 'trigram', detail = 'none'
);

CREATE TRIGGER user_search_inserted AFTER INSERT ON user_search BEGIN
    INSERT INTO user_search_grams (rowid, text) VALUES (new.seq, new.text);
END;
CREATE TRIGGER user_search_updated AFTER UPDATE OF text ON user_search WHEN old.text <> new.text BEGIN
    INSERT INTO user_search_grams (user_search_grams, rowid, text) VALUES ('delete', old.seq, old.text);
    INSERT INTO user_search_grams (rowid, text) VALUES (new.seq, new.text);
END;
CREATE TRIGGER user_search_deleted AFTER DELETE ON user_search BEGIN
    INSERT INTO user_search_grams (user_search_grams, rowid, text) VALUES ('delete', old.seq, old.text);
END;

CREATE TRIGGER users_inserted AFTER INSERT ON users
WHEN new.username IS NOT NULL OR new.email IS NOT NULL OR new.phone IS NOT NULL OR new.profile <> '{}'
BEGIN
    INSERT INTO user_names (pool_id, name, user_id)
    SELECT pool_id, name, user_id FROM names_of_users WHERE pool_id = new.pool_id AND user_id = new.id;
    INSERT INTO user_search (pool_id, user_id, text)
    SELECT new.pool_id, new.id, group_concat(name, char(10))
    FROM user_names WHERE pool_id = new.pool_id AND user_id = new.id
    HAVING COUNT(*) > 0;
END;
CREATE TRIGGER users_updated AFTER UPDATE OF username, email, phone, profile ON users
WHEN old.username IS NOT new.username OR old.email IS NOT new.email OR old.phone IS NOT new.phone
    OR old.profile <> new.profile
BEGIN
    DELETE FROM user_names WHERE pool_id = old.pool_id AND user_id = old.id;
    INSERT INTO user_names (pool_id, name, user_id)
    SELECT pool_id, name, user_id FROM names_of_users WHERE pool_id = new.pool_id AND user_id = new.id;
    DELETE FROM user_search
    WHERE pool_id = new.pool_id AND user_id = new.id
      AND NOT EXISTS (SELECT 1 FROM user_names WHERE pool_id = new.pool_id AND user_id = new.id);
    UPDATE user_search
    SET text = (SELECT group_concat(name, char(10)) FROM user_names WHERE pool_id = new.pool_id AND user_id = new.id)
    WHERE pool_id = new.pool_id AND user_id = new.id;
    INSERT INTO user_search (pool_id, user_id, text)
    SELECT new.pool_id, new.id, group_concat(name, char(10))
    FROM user_names
    WHERE pool_id = new.pool_id AND user_id = new.id
      AND NOT EXISTS (SELECT 1 FROM user_search WHERE pool_id = new.pool_id AND user_id = new.id)
    HAVING COUNT(*) > 0;
END;
CREATE TRIGGER users_deleted AFTER DELETE ON users BEGIN
    DELETE FROM user_names WHERE pool_id = old.pool_id AND user_id = old.id;
    DELETE FROM user_search WHERE pool_id = old.pool_id AND user_id = old.id;
END;

INSERT INTO user_names (pool_id, name, user_id) SELECT pool_id, name, user_id FROM names_of_users;
INSERT INTO user_search (pool_id, user_id, text)
SELECT n.pool_id, n.user_id, group_concat(n.name, char(10))
FROM user_names n JOIN users u ON u.pool_id = n.pool_id AND u.id = n.user_id
GROUP BY n.pool_id, n.user_id
ORDER BY u.created_at, u.id;
