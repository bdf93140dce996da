-- Messages that WeChat pushed to official accounts. A row makes one message of all its pushes, and carries what is passed on
-- to the owner's server.
CREATE TABLE wechat_messages (
    pool_id         TEXT   NOT NULL,
    -- Time-ordered.
    id              TEXT   NOT NULL,
    connection_id   TEXT   NOT NULL,
    -- Keyed hash of what two pushes of one message have in common.
    key_hash        BLOB   NOT NULL,
    -- Hash of the signed part of the push, which nobody may use for another message.
    push_hash       BLOB   NOT NULL,
    -- Keyed hash of the openid: messages of one follower are passed on in order.
    follower        BLOB   NOT NULL,
    -- The event's name, or the type of the message.
    kind            TEXT   NOT NULL,
    -- The message as WeChat wrote it, sealed, as long as it has to be passed on.
    body            BLOB,
    -- kept (nobody to pass it on to), pending, delivered or failed.
    state           TEXT   NOT NULL,
    attempts        BIGINT NOT NULL,
    received_at     BIGINT NOT NULL,
    next_attempt_at BIGINT,
    -- Until then a node is sending it.
    sending_until   BIGINT,
    last_attempt_at BIGINT,
    response_status BIGINT,
    -- The beginning of the server's answer, or what went wrong.
    response        TEXT,
    PRIMARY KEY (pool_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX wechat_messages_same ON wechat_messages (pool_id, connection_id, key_hash);
CREATE UNIQUE INDEX wechat_messages_push ON wechat_messages (pool_id, connection_id, push_hash);
CREATE INDEX wechat_messages_connection ON wechat_messages (pool_id, connection_id, id);
CREATE INDEX wechat_messages_waiting ON wechat_messages (pool_id, connection_id, follower, id) WHERE state = 'pending';
CREATE INDEX wechat_messages_received ON wechat_messages (received_at);

-- Who follows an official account, and who did. Beside identities: somebody may follow before they have an account.
CREATE TABLE wechat_followers (
    pool_id       TEXT   NOT NULL,
    -- Realm and value of the identity, whose kind is openid.
    realm         TEXT   NOT NULL,
    openid        TEXT   NOT NULL,
    -- When they last followed. NULL if only the end was seen.
    followed_at   BIGINT,
    -- When they ceased to. NULL for who follows.
    unfollowed_at BIGINT,
    -- WeChat's time of the last event, so that an older one that arrives later changes nothing.
    changed_at    BIGINT NOT NULL,
    PRIMARY KEY (pool_id, realm, openid)
) WITHOUT ROWID;
CREATE INDEX wechat_followers_unfollowed ON wechat_followers (unfollowed_at) WHERE unfollowed_at IS NOT NULL;
