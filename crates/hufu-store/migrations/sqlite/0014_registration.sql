-- Tokens with which clients register: initial access tokens (RFC 7591 section 3).
CREATE TABLE registration_tokens (
    pool_id    TEXT   NOT NULL REFERENCES pools (id),
    -- The public part of the token. A request names no pool, so it is unique in the instance.
    id         TEXT   NOT NULL UNIQUE,
    -- Hash of the whole token.
    hash       BLOB   NOT NULL,
    -- What it is for.
    name       TEXT   NOT NULL,
    -- How many clients that it registered there may be at a time. NULL: as many as the pool may have.
    clients    BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (pool_id, id)
) WITHOUT ROWID;
CREATE INDEX registration_tokens_expires ON registration_tokens (expires_at);

-- Applications that registered themselves. An application that `hufu apply` manages has no row here.
CREATE TABLE registered_clients (
    pool_id        TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    -- The token that it registered with, which may be gone since.
    token_id       TEXT   NOT NULL,
    -- Hash of the registration access token, with which it manages itself (RFC 7592).
    hash           BLOB   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, application_id)
) WITHOUT ROWID;

-- What ends with a client. Its sessions began in a browser, as those of every application that asks for consent.
CREATE INDEX sessions_application ON sessions (pool_id, application_id) WHERE browser_session_id IS NOT NULL;
CREATE INDEX consents_application ON consents (pool_id, application_id);
