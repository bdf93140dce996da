//! Every limit of the product, named in one place; each can be set as `[limits]` in the configuration.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// No limit is larger: 2^40, a tebibyte.
const LARGEST: u64 = 1 << 40;
/// No limit is longer: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $kind:ident = $default:expr),* $(,)?) => {
        /// What is allowed, and for how long. [`Limits::default`] is meant for production.
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $($(#[$doc])* #[serde(deserialize_with = "read")] pub $name: $kind,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// The name of every limit.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// Sets the limit of this name, spelt as in the configuration; else says what it must be.
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
    /// How long the same code from the same application is the same login.
    code_replay: Duration = MINUTE,
    /// How long WeChat takes a code: one whose exchange had no clear outcome is not sent again.
    code_life: Duration = MINUTE * 5,
    /// How long a node that is told "code been used" waits for another node's record.
    code_record_wait: Duration = SECOND,
    /// How old data sealed by WeChat may be.
    sealed_data_age: Duration = HOUR * 48,
    /// How long a waiting login may be taken up.
    flow_life: Duration = MINUTE * 10,
    /// Failed steps after which a waiting login is over.
    flow_tries: i64 = 10,
    /// How long a code sent by SMS or e-mail is good.
    passcode_life: Duration = MINUTE * 5,
    /// Wrong tries after which such a code is void.
    passcode_tries: i64 = 5,
    /// How long one phone number or e-mail address waits for its next code.
    passcode_pause: Duration = MINUTE,
    /// Codes to one phone number or e-mail address in [`Limits::passcode_window`].
    passcodes_per_target: i64 = 10,
    /// Codes that one address asks for in [`Limits::passcode_window`].
    passcodes_per_ip: i64 = 60,
    /// Codes that one site asks for in [`Limits::passcode_window`]: for IPv6 a `/48`, which has 65,536 networks.
    passcodes_per_site: i64 = 600,
    /// Codes of one pool in [`Limits::passcode_window`].
    passcodes_per_pool: i64 = 10_000,
    /// The window of the four limits above.
    passcode_window: Duration = HOUR,
    /// Messages that a node sends at the same time.
    message_jobs: usize = 16,
    /// Wrong passwords for one login name in [`Limits::password_window`] before it is locked; three times as many, by
    /// whatever names, lock the account.
    password_failures: i64 = 10,
    /// The window of the limit above; with its end the account is unlocked.
    password_window: Duration = MINUTE * 15,
    /// Passwords: memory of one hash in KiB. With the passes it must be worth what OWASP recommends, or more.
    password_memory: u32 = 19 * 1024,
    /// Passwords: passes over that memory. `hufu admin calibrate-password` measures both.
    password_passes: u32 = 2,
    /// Wrong passwords and, by themselves, wrong codes of one address in [`Limits::guess_window`]; more are not looked at.
    guesses_per_ip: i64 = 50,
    /// The window of the limit above.
    guess_window: Duration = MINUTE * 5,
    /// Accounts that one address registers without a code in [`Limits::registration_window`].
    registrations_per_ip: i64 = 50,
    /// The window of the limit above.
    registration_window: Duration = MINUTE * 5,
    /// How long the second step of a change may follow the first.
    step_token_life: Duration = MINUTE,
    /// Accounts whose time of grace is over, deleted at one sweep.
    deletions_at_once: i64 = 500,
    /// How old a login may be for what should not happen with a lost phone: merging, deleting, taking data out.
    recent_login: Duration = MINUTE * 15,
    /// How long a merge of accounts can be undone.
    merge_undo_window: Duration = HOUR * 24 * 30,
    /// How often a person takes out their own data in [`Limits::export_window`].
    exports_per_user: i64 = 5,
    /// The window of the limit above.
    export_window: Duration = HOUR * 24,
    /// How often a node looks for jobs in the queue.
    job_poll: Duration = SECOND,
    /// How long one job may take. A job is another node's to take up after twice this time.
    job_time: Duration = SECOND * 30,
    /// How often a job is taken that always breaks off or takes too long, before it is given up.
    job_tries: i64 = 10,
    /// Webhooks: of one pool.
    webhooks_per_pool: i64 = 20,
    /// Webhooks: deliveries that a node sends at the same time.
    webhook_jobs: usize = 16,
    /// Webhooks: deliveries to one webhook that a node sends at the same time.
    webhook_at_once: usize = 4,
    /// Webhooks: attempts before a delivery is given up.
    webhook_attempts: i64 = 10,
    /// Webhooks: the wait after the first failure; each further one is five times as long.
    webhook_retry_first: Duration = SECOND * 5,
    /// Webhooks: the longest wait between two attempts.
    webhook_retry_longest: Duration = HOUR * 12,
    /// Webhooks: deliveries given up one after another before the log says that a webhook takes nothing any more.
    webhook_give_up: i64 = 20,
    /// Webhooks: how long deliveries can be looked at and sent again.
    webhook_history: Duration = HOUR * 24 * 30,
    /// Webhooks: old deliveries forgotten at one sweep.
    deliveries_forgotten: i64 = 10_000,
    /// Webhooks: how long the secret before signs as well.
    webhook_secret_overlap: Duration = HOUR * 24,
    /// How long a node believes that a session is alive without asking the database.
    session_cache: Duration = SECOND * 5,
    /// After how long it is noted again that a session is in use.
    session_touch: Duration = HOUR,
    /// How often a node looks whether the configuration has changed.
    config_poll: Duration = Duration::from_millis(500),
    /// How long a used refresh token may be presented again while its successor is unused.
    refresh_grace: Duration = SECOND * 30,
    /// How far clocks may differ when tokens are read.
    clock_leeway: Duration = SECOND * 5,
    /// How long a new signing key is published before it signs.
    key_lead: Duration = HOUR,
    /// Longest value of a profile field, in Unicode code points.
    profile_field: usize = 1000,
    /// Longest nickname taken over from WeChat, in Unicode code points.
    nickname: usize = 256,
    /// Custom data: number of keys.
    custom_keys: usize = 100,
    /// Custom data: bytes of one value as JSON.
    custom_value: usize = 8 * 1024,
    /// Custom data: bytes of all of a user's as JSON.
    custom_total: usize = 64 * 1024,
    /// Custom data: how deep the arrays and objects of one value may be nested.
    custom_depth: usize = 32,
    /// Upload: bytes of the file.
    upload_bytes: usize = 10 * 1024 * 1024,
    /// Upload: pixels of the picture, known before it is decoded.
    upload_pixels: u64 = 50_000_000,
    /// Upload: longest side of what is kept, in pixels.
    upload_side: u32 = 512,
    /// Upload: pictures decoded at the same time.
    upload_decodes: usize = 2,
    /// Upload: files being read or decoded at the same time; more are refused.
    uploads_at_once: usize = 8,
    /// Upload: files of one address in [`Limits::upload_window`].
    uploads_per_ip: i64 = 60,
    /// Upload: files of all addresses together in [`Limits::upload_window`].
    uploads_in_all: i64 = 10_000,
    /// Upload: the window of the two limits above.
    upload_window: Duration = HOUR,
    /// Upload: bytes of pictures that nobody's photo names, in all.
    upload_orphan_bytes: i64 = 512 * 1024 * 1024,
    /// Upload: how long a picture may be nobody's.
    upload_orphan_age: Duration = HOUR,
    /// Failed logins of one address in [`Limits::failure_window`] before failures are only told "too often".
    login_failures_per_ip: i64 = 120,
    /// The window of the limit above.
    failure_window: Duration = MINUTE,
    /// Calls of WeChat at the same time for an address beyond that limit.
    failure_lane: usize = 4,
    /// How long an administrator who logs in stays so.
    admin_session: Duration = HOUR * 12,
    /// Failed logins of administrators from one address, in [`Limits::admin_failure_window`].
    admin_failures: i64 = 10,
    /// Failed logins of one administrator from all addresses, in that window.
    admin_account_failures: i64 = 100,
    /// The window of the limit above.
    admin_failure_window: Duration = MINUTE * 15,
    /// Access keys that do not hold, of one address in [`Limits::failure_window`], before it is only told "too often".
    admin_key_failures: i64 = 60,
    /// Bytes of a file of users that is sent to `/admin/v1`; larger ones come in by `hufu import`.
    import_bytes: usize = 1024 * 1024 * 1024,
    /// How long a client may take to send such a file.
    import_time: Duration = HOUR,
    /// Connections at the same time; more wait in the kernel's queue.
    connections: usize = 10_000,
    /// How long a connection is kept, however busy.
    connection_time: Duration = HOUR,
    /// How long a client may take for the head of a request, or leave a kept connection idle.
    header_time: Duration = SECOND * 30,
    /// Head of a request in bytes.
    header_bytes: usize = 64 * 1024,
    /// How long a client may take for the body of a request.
    body_time: Duration = MINUTE,
    /// Body of a JSON or form request in bytes.
    body_bytes: usize = 256 * 1024,
    /// How many bytes of a body beyond its limit are read and thrown away, so that the client sees the answer.
    discarded_bytes: usize = 16 * 1024 * 1024,
}

/// A limit as the configuration spells it: a number, or for durations text such as `500ms`, `30s`, `5m`,
/// `2h`. Nothing may be zero.
trait Limit: Sized {
    /// Reads it.
    fn parse(text: &str) -> Option<Self>;
    /// How it is spelt.
    const SPELLING: &str;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Limit for $number {
            fn parse(text: &str) -> Option<Self> {
                text.parse().ok().filter(|n| *n > 0 && u64::try_from(*n).is_ok_and(|n| n <= LARGEST))
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
    const SPELLING: &str = "a duration above 0 such as \"500ms\", \"30s\", \"5m\" or \"2h\"";
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
