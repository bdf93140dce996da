//! Settings of the pool that these clients know.

use hufu_app::Refusal;
use hufu_types::PoolSettings;
use hufu_types::refusal::Reason;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::put;
use super::sent::Sent;
use crate::envelope::Success;
use crate::surface::Answer;

/// Settings that these clients know and that there are not, or that are the same for all pools.
const NOT_SERVED: &[&str] = &[
    "allowedOrigins",
    "authingTokenExpiresIn",
    "verifyCodeLength",
    "verifyCodeMaxAttempts",
    "registerAnomalyDetection",
    "completePasswordAfterPassCodeLogin",
    "loginAnomalyDetection",
    "loginRequireEmailVerified",
    "selfUnlockAccount",
    "enableLoginAccountSwitch",
];
/// The clients' units of time, in seconds.
const UNITS: &[(&str, i64)] = &[("Second", 1), ("Minute", 60), ("Hour", 3_600)];

fn seconds(duration: std::time::Duration) -> u64 {
    duration.as_secs()
}

impl Call {
    fn security_settings(&self) -> Value {
        let settings = self.app.config().settings(&self.pool);
        json!({
            "verifyCodeLength": 6,
            "verifyCodeMaxAttempts": self.app.limits().passcode_tries,
            "changeEmailStrategy": { "verifyOldEmail": settings.verify_old_email },
            "changePhoneStrategy": { "verifyOldPhone": settings.verify_old_phone },
            "cookieSettings": {
                "cookieExpiresIn": seconds(settings.session.life), "cookieExpiresOnBrowserSession": false,
            },
            "registerDisabled": !settings.registration,
            "qrcodeLoginStrategy": {
                "qrcodeExpiresIn": seconds(settings.qr.life), "qrcodeExpiresInUnit": "Second",
                "ticketExpiresIn": seconds(settings.qr.ticket), "ticketExpiresInUnit": "Second",
                "allowExchangeUserInfoFromBrowser": true, "returnFullUserInfo": true,
            },
        })
    }
}

/// A duration in a document: so many of a unit.
fn duration(sent: &Sent, name: &'static str, unit: &'static str) -> Result<Option<Value>, Refusal> {
    let Some(number) = sent.number(name)? else { return Ok(None) };
    let unit_name = sent.text(unit)?.unwrap_or("Second");
    let found = UNITS.iter().find(|(known, _)| *known == unit_name);
    let choices: Vec<_> = UNITS.iter().map(|(known, _)| *known).collect();
    let (_, seconds) = found
        .ok_or_else(|| Refusal::invalid(unit, Reason::NotOneOf { choices: choices.join(", ").into() }))?;
    Ok(Some(format!("{}s", number.saturating_mul(*seconds)).into()))
}

/// The settings that both generations of the clients call the same, in the names of the document.
pub(super) fn common(sent: &Sent) -> Result<Map<String, Value>, Refusal> {
    let (email, phone) = (sent.object("changeEmailStrategy")?, sent.object("changePhoneStrategy")?);
    let settings = [
        ("registration", sent.flag("registerDisabled")?.map(|disabled| !disabled)),
        ("verify_old_email", email.flag("verifyOldEmail")?),
        ("verify_old_phone", phone.flag("verifyOldPhone")?),
    ];
    Ok(settings.into_iter().filter_map(|(name, flag)| Some((name.to_owned(), flag?.into()))).collect())
}

/// The life of sessions, in seconds. These clients know of no idle limit, so one that is longer becomes as short.
pub(super) fn session(present: &PoolSettings, life: i64) -> Value {
    let mut session = json!({ "life": format!("{life}s") });
    if u64::try_from(life).is_ok_and(|life| life < seconds(present.session.idle)) {
        put(&mut session, "idle", format!("{life}s"));
    }
    session
}

/// The settings that a request changes, in the names of the document.
fn patch(sent: &Sent, present: &PoolSettings) -> Result<Map<String, Value>, Refusal> {
    sent.without(NOT_SERVED)?;
    let mut patch = common(sent)?;
    let mut add = |name: &str, value: Option<Value>| {
        patch.extend(value.map(|value| (name.to_owned(), value)));
    };
    let cookie = sent.object("cookieSettings")?;
    cookie.without(&["cookieExpiresOnBrowserSession"])?;
    add("session", cookie.number("cookieExpiresIn")?.map(|seconds| session(present, seconds)));
    let codes = sent.object("qrcodeLoginStrategy")?;
    let mut qr = Map::new();
    let life = duration(&codes, "qrcodeExpiresIn", "qrcodeExpiresInUnit")?;
    qr.extend(life.map(|life| ("life".to_owned(), life)));
    let ticket = duration(&codes, "ticketExpiresIn", "ticketExpiresInUnit")?;
    qr.extend(ticket.map(|ticket| ("ticket".to_owned(), ticket)));
    add("qr", (!qr.is_empty()).then(|| qr.into()));
    Ok(patch)
}

/// `GET get-security-settings`
pub(super) async fn get(call: Call) -> Answer<Success<Value>> {
    call.app.pool(&call.by, &call.pool).await?;
    Ok(Success::new(call.security_settings()))
}

/// `POST update-security-settings`
pub(super) async fn update(call: Call) -> Answer<Success<Value>> {
    let patch = patch(&call.sent, &call.app.config().settings(&call.pool))?;
    if patch.is_empty() {
        return Err(Refusal::invalid("body", Reason::Missing).into());
    }
    let patch = Map::from_iter([("settings".to_owned(), patch.into())]);
    call.app.change_pool(&call.by, &call.pool, patch, None).await?;
    Ok(Success::new(call.security_settings()))
}
