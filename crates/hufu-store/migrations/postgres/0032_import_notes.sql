-- What an import from another system has to tell of a row: why it was refused, or what of it could not be taken.
CREATE TABLE import_notes (
    pool_id    TEXT   NOT NULL,
    import_id  TEXT   NOT NULL,
    row_number BIGINT NOT NULL,
    -- Several notes of one row are in this order.
    nth        BIGINT NOT NULL,
    -- The id of the row in the other system.
    item       TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    detail     TEXT   NOT NULL,
    PRIMARY KEY (pool_id, import_id, row_number, nth)
);
-- The id of the last row that is done, so that an import that is resumed notices if the other system has moved on.
ALTER TABLE imports ADD COLUMN last_item TEXT;
