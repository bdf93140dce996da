//! Every limit of the product, named in one place.

use std::time::Duration;

/// What is allowed, and for how long. [`Limits::default`] is meant for production.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time for one request that calls WeChat, all attempts together.
    pub request_budget: Duration,
    /// How long the same code from the same application is the same login.
    pub code_replay: Duration,
    /// How long WeChat takes a code: one whose exchange had no clear outcome is not sent again.
    pub code_life: Duration,
    /// How long a node that is told "code been used" waits for another node's record.
    pub code_record_wait: Duration,
    /// How old data sealed by WeChat may be.
    pub sealed_data_age: Duration,
    /// How long a node believes that a session is alive without asking the database.
    pub session_cache: Duration,
    /// How often a node looks whether the configuration has changed.
    pub config_poll: Duration,
    /// How long a used refresh token may be presented again while its successor is unused.
    pub refresh_grace: Duration,
    /// How far clocks may differ when tokens are read.
    pub clock_leeway: Duration,
    /// How long a new signing key is published before it signs.
    pub key_lead: Duration,
    /// Longest value of a profile field, in Unicode code points.
    pub profile_field: usize,
    /// Longest nickname taken over from WeChat, in Unicode code points.
    pub nickname: usize,
    /// Custom data: number of keys.
    pub custom_keys: usize,
    /// Custom data: bytes of one value as JSON.
    pub custom_value: usize,
    /// Custom data: bytes of all of a user's as JSON.
    pub custom_total: usize,
    /// Custom data: how deep the arrays and objects of one value may be nested.
    pub custom_depth: usize,
    /// Upload: bytes of the file.
    pub upload_bytes: usize,
    /// Upload: pixels of the picture, known before it is decoded.
    pub upload_pixels: u64,
    /// Upload: longest side of what is kept, in pixels.
    pub upload_side: u32,
    /// Upload: pictures decoded at the same time.
    pub upload_decodes: usize,
    /// Upload: files being read or decoded at the same time; more are refused.
    pub uploads_at_once: usize,
    /// Upload: files of one address in [`Limits::upload_window`].
    pub uploads_per_ip: i64,
    /// Upload: files of all addresses together in [`Limits::upload_window`].
    pub uploads_in_all: i64,
    /// Upload: the window of the two limits above.
    pub upload_window: Duration,
    /// Upload: bytes of pictures that nobody's photo names, in all.
    pub upload_orphan_bytes: i64,
    /// Upload: how long a picture may be nobody's.
    pub upload_orphan_age: Duration,
    /// Failed logins of one address in [`Limits::failure_window`] before failures are only told "too often".
    pub login_failures_per_ip: i64,
    /// The window of the limit above.
    pub failure_window: Duration,
    /// Calls of WeChat at the same time for an address beyond that limit.
    pub failure_lane: usize,
    /// Connections at the same time; more wait in the kernel's queue.
    pub connections: usize,
    /// How long a connection is kept, however busy.
    pub connection_time: Duration,
    /// How long a client may take for the head of a request, or leave a kept connection idle.
    pub header_time: Duration,
    /// Head of a request in bytes.
    pub header_bytes: usize,
    /// How long a client may take for the body of a request.
    pub body_time: Duration,
    /// Body of a JSON or form request in bytes.
    pub body_bytes: usize,
    /// How many bytes of a body beyond its limit are read and thrown away, so that the client sees the answer.
    pub discarded_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self {
            request_budget: Duration::from_secs(8),
            code_replay: MINUTE,
            code_life: MINUTE * 5,
            code_record_wait: Duration::from_secs(1),
            sealed_data_age: Duration::from_secs(2 * 24 * 60 * 60),
            session_cache: Duration::from_secs(5),
            config_poll: Duration::from_millis(500),
            refresh_grace: Duration::from_secs(30),
            clock_leeway: Duration::from_secs(5),
            key_lead: HOUR,
            profile_field: 1000,
            nickname: 256,
            custom_keys: 100,
            custom_value: 8 * 1024,
            custom_total: 64 * 1024,
            custom_depth: 32,
            upload_bytes: 10 * 1024 * 1024,
            upload_pixels: 50_000_000,
            upload_side: 512,
            upload_decodes: 2,
            uploads_at_once: 8,
            uploads_per_ip: 60,
            uploads_in_all: 10_000,
            upload_window: HOUR,
            upload_orphan_bytes: 512 * 1024 * 1024,
            upload_orphan_age: HOUR,
            login_failures_per_ip: 120,
            failure_window: MINUTE,
            failure_lane: 4,
            connections: 10_000,
            connection_time: HOUR,
            header_time: Duration::from_secs(30),
            header_bytes: 64 * 1024,
            body_time: MINUTE,
            body_bytes: 256 * 1024,
            discarded_bytes: 16 * 1024 * 1024,
        }
    }
}
