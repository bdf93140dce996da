-- The administrator who made the key; none for the command line. Dismissing them ends it.
ALTER TABLE access_keys ADD COLUMN created_by TEXT;
CREATE INDEX access_keys_created_by ON access_keys (created_by) WHERE created_by IS NOT NULL;

-- When the import was called off, or given up for a new start.
ALTER TABLE imports ADD COLUMN cancelled_at BIGINT;

-- The names of a new user, from the row itself: the view names_of_users would look the row up for each of them.
DROP TRIGGER users_inserted;
CREATE TRIGGER users_inserted AFTER INSERT ON users
WHEN new.username IS NOT NULL OR new.email IS NOT NULL OR new.phone IS NOT NULL OR new.profile <> '{}'
BEGIN
    INSERT INTO user_names (pool_id, name, user_id)
    SELECT new.pool_id, name, new.id FROM (
        SELECT substr(lower(new.username), 1, 254) AS name WHERE new.username IS NOT NULL
        UNION SELECT substr(lower(new.email), 1, 254) WHERE new.email IS NOT NULL
        UNION SELECT substr(lower(new.phone), 1, 254) WHERE new.phone IS NOT NULL
        UNION SELECT substr(lower(CASE
        WHEN substr(new.phone, 2, 1) IN ('1', '7') THEN substr(new.phone, 3)
        WHEN substr(new.phone, 2, 2) IN (
              '20', '27', '30', '31', '32', '33', '34', '36', '39', '40', '41', '43', '44', '45', '46',
              '47', '48', '49', '51', '52', '53', '54', '55', '56', '57', '58', '60', '61', '62', '63',
              '64', '65', '66', '81', '82', '84', '86', '90', '91', '92', '93', '94', '95', '98'
        ) THEN substr(new.phone, 4)
        ELSE substr(new.phone, 5)
    END), 1, 254) WHERE new.phone IS NOT NULL
        UNION SELECT substr(lower((new.profile ->> '$.nickname')), 1, 254) WHERE new.profile <> '{}' AND (new.profile ->> '$.nickname') <> ''
        UNION SELECT substr(lower((new.profile ->> '$.name')), 1, 254) WHERE new.profile <> '{}' AND (new.profile ->> '$.name') <> '');
    INSERT INTO user_search (pool_id, user_id, text)
    SELECT new.pool_id, new.id, group_concat(name, char(10))
    FROM user_names WHERE pool_id = new.pool_id AND user_id = new.id
    HAVING COUNT(*) > 0;
END;
