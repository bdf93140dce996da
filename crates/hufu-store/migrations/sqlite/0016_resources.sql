-- The resources that access tokens are for (RFC 8707): JSON lists. NULL for none.
ALTER TABLE refresh_tokens ADD COLUMN resources TEXT;
ALTER TABLE device_codes ADD COLUMN resources TEXT;
ALTER TABLE consents ADD COLUMN resources TEXT;
