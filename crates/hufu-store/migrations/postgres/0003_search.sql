-- Users in the order in which they came, and those that are not in common use.
CREATE INDEX users_created ON users (pool_id, created_at, id);
CREATE INDEX users_unusual ON users (pool_id, status, created_at, id) WHERE status <> 'Activated';

-- A text field of a profile. PostgreSQL reads no JSON with an escaped NUL: such a field is as good as empty.
CREATE FUNCTION hufu_profile_text(profile TEXT, field TEXT) RETURNS TEXT
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN position('\u0000' IN profile) > 0 THEN NULL ELSE (profile::json) ->> field END;

-- The names that a user is found by, in lower case as far as ASCII goes. A phone number stands as it is
-- stored, and without its country's code (ITU-T E.164: those of one and two digits are listed, all others have three).
-- It reads no table: whatever a plan knows of the users, it costs the same for the first and for the last.
CREATE FUNCTION hufu_names(username TEXT, email TEXT, phone TEXT, profile TEXT) RETURNS TEXT[]
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
    SELECT DISTINCT substr(lower(name COLLATE "C"), 1, 254)
    FROM unnest(ARRAY[
        username, email, phone,
        CASE
            WHEN substr(phone, 2, 1) IN ('1', '7') THEN substr(phone, 3)
            WHEN substr(phone, 2, 2) IN (
                  '20', '27', '30', '31', '32', '33', '34', '36', '39', '40', '41', '43', '44', '45', '46',
                  '47', '48', '49', '51', '52', '53', '54', '55', '56', '57', '58', '60', '61', '62', '63',
                  '64', '65', '66', '81', '82', '84', '86', '90', '91', '92', '93', '94', '95', '98'
            ) THEN substr(phone, 4)
            ELSE substr(phone, 5)
        END,
        CASE WHEN profile <> '{}' THEN hufu_profile_text(profile, 'nickname') END,
        CASE WHEN profile <> '{}' THEN hufu_profile_text(profile, 'name') END
    ]) AS name
    WHERE name <> ''
    ORDER BY 1
);

-- A row a name: prefixes are ranges of its key. Kept by triggers, whoever writes users; who has no name has no row.
CREATE TABLE user_names (
    pool_id TEXT NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (pool_id, name, user_id)
);
CREATE INDEX user_names_user ON user_names (pool_id, user_id, name);

-- A row a user with a name: all names, one a line, for what stands anywhere in them.
CREATE TABLE user_search (
    -- In the order in which users got their first name.
    seq     BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    pool_id TEXT   NOT NULL,
    user_id TEXT   NOT NULL,
    text    TEXT   NOT NULL,
    PRIMARY KEY (pool_id, user_id)
);
CREATE INDEX user_search_order ON user_search (pool_id, seq);

CREATE FUNCTION hufu_index_names() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    names TEXT[];
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM user_names WHERE pool_id = OLD.pool_id AND user_id = OLD.id;
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM user_search WHERE pool_id = OLD.pool_id AND user_id = OLD.id;
        RETURN NULL;
    END IF;
    names := hufu_names(NEW.username, NEW.email, NEW.phone, NEW.profile);
    IF names = '{}' THEN
        DELETE FROM user_search WHERE pool_id = NEW.pool_id AND user_id = NEW.id;
    ELSE
        INSERT INTO user_names (pool_id, name, user_id) SELECT NEW.pool_id, unnest(names), NEW.id;
        INSERT INTO user_search (pool_id, user_id, text)
        VALUES (NEW.pool_id, NEW.id, array_to_string(names, chr(10)))
        ON CONFLICT (pool_id, user_id) DO UPDATE SET text = excluded.text;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_inserted AFTER INSERT ON users FOR EACH ROW
WHEN (NEW.username IS NOT NULL OR NEW.email IS NOT NULL OR NEW.phone IS NOT NULL OR NEW.profile <> '{}')
EXECUTE FUNCTION hufu_index_names();
CREATE TRIGGER users_updated AFTER UPDATE OF username, email, phone, profile ON users FOR EACH ROW
WHEN (OLD.username IS DISTINCT FROM NEW.username OR OLD.email IS DISTINCT FROM NEW.email
    OR OLD.phone IS DISTINCT FROM NEW.phone OR OLD.profile <> NEW.profile)
EXECUTE FUNCTION hufu_index_names();
CREATE TRIGGER users_deleted AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION hufu_index_names();

INSERT INTO user_names (pool_id, name, user_id)
SELECT pool_id, unnest(hufu_names(username, email, phone, profile)), id FROM users;
INSERT INTO user_search (pool_id, user_id, text)
SELECT n.pool_id, n.user_id, string_agg(n.name, chr(10))
FROM user_names n JOIN users u ON u.pool_id = n.pool_id AND u.id = n.user_id
GROUP BY n.pool_id, n.user_id, u.created_at
ORDER BY u.created_at, n.user_id;

-- Without the extension (it is part of PostgreSQL's contrib, and whoever may create in the database may
-- create it), searching for what stands inside of a name reads all names of the pool.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX user_search_grams ON user_search USING gin (text gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
    RAISE WARNING 'pg_trgm cannot be created: searching inside of names is slow in large pools';
END
$$;
