-- The pictures of QR codes that WeChat made. WeChat is asked once for each, and every node shows it.
CREATE TABLE qr_pictures (
    pool_id    TEXT   NOT NULL,
    -- The ticket, as in qr_tickets.
    hash       BLOB   NOT NULL,
    -- What the picture is drawn from, or the picture itself with its content type.
    link       TEXT,
    image      BLOB ,
    media_type TEXT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (pool_id, hash)
);
CREATE INDEX qr_pictures_expires ON qr_pictures (expires_at);
