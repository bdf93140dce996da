-- What a key may do of what its role may: names separated by spaces. NULL means all of it.
ALTER TABLE access_keys ADD COLUMN permissions TEXT;
