-- The users of applications that only listed users may log in to.
CREATE TABLE application_users (
    pool_id        TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    user_id        TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, application_id, user_id)
) WITHOUT ROWID;
CREATE INDEX application_users_user ON application_users (pool_id, user_id);
