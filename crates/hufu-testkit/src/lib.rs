//! What the tests of several crates share: databases on both engines, a running server with its sandbox, a client.
