-- Client assertions that were accepted (RFC 7523): each is accepted once, on whatever node.
CREATE TABLE used_jtis (
    pool_id        TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    -- Hash of the `jti`.
    hash           BLOB   NOT NULL,
    -- Until then the assertion would be accepted again.
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, application_id, hash)
) WITHOUT ROWID;
CREATE INDEX used_jtis_expires ON used_jtis (expires_at);

-- Authorization requests that clients sent ahead (RFC 9126). A row is deleted by its use.
CREATE TABLE pushed_requests (
    pool_id        TEXT   NOT NULL,
    -- Hash of the reference that stands for the request.
    hash           BLOB   NOT NULL,
    application_id TEXT   NOT NULL,
    -- JSON list: names and values of the parameters.
    parameters     TEXT   NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, hash)
) WITHOUT ROWID;
CREATE INDEX pushed_requests_expires ON pushed_requests (expires_at);
