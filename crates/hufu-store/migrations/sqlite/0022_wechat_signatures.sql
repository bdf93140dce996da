-- Signatures of what official accounts were pushed. That of a plain message covers no body, so each is good for one
-- message, whatever it came with first.
CREATE TABLE wechat_signatures (
    pool_id       TEXT   NOT NULL,
    connection_id TEXT   NOT NULL,
    -- Keyed hash of the signature.
    hash          BLOB   NOT NULL,
    -- key_hash of the message that it came with. NULL if it was WeChat's check of the address.
    message       BLOB,
    seen_at       BIGINT NOT NULL,
    PRIMARY KEY (pool_id, connection_id, hash)
) WITHOUT ROWID;
CREATE INDEX wechat_signatures_seen ON wechat_signatures (seen_at);

DROP INDEX wechat_messages_push;
ALTER TABLE wechat_messages DROP COLUMN push_hash;

-- Messages of one follower go by WeChat's time of them, then by their arrival.
ALTER TABLE wechat_messages ADD COLUMN sent_at BIGINT NOT NULL DEFAULT 0;
-- Counts the messages of a line that wait.
ALTER TABLE wechat_messages ADD COLUMN arrival BIGINT NOT NULL DEFAULT 0;
UPDATE wechat_messages SET sent_at = received_at;
