-- What a pool decides for its people, as JSON: see PoolSettings.
ALTER TABLE pools ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
-- How first logins through a connection find their account, as JSON: see Association.
ALTER TABLE connections ADD COLUMN association TEXT NOT NULL DEFAULT '{}';

-- The account that this one was merged into: its ids and names lead there.
ALTER TABLE users ADD COLUMN merged_into TEXT;
ALTER TABLE users ADD COLUMN password_set_at BIGINT;
-- Whether the next login asks for a new password.
ALTER TABLE users ADD COLUMN must_reset BOOLEAN NOT NULL DEFAULT FALSE;
-- The agreements that the person accepted, as JSON: id to version.
ALTER TABLE users ADD COLUMN agreements TEXT NOT NULL DEFAULT '{}';
-- When an account that its owner deleted is gone for good.
ALTER TABLE users ADD COLUMN delete_after BIGINT;
CREATE INDEX users_merged ON users (pool_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX users_delete_after ON users (delete_after) WHERE delete_after IS NOT NULL;

ALTER TABLE sessions ADD COLUMN user_agent TEXT;
ALTER TABLE sessions ADD COLUMN last_used_at BIGINT;

-- What happened, written in the transaction of the deed.
CREATE TABLE audit_events (
    pool_id        TEXT    NOT NULL,
    -- Time-ordered.
    id             TEXT    NOT NULL,
    at             BIGINT  NOT NULL,
    action         TEXT    NOT NULL,
    -- 0, or the code of the refusal.
    code           BIGINT  NOT NULL,
    actor_kind     TEXT    NOT NULL,
    actor_id       TEXT,
    user_id        TEXT,
    application_id TEXT,
    connection_id  TEXT,
    ip             TEXT,
    user_agent     TEXT,
    request_id     TEXT,
    -- JSON; what changed stands in `before` and `after`.
    details        TEXT    NOT NULL,
    PRIMARY KEY (pool_id, id)
);
-- Ids of users are unique in the instance.
CREATE INDEX audit_events_user ON audit_events (user_id, id) WHERE user_id IS NOT NULL;

-- What is to be done in the background, by whichever node takes it first.
CREATE TABLE jobs (
    id           TEXT    NOT NULL PRIMARY KEY,
    kind         TEXT    NOT NULL,
    pool_id      TEXT    NOT NULL,
    -- The sealed or plain JSON that the kind wants.
    payload      BYTEA   NOT NULL,
    run_at       BIGINT  NOT NULL,
    attempts     BIGINT  NOT NULL,
    -- Until then a node is at it.
    locked_until BIGINT,
    -- Which one, for whoever looks.
    locked_by    TEXT
);
CREATE INDEX jobs_due ON jobs (kind, run_at);

CREATE TABLE webhooks (
    pool_id         TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    -- JSON list of actions; an empty one means all.
    events          TEXT    NOT NULL,
    -- What deliveries are signed with, sealed.
    secret          BYTEA   NOT NULL,
    -- The one before, sealed, with which they are signed as well for a while.
    previous_secret BYTEA,
    previous_until  BIGINT,
    enabled         BOOLEAN NOT NULL,
    -- Deliveries that were given up since the last that arrived.
    failures        BIGINT  NOT NULL DEFAULT 0,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    PRIMARY KEY (pool_id, id)
);

CREATE TABLE webhook_deliveries (
    pool_id         TEXT   NOT NULL,
    -- Time-ordered; what the receiver tells duplicates apart by.
    id              TEXT   NOT NULL,
    webhook_id      TEXT   NOT NULL,
    event_id        TEXT   NOT NULL,
    action          TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    -- pending, delivered or failed.
    state           TEXT   NOT NULL,
    attempts        BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    next_attempt_at BIGINT,
    last_attempt_at BIGINT,
    response_status BIGINT,
    -- The beginning of the receiver's answer, or what went wrong.
    response        TEXT,
    PRIMARY KEY (pool_id, id)
);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (webhook_id, id) WHERE state = 'failed';

-- How a pool sends e-mail and SMS, and its own texts: settings with their secrets, sealed.
CREATE TABLE senders (
    pool_id    TEXT   NOT NULL,
    -- email, sms or templates.
    channel    TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (pool_id, channel)
);

-- Codes sent by SMS and e-mail. Target and code are keyed hashes.
CREATE TABLE passcodes (
    pool_id    TEXT   NOT NULL,
    channel    TEXT   NOT NULL,
    target     BYTEA  NOT NULL,
    purpose    TEXT   NOT NULL,
    code       BYTEA  NOT NULL,
    tries      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (pool_id, channel, target, purpose)
);
CREATE INDEX passcodes_expires ON passcodes (expires_at);

-- Logins that wait for the person's next step.
CREATE TABLE login_flows (
    pool_id        TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    connection_id  TEXT,
    -- The account that it waits for, where that is known: ending the account's sessions ends it too.
    user_id        TEXT,
    -- Hash of the handle that the next step needs; a new one at each step.
    handle         BYTEA  NOT NULL,
    -- Hash of the cookie of the browser that began it.
    cookie         BYTEA,
    -- What the source proved, sealed.
    proof          BYTEA  NOT NULL,
    -- JSON: the stage and what it knows.
    state          TEXT   NOT NULL,
    tries          BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, id)
);
CREATE INDEX login_flows_expires ON login_flows (expires_at);
CREATE INDEX login_flows_user ON login_flows (pool_id, user_id);

-- Short-lived tokens between the two steps of a change.
CREATE TABLE step_tokens (
    pool_id    TEXT   NOT NULL,
    hash       BYTEA  NOT NULL,
    user_id    TEXT   NOT NULL,
    purpose    TEXT   NOT NULL,
    -- What the first step proved, sealed.
    sealed     BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (pool_id, hash)
);
CREATE INDEX step_tokens_expires ON step_tokens (expires_at);

-- Merges of accounts, and what undoing them needs.
CREATE TABLE merges (
    pool_id    TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    survivor   TEXT   NOT NULL,
    merged     TEXT   NOT NULL,
    -- JSON: what moved or was filled, and the accounts that were merged into the merged one before.
    changes    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    undone_at  BIGINT,
    PRIMARY KEY (pool_id, id)
);
CREATE INDEX merges_survivor ON merges (pool_id, survivor);
CREATE INDEX merges_merged ON merges (pool_id, merged);

-- Administrators: users of the system pool, and what they may do.
CREATE TABLE administrators (
    user_id    TEXT   NOT NULL PRIMARY KEY,
    role       TEXT   NOT NULL,
    -- The pool that the role is for; all pools without it.
    scope_pool TEXT,
    created_at BIGINT NOT NULL
);

-- Keys of machines, and of administrators for the time of their login.
CREATE TABLE access_keys (
    id           TEXT    NOT NULL PRIMARY KEY,
    secret       BYTEA   NOT NULL,
    name         TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    -- The pool that it is for; all pools without it.
    scope_pool   TEXT,
    -- The administrator whose login it is.
    user_id      TEXT,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT
);
CREATE INDEX access_keys_user ON access_keys (user_id) WHERE user_id IS NOT NULL;

-- Imports of users: how far they are.
CREATE TABLE imports (
    pool_id     TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    -- What is imported, so that a resumed import is of the same file.
    fingerprint TEXT   NOT NULL,
    -- The file's name, so that another file of the same name is not taken for it.
    file_name   TEXT   NOT NULL,
    rows_done   BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    skipped     BIGINT NOT NULL,
    refused     BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    finished_at BIGINT,
    -- Why it stopped before its end, if it did.
    failure     TEXT,
    PRIMARY KEY (pool_id, id)
);
CREATE TABLE import_refusals (
    pool_id   TEXT   NOT NULL,
    import_id TEXT   NOT NULL,
    row_number BIGINT NOT NULL,
    reason    TEXT   NOT NULL,
    PRIMARY KEY (pool_id, import_id, row_number)
);
