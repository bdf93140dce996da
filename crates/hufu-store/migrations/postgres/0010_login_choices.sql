-- Which of two accounts a person chose when an identity and another id of theirs named one each. Not asked again until
-- one of the two changes.
CREATE TABLE login_choices (
    pool_id     TEXT   NOT NULL,
    -- The identity that the person logged in with, as in `identities`.
    realm       TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    value       TEXT   NOT NULL,
    chosen_user TEXT   NOT NULL,
    other_user  TEXT   NOT NULL,
    chosen_at   BIGINT NOT NULL,
    PRIMARY KEY (pool_id, realm, kind, value)
);
CREATE INDEX login_choices_chosen ON login_choices (pool_id, chosen_user);
CREATE INDEX login_choices_other ON login_choices (pool_id, other_user);
