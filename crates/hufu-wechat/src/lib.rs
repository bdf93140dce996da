//! A WeChat client usable alone: code exchange, phone numbers, app tokens, data decryption, error classes.
