//! The use cases of Hufu: login, tokens, profile, uploads, configuration. The only place that decides.
