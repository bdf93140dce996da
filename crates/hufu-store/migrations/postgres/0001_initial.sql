-- Instance-wide facts: the id of the sealing key, whether `dev` made this database.
CREATE TABLE instance (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Raised in the unit of every change to pools, applications, connections or keys.
CREATE TABLE config_version (
    only_row SMALLINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    version  BIGINT  NOT NULL
);
INSERT INTO config_version (only_row, version) VALUES (1, 1);

CREATE TABLE pools (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
-- The reserved pool whose users are the administrators of the instance.
INSERT INTO pools (id, name, created_at) VALUES ('system', 'System', 0);

CREATE TABLE connections (
    pool_id       TEXT    NOT NULL REFERENCES pools (id),
    id            TEXT    NOT NULL UNIQUE,
    identifier    TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    display_name  TEXT    NOT NULL,
    login_only    BOOLEAN NOT NULL,
    enabled       BOOLEAN NOT NULL,
    open_platform TEXT    NOT NULL,
    app_id        TEXT    NOT NULL,
    app_secret    BYTEA    NOT NULL,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL,
    PRIMARY KEY (pool_id, id),
    UNIQUE (pool_id, identifier)
);

CREATE TABLE applications (
    pool_id           TEXT    NOT NULL REFERENCES pools (id),
    id                TEXT    NOT NULL UNIQUE,
    name              TEXT    NOT NULL,
    kind              TEXT    NOT NULL,
    is_default        BOOLEAN NOT NULL,
    enabled           BOOLEAN NOT NULL,
    position          BIGINT  NOT NULL,
    signing_algorithm TEXT    NOT NULL,
    -- Lifetimes in seconds.
    user_token        BIGINT  NOT NULL,
    session           BIGINT  NOT NULL,
    access_token      BIGINT  NOT NULL,
    refresh_token     BIGINT  NOT NULL,
    created_at        BIGINT  NOT NULL,
    updated_at        BIGINT  NOT NULL,
    PRIMARY KEY (pool_id, id)
);

-- Which connections are switched on for which application, in which order.
CREATE TABLE application_connections (
    pool_id        TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    connection_id  TEXT   NOT NULL,
    position       BIGINT NOT NULL,
    PRIMARY KEY (pool_id, application_id, connection_id)
);

CREATE TABLE users (
    pool_id          TEXT    NOT NULL,
    id               TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    username         TEXT,
    email            TEXT,
    email_verified   BOOLEAN NOT NULL,
    phone            TEXT,
    phone_proof      TEXT,
    external_id      TEXT,
    password_hash    TEXT,
    profile          TEXT    NOT NULL,
    custom_data      TEXT    NOT NULL,
    logins_count     BIGINT  NOT NULL,
    last_login_at    BIGINT,
    last_ip          TEXT,
    last_application TEXT,
    register_source  TEXT    NOT NULL,
    created_at       BIGINT  NOT NULL,
    updated_at       BIGINT  NOT NULL,
    PRIMARY KEY (pool_id, id)
);
CREATE UNIQUE INDEX users_username ON users (pool_id, username) WHERE username IS NOT NULL;
CREATE UNIQUE INDEX users_email ON users (pool_id, email) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX users_phone ON users (pool_id, phone) WHERE phone IS NOT NULL;
CREATE UNIQUE INDEX users_external_id ON users (pool_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE identities (
    pool_id       TEXT   NOT NULL,
    realm         TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    value         TEXT   NOT NULL,
    user_id       TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (pool_id, realm, kind, value)
);
CREATE INDEX identities_user ON identities (pool_id, user_id);

-- Ids that name two accounts: recorded, never acted upon silently.
CREATE TABLE identity_conflicts (
    pool_id       TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    chosen_user   TEXT   NOT NULL,
    other_user    TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    occurrences   BIGINT NOT NULL,
    PRIMARY KEY (pool_id, kind, chosen_user, other_user)
);

CREATE TABLE sessions (
    pool_id        TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    user_id        TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    connection_id  TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    ip             TEXT,
    PRIMARY KEY (pool_id, id)
);
CREATE INDEX sessions_user ON sessions (pool_id, user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- What a WeChat code was exchanged for: the same code again is the same login for 60 s.
CREATE TABLE exchanges (
    pool_id        TEXT   NOT NULL,
    code_hash      BYTEA   NOT NULL,
    application_id TEXT   NOT NULL,
    sealed         BYTEA   NOT NULL,
    user_id        TEXT,
    session_id     TEXT,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, code_hash)
);
CREATE INDEX exchanges_created ON exchanges (created_at);

CREATE TABLE refresh_tokens (
    pool_id        TEXT   NOT NULL,
    hash           BYTEA   NOT NULL,
    session_id     TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    scope          TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT,
    successor      BYTEA,
    PRIMARY KEY (pool_id, hash)
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (pool_id, session_id);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_at);

CREATE TABLE signing_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    algorithm  TEXT   NOT NULL,
    sealed     BYTEA   NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    -- Set when a successor takes over: the last of its tokens has ended then.
    expires_at BIGINT
);

-- The key pairs with which clients encrypt passwords: `rsa` and `sm2`.
CREATE TABLE password_keys (
    kind       TEXT   NOT NULL PRIMARY KEY,
    sealed     BYTEA   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE uploads (
    name         TEXT   NOT NULL PRIMARY KEY,
    content_type TEXT   NOT NULL,
    size         BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    -- The user whose photo names it; without one it is an orphan since then.
    pool_id      TEXT,
    user_id      TEXT,
    orphan_since BIGINT,
    -- The last column: SQLite reaches what stands behind a large value only through all its pages.
    bytes        BYTEA  NOT NULL
);
-- With the size, so that the sum of the orphans is read from the index alone.
CREATE INDEX uploads_orphans ON uploads (orphan_since, size) WHERE orphan_since IS NOT NULL;
CREATE INDEX uploads_user ON uploads (pool_id, user_id) WHERE user_id IS NOT NULL;

CREATE TABLE rate_buckets (
    name         TEXT   NOT NULL,
    window_start BIGINT NOT NULL,
    hits         BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (name, window_start)
);
CREATE INDEX rate_buckets_expires ON rate_buckets (expires_at);
