-- Which sealing keys the nodes have, so that none is used that some of them lack.
CREATE TABLE sealing_nodes (
    node    TEXT   NOT NULL PRIMARY KEY,
    -- Their ids, separated by spaces. The one that seals comes first.
    key_ids TEXT   NOT NULL,
    seen_at BIGINT NOT NULL
) WITHOUT ROWID;
