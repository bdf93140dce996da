-- How far the roll-up of a pool's audit log has come.
CREATE TABLE statistics_progress (
    pool_id    TEXT   NOT NULL PRIMARY KEY,
    -- Raised with every slice that is counted: who counted from an older state writes nothing.
    number     BIGINT NOT NULL,
    -- The id of the newest entry that has been seen.
    seen       TEXT   NOT NULL,
    -- Entries with smaller ids have been counted for good.
    settled    TEXT   NOT NULL
) WITHOUT ROWID;

-- What was counted in the slices of time that may still get entries.
CREATE TABLE statistics_slices (
    pool_id    TEXT   NOT NULL,
    -- When it begins.
    start      BIGINT NOT NULL,
    -- The day that it was counted for.
    day        BIGINT NOT NULL,
    -- JSON.
    counts     TEXT   NOT NULL,
    PRIMARY KEY (pool_id, start)
) WITHOUT ROWID;

-- What was counted on each day. Columns that a kind of figure does not have are empty.
CREATE TABLE statistics_counts (
    pool_id        TEXT   NOT NULL,
    -- The kind of figure.
    what           TEXT   NOT NULL,
    -- Days since 1970-01-01, in the time zone of the pool.
    day            BIGINT NOT NULL,
    application_id TEXT   NOT NULL,
    connection_id  TEXT   NOT NULL,
    -- The login method, or the stage.
    name           TEXT   NOT NULL,
    -- 0, or the code of the refusal.
    code           BIGINT NOT NULL,
    amount         BIGINT NOT NULL,
    PRIMARY KEY (pool_id, what, day, application_id, connection_id, name, code)
) WITHOUT ROWID;

-- On which days a user was active.
CREATE TABLE statistics_users (
    pool_id    TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    last_day   BIGINT NOT NULL,
    -- Bit n: n days before the last one.
    days       BIGINT NOT NULL,
    PRIMARY KEY (pool_id, user_id)
) WITHOUT ROWID;
