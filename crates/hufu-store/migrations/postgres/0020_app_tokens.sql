-- WeChat's app tokens: one row for an AppID with its AppSecret, whichever pools have it, so that all nodes fetch one
-- token together. `credential` is a keyed hash of both, and the token is sealed. `fence` rises with each lease to fetch;
-- `token_of` is the fence of the lease that brought the token.
CREATE TABLE app_tokens (
    credential BYTEA  NOT NULL PRIMARY KEY,
    app_id     TEXT   NOT NULL,
    token      BYTEA,
    expires_at BIGINT NOT NULL,
    fetched_at BIGINT NOT NULL,
    token_of   BIGINT NOT NULL,
    fence      BIGINT NOT NULL,
    holder     TEXT,
    held_until BIGINT NOT NULL,
    retry_at   BIGINT NOT NULL,
    failures   BIGINT NOT NULL,
    errcode    BIGINT,
    rid        TEXT
);

-- Connections whose app WeChat has frozen, banned or deleted. A row is there only for as long as that lasts.
CREATE TABLE unavailable_connections (
    pool_id       TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    since         BIGINT NOT NULL,
    errcode       BIGINT NOT NULL,
    rid           TEXT,
    PRIMARY KEY (pool_id, connection_id)
);
