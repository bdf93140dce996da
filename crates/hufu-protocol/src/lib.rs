//! JOSE, OAuth 2 and OpenID Connect as values: signing keys, tokens, scopes.
