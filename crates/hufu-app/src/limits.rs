//! Every limit of the product, named in one place. Each can be set under `[limits]` in the configuration.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Upper bound for numeric limits: 2^40, a tebibyte.
const LARGEST: u64 = 1 << 40;
/// Upper bound for durations: ten years.
const LONGEST: Duration = Duration::from_secs(3653 * 24 * 60 * 60);

/// How many ways in added to one account are told to its owner within [`NOTICE_WINDOW`]. Each is at most one message by
/// SMS and one by mail, which cost money; all of them are in the audit log.
pub(crate) const NOTICES_PER_ACCOUNT: i64 = 5;
/// The time in which notices are counted.
pub(crate) const NOTICE_WINDOW: Duration = HOUR;

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $kind:ident = $default:expr),* $(,)?) => {
        /// The limits in force. [`Limits::default`] is meant for production.
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $($(#[doc = $doc])* #[serde(deserialize_with = "read")] pub $name: $kind,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// The names of all limits.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// The limits in force: the name, the value as it is spelled in the configuration, and what it limits.
            pub fn list(&self) -> Vec<(&'static str, String, String)> {
                vec![$((stringify!($name), self.$name.print(), meaning(concat!($($doc),*)))),*]
            }

            /// Sets the limit of this name from its spelling in the configuration. The error says what the
            /// value must be.
            pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
                match name {
                    $(stringify!($name) => {
                        let spelling = <$kind as Limit>::SPELLING;
                        self.$name = Limit::parse(text).ok_or_else(|| format!("it must be {spelling}"))?;
                    })*
                    _ => return Err("there is no such limit".to_owned()),
                }
                Ok(())
            }
        }
    };
}

limits! {
    /// Time for one request that calls WeChat, all attempts together.
    request_budget: Duration = SECOND * 8,
    /// How long a browser session lives after its last use.
    browser_session: Duration = HOUR * 24 * 14,
    /// How long a browser keeps the cookie of its sessions, if its owner stays logged in. The sessions end by
    /// themselves before.
    browser_cookie: Duration = HOUR * 24 * 90,
    /// How long an authorization code is valid (RFC 6749 4.1.2).
    authorization_code: Duration = MINUTE,
    /// Authorization requests that one browser session is granted within `code_window`.
    codes_per_browser: i64 = 120,
    /// The time in which those are counted.
    code_window: Duration = MINUTE,
    /// How long an authorization code is kept, so that a second use is noticed.
    authorization_code_kept: Duration = MINUTE * 30,
    /// How long the codes of a device are valid (RFC 8628 section 3.2). They are kept as long again, so that the device
    /// learns that they have expired.
    device_code: Duration = MINUTE * 10,
    /// Device codes requested from one address per [`Limits::device_code_window`].
    device_codes_per_ip: i64 = 60,
    /// The window of the limit above.
    device_code_window: Duration = MINUTE * 5,
    /// How long a login that a source was asked for can come back. WeChat's own codes live as long.
    source_login: Duration = MINUTE * 10,
    /// Logins that one network sends to sources per [`Limits::source_login_window`].
    source_logins_per_ip: i64 = 600,
    /// The window of the limit above.
    source_login_window: Duration = MINUTE * 5,
    /// How long a login page does not start a login through WeChat by itself once it did, or once the person logged out.
    automatic_start_pause: Duration = MINUTE * 10,
    /// How often a node asks which of the QR codes have changed whose browsers wait there.
    qr_poll: Duration = Duration::from_millis(250),
    /// How long a QR code is kept after it has expired, so that its browser learns that.
    qr_kept: Duration = MINUTE * 10,
    /// QR codes requested from one address per [`Limits::qr_code_window`].
    qr_codes_per_ip: i64 = 3000,
    /// Those of them for which WeChat is asked: codes of mini programs and of official accounts.
    qr_wechat_codes_per_ip: i64 = 1000,
    /// The window of the two limits above.
    qr_code_window: Duration = MINUTE * 5,
    /// QR codes of one connection for which WeChat is asked per [`Limits::qr_connection_window`]. WeChat permits an official
    /// account so many a day, and a mini program 5,000 a minute.
    qr_wechat_codes_per_connection: i64 = 20_000,
    /// The window of the limit above.
    qr_connection_window: Duration = HOUR,
    /// How long a node does not ask WeChat for further QR codes of a connection after WeChat made none.
    qr_failure_pause: Duration = SECOND * 5,
    /// Wrong codes that one follower of an official account sends per [`Limits::guess_window`]. Further ones are not looked
    /// at.
    short_code_tries: i64 = 10,
    /// Questions about one QR code per [`Limits::qr_check_window`] that a node answers.
    qr_checks_per_code: u32 = 300,
    /// Questions from one address about QR codes that a node does not know, per [`Limits::qr_check_window`].
    qr_unknown_per_ip: i64 = 600,
    /// The window of the two limits above.
    qr_check_window: Duration = MINUTE,
    /// QR codes that a node keeps in memory for the browsers that wait there. It looks others up each time.
    qr_watched: usize = 200_000,
    /// How often a browser that waits for an event is told that the server is still there.
    qr_keep_alive: Duration = SECOND * 15,
    /// Bytes of custom data that a browser sends along when it asks for a QR code, as JSON.
    qr_custom_data: usize = 4 * 1024,
    /// Keys of that data.
    qr_custom_keys: usize = 20,
    /// Streams of events that a node keeps open for one network.
    qr_streams_per_ip: u32 = 200,
    /// Streams of events that a node keeps open for one QR code.
    qr_streams_per_code: u32 = 4,
    /// Pictures of QR codes from WeChat that a node keeps in memory.
    qr_pictures: u64 = 500,
    /// How long a login page can be used that an authorization request led to.
    authorization_request_life: Duration = MINUTE * 30,
    /// Bytes of an authorization request: names and values of its parameters.
    authorization_request_bytes: usize = 6 * 1024,
    /// How many resources one request for tokens may name.
    resources_per_request: usize = 8,
    /// How far ahead a client assertion may expire.
    client_assertion_life: Duration = MINUTE * 5,
    /// How long the public keys of a client are used before they are fetched from its `jwks_uri` again.
    client_keys_cached: Duration = MINUTE * 10,
    /// How long they are used if they cannot be fetched again.
    client_keys_kept: Duration = HOUR,
    /// Minimum interval between two fetches of the keys of a client.
    client_keys_pause: Duration = SECOND * 30,
    /// How long a request object that was fetched from a `request_uri` is used if its hash is in the address. Others are
    /// used for [`Limits::request_object_pause`].
    request_object_cached: Duration = MINUTE * 10,
    /// Minimum interval between two fetches from the same `request_uri`.
    request_object_pause: Duration = SECOND,
    /// How long the server behind a `request_uri` may take to answer.
    request_object_wait: Duration = SECOND * 5,
    /// Wrong client secrets and wrong client assertions, of all clients together, from one address per
    /// [`Limits::failure_window`] before further ones only get "too often". Right ones are not counted, and still accepted.
    client_failures_per_ip: i64 = 120,
    /// How far the time of a DPoP proof may be from the server's, in either direction.
    dpop_proof_age: Duration = MINUTE,
    /// How long a nonce for DPoP proofs is given out. It is accepted for as long again.
    dpop_nonce: Duration = MINUTE * 2,
    /// DPoP proofs for tokens, of clients that do not authenticate, from one address per [`Limits::failure_window`].
    dpop_proofs_per_ip: i64 = 3000,
    /// How long a pushed authorization request can be used.
    pushed_request_life: Duration = SECOND * 90,
    /// Authorization requests that public clients push from one address per [`Limits::failure_window`].
    pushed_requests_per_ip: i64 = 300,
    /// How long a token with which clients register is valid if whoever makes it says nothing else; at most
    /// [`Limits::key_life_max`].
    registration_token_life: Duration = HOUR * 24 * 30,
    /// Clients of one pool that have registered themselves.
    registered_clients: i64 = 1000,
    /// Clients registered with one token, and changes of one of them, per [`Limits::registration_token_window`].
    registrations_per_token: i64 = 600,
    /// The window of the limit above.
    registration_token_window: Duration = HOUR,
    /// Bytes of what a client says of itself when it registers.
    client_metadata_bytes: usize = 32 * 1024,
    /// How long the same code from the same application and network counts as the same login.
    code_replay: Duration = MINUTE,
    /// How long WeChat accepts a code. A code whose exchange had no clear outcome is not sent again.
    code_life: Duration = MINUTE * 5,
    /// How long a node that gets "code been used" waits for another node's record.
    code_record_wait: Duration = SECOND,
    /// For how long one node alone may fetch an app token from WeChat. If it has died, another one does it then.
    app_token_lease: Duration = SECOND * 6,
    /// How often WeChat is asked whether it serves the app of an unavailable connection again.
    outage_probe: Duration = MINUTE * 10,
    /// Test messages by administrators for one pool per [`Limits::sender_test_window`].
    sender_tests: i64 = 10,
    /// The window of the limit above.
    sender_test_window: Duration = MINUTE * 10,
    /// Checks of one connection by administrators per [`Limits::connection_check_window`].
    connection_checks: i64 = 30,
    /// The window of the limit above.
    connection_check_window: Duration = MINUTE * 10,
    /// How long the row of an app token is kept that has ended and that nobody has renewed.
    app_token_kept: Duration = HOUR * 24,
    /// Forced refreshes of one app's token per [`Limits::app_token_refresh_window`]. WeChat allows 20 a day.
    app_token_refreshes: i64 = 10,
    /// The window of the limit above.
    app_token_refresh_window: Duration = HOUR * 24,
    /// The least time between two forced refreshes of one app's token. WeChat ignores those that come sooner.
    app_token_refresh_pause: Duration = SECOND * 30,
    /// Maximum age of data encrypted by WeChat.
    sealed_data_age: Duration = HOUR * 48,
    /// How long a waiting login can be continued.
    flow_life: Duration = MINUTE * 10,
    /// Failed steps after which a waiting login ends.
    flow_tries: i64 = 10,
    /// How long a code sent by SMS or e-mail is valid.
    passcode_life: Duration = MINUTE * 5,
    /// Wrong attempts after which such a code becomes invalid.
    passcode_tries: i64 = 5,
    /// Wait between two codes to one phone number or e-mail address.
    passcode_pause: Duration = MINUTE,
    /// Codes to one phone number or e-mail address per [`Limits::passcode_window`].
    passcodes_per_target: i64 = 10,
    /// Codes requested from one address per [`Limits::passcode_window`].
    passcodes_per_ip: i64 = 60,
    /// Codes requested from one IPv6 site (a `/48`, which has 65,536 networks) per
    /// [`Limits::passcode_window`].
    passcodes_per_site: i64 = 600,
    /// Codes of one pool per [`Limits::passcode_window`].
    passcodes_per_pool: i64 = 10_000,
    /// The window of the four limits above.
    passcode_window: Duration = HOUR,
    /// Messages that a node sends concurrently.
    message_jobs: usize = 16,
    /// Wrong passwords for one login name per [`Limits::password_window`] before it is locked. Three times as
    /// many, across all its names, lock the account. A network from which somebody logged in with the account's
    /// password within 30 days has as many tries of its own.
    password_failures: i64 = 10,
    /// The window of the limit above. When it ends, the account is unlocked.
    password_window: Duration = MINUTE * 15,
    /// Passwords: memory for one hash in KiB. Together with the passes it must be at least as strong as OWASP
    /// recommends.
    password_memory: u32 = 19 * 1024,
    /// Passwords: passes over that memory. `hufu admin calibrate-password` measures what the machine can do.
    password_passes: u32 = 2,
    /// Wrong passwords, wrong codes, wrong user codes of devices and account existence queries, each counted
    /// separately, from one address per [`Limits::guess_window`]. Further ones are not checked.
    guesses_per_ip: i64 = 50,
    /// The window of the limit above.
    guess_window: Duration = MINUTE * 5,
    /// Accounts registered without a code from one address per [`Limits::registration_window`].
    registrations_per_ip: i64 = 50,
    /// The window of the limit above.
    registration_window: Duration = MINUTE * 5,
    /// How long after the first step of a change the second one is accepted.
    step_token_life: Duration = MINUTE,
    /// How long the ticket of a mini program that an app launched can be used.
    launch_ticket: Duration = MINUTE * 2,
    /// How long the address can be used that leads to binding a source, and the question at the end of it.
    account_link: Duration = MINUTE * 5,
    /// Accounts past their grace period that one sweep deletes.
    deletions_at_once: i64 = 500,
    /// Maximum age of the login for operations that a lost phone should not allow: adding a way to log in,
    /// merging, deleting, exporting data, and removing login names when nothing else proves the change.
    recent_login: Duration = MINUTE * 15,
    /// How long a merge of accounts can be undone.
    merge_undo_window: Duration = HOUR * 24 * 30,
    /// Exports of a user's own data per [`Limits::export_window`].
    exports_per_user: i64 = 5,
    /// The window of the limit above.
    export_window: Duration = HOUR * 24,
    /// How often a node checks the queue for jobs.
    job_poll: Duration = SECOND,
    /// How long one job may take. After twice this time, another node may take it over.
    job_time: Duration = SECOND * 30,
    /// How often a node looks whether there are other sealing keys.
    sealing_key_poll: Duration = SECOND * 5,
    /// How often the audit log is counted into statistics, by one node in turn.
    statistics_every: Duration = MINUTE,
    /// How late an entry may appear in the audit log, after the time that it tells, to be counted in statistics.
    statistics_late: Duration = HOUR * 6,
    /// How often a job that keeps panicking or timing out is tried before it is given up.
    job_tries: i64 = 10,
    /// Webhooks: maximum per pool.
    webhooks_per_pool: i64 = 20,
    /// Webhooks: deliveries that a node sends concurrently.
    webhook_jobs: usize = 16,
    /// Webhooks: deliveries that a node sends concurrently to one webhook.
    webhook_at_once: usize = 4,
    /// Webhooks: attempts before a delivery is given up.
    webhook_attempts: i64 = 10,
    /// Webhooks: the wait after the first failure. Each further wait is five times as long.
    webhook_retry_first: Duration = SECOND * 5,
    /// Webhooks: the longest wait between two attempts.
    webhook_retry_longest: Duration = HOUR * 12,
    /// Webhooks: deliveries given up in a row before the log reports that a webhook is failing.
    webhook_give_up: i64 = 20,
    /// Messages of official accounts: how long ago WeChat may have signed one.
    wechat_push_age: Duration = MINUTE * 10,
    /// Messages of official accounts: how long after the first time one may arrive again. WeChat sends it again within
    /// seconds; later it is somebody else.
    wechat_resend: Duration = MINUTE,
    /// Messages of official accounts: how long WeChat is asked about a follower before the reply, which has five seconds.
    wechat_reply: Duration = SECOND * 3,
    /// Messages of official accounts: after a warning in the log that one was refused, further ones of the connection are
    /// counted, and not told of, for this long.
    wechat_refusals_logged: Duration = MINUTE,
    /// Messages of official accounts: attempts to pass one on to the owner's server.
    relay_attempts: i64 = 8,
    /// Messages of official accounts: the longest wait between two of these attempts. Later messages of the same follower
    /// wait as long.
    relay_retry_longest: Duration = HOUR,
    /// Messages of official accounts: how long the log of what was passed on is kept.
    relay_history: Duration = HOUR * 24 * 7,
    /// How long it is kept that somebody without an account ceased to follow an official account.
    unfollowed_kept: Duration = HOUR * 24 * 30,
    /// Webhooks: how long deliveries can be viewed and resent.
    webhook_history: Duration = HOUR * 24 * 30,
    /// Webhooks: old deliveries that one sweep deletes.
    deliveries_forgotten: i64 = 10_000,
    /// Webhooks: how long the previous secret is still used to sign as well.
    webhook_secret_overlap: Duration = HOUR * 24,
    /// How long a node trusts that a session is alive without asking the database.
    session_cache: Duration = SECOND * 5,
    /// Minimum interval between updates of a session's last use.
    session_touch: Duration = HOUR,
    /// How often a node checks whether the configuration has changed.
    config_poll: Duration = Duration::from_millis(500),
    /// How long a used refresh token may be presented again while its successor is unused.
    refresh_grace: Duration = SECOND * 30,
    /// Tolerated clock difference when tokens are checked.
    clock_leeway: Duration = SECOND * 5,
    /// How long a new signing key is published before it signs.
    key_lead: Duration = HOUR,
    /// Longest value of a profile field, in Unicode code points.
    profile_field: usize = 1000,
    /// Longest nickname taken over from WeChat, in Unicode code points.
    nickname: usize = 256,
    /// What a source says about a person, kept with the identity: bytes as JSON. What is longer is not kept.
    idp_user_info: usize = 4096,
    /// Custom data: number of keys.
    custom_keys: usize = 100,
    /// Custom data: bytes of one value as JSON.
    custom_value: usize = 8 * 1024,
    /// Custom data: bytes of all values of a user as JSON.
    custom_total: usize = 64 * 1024,
    /// Custom data: nesting depth of arrays and objects in one value.
    custom_depth: usize = 32,
    /// Upload: bytes of the file.
    upload_bytes: usize = 10 * 1024 * 1024,
    /// Upload: pixels of the picture, checked before it is decoded.
    upload_pixels: u64 = 50_000_000,
    /// Upload: longest side of the stored picture, in pixels.
    upload_side: u32 = 512,
    /// Upload: pictures decoded concurrently.
    upload_decodes: usize = 2,
    /// Upload: files being decoded or waiting for that. More are refused.
    uploads_at_once: usize = 8,
    /// Upload: files from one address per [`Limits::upload_window`].
    uploads_per_ip: i64 = 60,
    /// Upload: files from all addresses together per [`Limits::upload_window`].
    uploads_in_all: i64 = 10_000,
    /// Upload: the window of the two limits above.
    upload_window: Duration = HOUR,
    /// Upload: total bytes of pictures that no account uses.
    upload_orphan_bytes: i64 = 512 * 1024 * 1024,
    /// Upload: how long a picture that no account uses is kept.
    upload_orphan_age: Duration = HOUR,
    /// Failed logins from one address per [`Limits::failure_window`] before failures only get "too often".
    login_failures_per_ip: i64 = 120,
    /// The window of the limit above.
    failure_window: Duration = MINUTE,
    /// Concurrent calls to WeChat for an address beyond that limit.
    failure_lane: usize = 4,
    /// How long an administrator stays logged in.
    admin_session: Duration = HOUR * 12,
    /// After how long without a call an administrator's login ends.
    admin_idle: Duration = MINUTE * 30,
    /// How long after logging in an administrator may do what calls for a recent login.
    admin_step_up: Duration = MINUTE * 15,
    /// How long an invitation to be an administrator is good.
    invitation_life: Duration = HOUR * 24 * 7,
    /// How long the link of `hufu admin login-link` and of `hufu dev` is good.
    entry_link_life: Duration = MINUTE * 15,
    /// How many people of one network who registered as administrators get their first pool within
    /// [`Limits::first_pool_window`].
    first_pools_per_ip: i64 = 5,
    /// The window of the limit above.
    first_pool_window: Duration = HOUR,
    /// How many invitations one administrator, with the access keys that they made, sends within
    /// [`Limits::invitation_window`]; the same for an access key of the command line.
    invitations_per_sender: i64 = 50,
    /// How many invitations to one pool, or to all pools, are sent within [`Limits::invitation_window`].
    invitations_per_pool: i64 = 200,
    /// How many invitations are sent from one network within [`Limits::invitation_window`].
    invitations_per_ip: i64 = 100,
    /// How many invitations one address gets within [`Limits::invitation_window`].
    invitations_per_address: i64 = 5,
    /// The window of the four limits above.
    invitation_window: Duration = HOUR * 24,
    /// How long a removed pool comes back, before its rows go.
    pool_removal: Duration = HOUR * 24 * 30,
    /// How many rows of a removed pool go in one transaction.
    pool_removal_rows: i64 = 1000,
    /// Failed administrator logins from one address per [`Limits::admin_failure_window`].
    admin_failures: i64 = 10,
    /// Failed logins of one administrator from all addresses in that window. Further ones only succeed from an
    /// address from which the administrator logged in within 30 days.
    admin_account_failures: i64 = 100,
    /// The window of the two limits above.
    admin_failure_window: Duration = MINUTE * 15,
    /// Invalid access keys from one address per [`Limits::failure_window`] before that address only gets "too
    /// often".
    admin_key_failures: i64 = 60,
    /// How long a new access key holds if whoever makes it says nothing else.
    key_life: Duration = HOUR * 24 * 365,
    /// How long a new access key may hold at most.
    key_life_max: Duration = HOUR * 24 * 1826,
    /// How long the management key of a pool goes on after its successor was made.
    management_key_overlap: Duration = HOUR * 24,
    /// How long a token of a management client is valid. The published v2 client gets a new one an hour before its end.
    management_token: Duration = HOUR * 2,
    /// How far the `date` of a signed request may be from this node's time.
    management_signature_age: Duration = MINUTE * 5,
    /// Rows that a management client's list passes over to get to a page. The places where pages ended lately are
    /// remembered, so that whoever reads page after page gets to the end of any list.
    management_list_reach: u32 = 10_000,
    /// Users that the list of a management client counts. Of more it only says that there are more.
    management_list_count: u32 = 100_000,
    /// Identity sources that management clients may make in a pool.
    identity_sources: usize = 200,
    /// Bytes of a user file sent to `/admin/v1`. Use `hufu import` for larger ones.
    import_bytes: usize = 1024 * 1024 * 1024,
    /// Bytes of all such files together that wait or are imported on this node.
    import_spool_bytes: u64 = 4 * 1024 * 1024 * 1024,
    /// How long a client may take to send such a file.
    import_time: Duration = HOUR,
    /// Bytes of one answer of the system that `hufu import authing` reads.
    import_answer_bytes: usize = 8 * 1024 * 1024,
    /// How long such an answer may take.
    import_answer_time: Duration = SECOND * 30,
    /// Concurrent connections. More wait in the kernel's queue.
    connections: usize = 10_000,
    /// The part of [`Limits::connections`] that one network (an IPv4 address, or an IPv6 `/64`) may hold: one
    /// in so many. More are closed at once. Trusted proxies may hold all of them.
    connection_share: usize = 10,
    /// How long a connection is kept open, however busy.
    connection_time: Duration = HOUR,
    /// How long a client may take for the handshake of TLS.
    handshake_time: Duration = SECOND * 10,
    /// HTTP/2: requests that one connection may have open.
    connection_requests: u32 = 100,
    /// How often the files of the certificate are looked at for changes.
    certificate_poll: Duration = SECOND * 2,
    /// Time for one order of a certificate, from the first request to the certificate authority to the certificate.
    acme_order_time: Duration = MINUTE * 5,
    /// How long to wait after the first order that failed; each further wait is ten times as long. An authority that
    /// cannot be reached is asked again after this time.
    acme_retry_first: Duration = MINUTE,
    /// The longest wait between two orders that failed, unless the authority asks for a longer one.
    acme_retry_longest: Duration = HOUR * 24,
    /// How long a client may take to send the head of a request, or leave a kept-alive connection idle.
    header_time: Duration = SECOND * 30,
    /// Bytes of the head of a request.
    header_bytes: usize = 64 * 1024,
    /// How long a client may take to send the body of a request.
    body_time: Duration = MINUTE,
    /// Bytes a second at which a body must arrive, on average over [`Limits::body_grace`].
    body_rate: usize = 1024,
    /// The longest that a body may arrive more slowly than that, or not at all.
    body_grace: Duration = SECOND * 10,
    /// Bodies that one network sends concurrently. More are refused.
    bodies_per_network: usize = 200,
    /// Bytes of bodies that are held in memory while they arrive. One network may take half of it. More are
    /// refused.
    body_memory: usize = 128 * 1024 * 1024,
    /// Bytes of the body of a JSON or form request.
    body_bytes: usize = 256 * 1024,
    /// How many bytes beyond a body's limit are read and discarded, so that the client can read the response.
    discarded_bytes: usize = 16 * 1024 * 1024,
}

/// A limit as spelled in the configuration: a number, or text such as `500ms`, `30s`, `5m` or `2h` for a
/// duration. Zero is not allowed.
trait Limit: Sized {
    /// Parses the value. `None` if it is malformed or out of range.
    fn parse(text: &str) -> Option<Self>;
    /// The value as it is spelled.
    fn print(&self) -> String;
    /// Describes a valid value, for error messages.
    const SPELLING: &str;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Limit for $number {
            fn parse(text: &str) -> Option<Self> {
                text.parse().ok().filter(|n| *n > 0 && u64::try_from(*n).is_ok_and(|n| n <= LARGEST))
            }
            fn print(&self) -> String {
                self.to_string()
            }
            const SPELLING: &str = "a whole number above 0";
        }
    )*};
}
numbers!(u32, u64, usize, i64);

impl Limit for Duration {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at_checked(digits)?;
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            _ => return None,
        };
        unit.checked_mul(number.parse().ok()?).filter(|d| !d.is_zero() && *d <= LONGEST)
    }

    fn print(&self) -> String {
        let milliseconds = self.as_millis();
        let units = [("h", HOUR), ("m", MINUTE), ("s", SECOND)];
        let fitting = units.iter().find(|(_, unit)| milliseconds.is_multiple_of(unit.as_millis()));
        fitting.map_or_else(
            || format!("{milliseconds}ms"),
            |(name, unit)| format!("{}{name}", milliseconds / unit.as_millis()),
        )
    }

    const SPELLING: &str = "a duration above 0 such as \"500ms\", \"30s\", \"5m\" or \"2h\"";
}

/// The documentation of a limit as a sentence for operators.
fn meaning(doc: &str) -> String {
    doc.trim().replace("[`Limits::", "`").replace("`]", "`")
}

fn read<'de, D: Deserializer<'de>, L: Limit>(deserializer: D) -> Result<L, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum RawLimit {
        Number(i64),
        Text(String),
    }
    let text = match RawLimit::deserialize(deserializer)? {
        RawLimit::Number(number) => number.to_string(),
        RawLimit::Text(text) => text,
    };
    L::parse(&text).ok_or_else(|| de::Error::custom(format_args!("it must be {}", L::SPELLING)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Result<Limits, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_not_set_stays() {
        assert_eq!(set("").unwrap(), Limits::default());
        let limits =
            set("upload_bytes = 5\nrequest_budget = \"1500ms\"\nbody_time = \"2m\"\nconnections = \"7\"")
                .unwrap();
        assert_eq!((limits.upload_bytes, limits.connections), (5, 7));
        assert_eq!((limits.request_budget, limits.body_time), (Duration::from_millis(1500), MINUTE * 2));
        assert_eq!(limits.upload_pixels, Limits::default().upload_pixels);
    }

    #[test]
    fn limits_are_listed_as_they_are_spelled() {
        let listed = set("request_budget = \"1500ms\"\nbody_time = \"2m\"").unwrap().list();
        let value = |of: &str| listed.iter().find(|(name, ..)| *name == of).unwrap().1.clone();
        assert_eq!((value("request_budget"), value("body_time")), ("1500ms".to_owned(), "2m".to_owned()));
        assert_eq!(listed.len(), Limits::NAMES.len());
        let mut again = Limits::default();
        for (name, value, meaning) in &listed {
            again.set(name, value).unwrap();
            assert!(!meaning.is_empty() && !meaning.contains("Limits::"), "{name}: {meaning}");
        }
        assert_eq!(again.list(), listed);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "nonsense = 1",
            "upload_bytes = 0",
            "upload_bytes = -1",
            "upload_side = 4294967296",
            "request_budget = 8",
            "request_budget = \"0s\"",
            "request_budget = \"8 s\"",
            "request_budget = \"99999999999h\"",
        ] {
            assert!(set(text).is_err(), "{text}");
        }
    }
}
