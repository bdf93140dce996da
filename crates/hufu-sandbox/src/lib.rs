//! A faithful WeChat for development and tests, listening on loopback.
