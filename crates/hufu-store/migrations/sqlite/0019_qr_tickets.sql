-- Logins by QR code. Calls name a secret, a scene or a short code, and no pool, so all of them are unique in the instance.
CREATE TABLE qr_tickets (
    pool_id        TEXT   NOT NULL,
    -- Hash of the ticket, which is derived from the secret of the browser.
    hash           BLOB   NOT NULL,
    -- What stands in the picture. Everybody may know it. NULL where there is no picture.
    scene          TEXT,
    -- Keyed hash of the code that a follower types where an official account has no pictures of its own.
    short_code     BLOB,
    -- app, mini-program, official-account or handed-over.
    kind           TEXT   NOT NULL,
    application_id TEXT   NOT NULL,
    connection_id  TEXT,
    -- created, scanned, confirmed, consumed, cancelled or failed.
    state          TEXT   NOT NULL,
    -- Hash of the browser's cookie, if a hosted page asked: it logs in there, and nowhere else.
    cookie         BLOB,
    -- What the browser sent along, sealed.
    details        BLOB   NOT NULL,
    -- What the phone proved, sealed.
    proof          BLOB,
    -- Name and picture of whoever scanned it, sealed.
    shown          BLOB,
    -- Who scanned it in the pool's own app, and the session there.
    user_id        TEXT,
    session_id     TEXT,
    -- The number of the refusal, if it failed.
    failure        BIGINT,
    -- The place of its last change among those of its shard.
    shard          BIGINT NOT NULL,
    change_number  BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (pool_id, hash)
) WITHOUT ROWID;
CREATE UNIQUE INDEX qr_tickets_hash ON qr_tickets (hash);
CREATE UNIQUE INDEX qr_tickets_scene ON qr_tickets (scene);
CREATE UNIQUE INDEX qr_tickets_short_code ON qr_tickets (short_code);
CREATE INDEX qr_tickets_changes ON qr_tickets (shard, change_number);
CREATE INDEX qr_tickets_expires ON qr_tickets (expires_at);

-- How many changes of tickets each shard has had. Whoever changes a ticket raises the number of its shard in the same
-- transaction, so that a higher number is never seen before a lower one.
CREATE TABLE qr_changes (
    shard  BIGINT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO qr_changes (shard, number) VALUES
    (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0),
    (8, 0), (9, 0), (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0);
