-- What the source last said about the person, as a JSON object: `userInfoInIdp`. NULL if it said nothing.
ALTER TABLE identities ADD COLUMN user_info TEXT;
