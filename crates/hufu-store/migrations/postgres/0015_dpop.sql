-- The thumbprint of the key that the token is bound to, and whose proof renews it (RFC 9449 section 5). NULL: none.
ALTER TABLE refresh_tokens ADD COLUMN jkt TEXT;
