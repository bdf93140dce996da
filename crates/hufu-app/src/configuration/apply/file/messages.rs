//! Reads how a pool sends e-mail and SMS, and what its messages say.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hufu_connect::mail::Encryption;
use hufu_connect::sms::Parameter;
use hufu_connect::templates::Override;
use hufu_connect::{
    BuildError, GuardedClient, MailSettings, Outbox, SenderContext, SmsSettings, TemplateKind, Templates,
    guarded,
};
use hufu_types::{Language, SystemClock, SystemRandom};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::Position;
use super::table::{Item, quoted};

/// The settings of one sender, including secrets. `Debug` shows only their position.
#[derive(Clone)]
pub struct DesiredSender<T> {
    /// Their position in the file.
    pub at: Position,
    /// The settings.
    pub settings: T,
}

impl<T> fmt::Debug for DesiredSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DesiredSender").field("at", &self.at).finish_non_exhaustive()
    }
}

/// A key of a provider: its name, whether it is required, and how its value is converted to JSON.
type Key = (&'static str, bool, fn(Item<'_>) -> Option<Json>);

const SMTP: &[Key] = &[
    ("host", true, text),
    ("port", false, |item| item.integer(1..=65535, "a port is 1 to 65535").map(Json::from)),
    ("encryption", false, typed::<Encryption>),
    ("username", false, text),
    ("password", false, secret),
    ("from", true, text),
    ("timeout_seconds", false, |item| item.integer(1..=300, "write 1 to 300 seconds").map(Json::from)),
];
const ALIYUN: &[Key] = &[
    ("access_key_id", true, text),
    ("access_key_secret", true, secret),
    ("sign_name", true, text),
    ("template_code", true, text),
    ("template_codes", false, typed::<BTreeMap<TemplateKind, String>>),
    ("international_template_code", false, text),
    ("code_parameter", false, text),
    ("minutes_parameter", false, text),
    ("endpoint", false, text),
];
const TENCENT: &[Key] = &[
    ("secret_id", true, text),
    ("secret_key", true, secret),
    ("sdk_app_id", true, text),
    ("sign_name", false, text),
    ("template_id", true, text),
    ("template_ids", false, typed::<BTreeMap<TemplateKind, String>>),
    ("international_template_id", false, text),
    ("parameters", false, typed::<Vec<Parameter>>),
    ("region", false, text),
    ("endpoint", false, text),
];
const HTTP: &[Key] = &[
    ("url", true, secret),
    ("headers", false, secrets),
    ("body", true, |item| item.json()),
    ("accepted", false, accepted),
];

/// The keys whose values are secrets.
pub(in crate::configuration::apply) const SECRETS: [&str; 4] =
    ["password", "access_key_secret", "secret_key", "url"];

/// Reads `[user_pool.email]`.
pub(super) fn read_email(item: Item<'_>) -> Option<DesiredSender<MailSettings>> {
    let providers = [("smtp", SMTP), ("outbox", &[])];
    read_sender(
        item,
        "write [user_pool.email]",
        "the e-mail settings",
        &providers,
        |settings, sender_context| MailSettings::build(settings, sender_context).map(drop),
    )
}

/// Reads `[user_pool.sms]`.
pub(super) fn read_sms(item: Item<'_>) -> Option<DesiredSender<SmsSettings>> {
    let providers = [("aliyun", ALIYUN), ("tencent", TENCENT), ("http", HTTP), ("outbox", &[])];
    read_sender(item, "write [user_pool.sms]", "the SMS settings", &providers, |settings, sender_context| {
        SmsSettings::build(settings, sender_context).map(drop)
    })
}

/// Reads the table of a provider key by key, and then validates the whole with the provider's own rules.
fn read_sender<T: DeserializeOwned>(
    item: Item<'_>,
    advice: &str,
    what: &'static str,
    providers: &[(&'static str, &[Key])],
    build: fn(&T, &SenderContext) -> Result<(), BuildError>,
) -> Option<DesiredSender<T>> {
    let table = item.open_table(advice, what)?;
    let named = table.required("provider")?;
    let text = named.text()?;
    let Some((provider, keys)) = providers.iter().find(|(provider, _)| *provider == text) else {
        let known: Vec<_> = providers.iter().map(|(provider, _)| *provider).collect();
        named.refuse(format!("unknown provider {} — write one of {}", quoted(text), known.join(", ")));
        return None;
    };
    let known: Vec<_> = std::iter::once("provider").chain(keys.iter().map(|(key, ..)| *key)).collect();
    let mut is_sound = table.refuse_unknown(&known);
    let mut read = serde_json::Map::from_iter([("provider".to_owned(), Json::from(*provider))]);
    for (key, is_required, reader) in *keys {
        let value = if *is_required { table.required(key) } else { table.optional(key) };
        match value.map(*reader) {
            Some(Some(value)) => drop(read.insert((*key).to_owned(), value)),
            None if !is_required => {}
            None | Some(None) => is_sound = false,
        }
    }
    if !is_sound {
        return None;
    }
    // serde's message is dropped here, because it might quote a secret.
    let refused = |_| item.refuse(format!("{what} cannot be read — compare them with the documentation"));
    let settings: T = serde_json::from_value(Json::Object(read)).map_err(refused).ok()?;
    checked(item, |sender_context| build(&settings, sender_context))?;
    Some(DesiredSender { at: item.at, settings })
}

/// Reads `[user_pool.templates.KIND.LANGUAGE]`.
pub(super) fn read_templates(item: Item<'_>) -> Option<Templates> {
    const ADVICE: &str =
        "write [user_pool.templates.login.zh-CN], with the purpose and the language that you mean";
    let mut all: BTreeMap<TemplateKind, BTreeMap<Language, Override>> = BTreeMap::new();
    let mut is_sound = true;
    for of_kind in item.open_table(ADVICE, "the templates")?.items() {
        let kind: Option<TemplateKind> = name_of(of_kind, "purpose of messages");
        let Some(languages) = of_kind.open_table(ADVICE, "a template") else {
            is_sound = false;
            continue;
        };
        for texts in languages.items() {
            let language: Option<Language> = name_of(texts, "language");
            let table = texts.open_table(ADVICE, "a template");
            let known = table.filter(|table| table.refuse_unknown(&["subject", "text", "html", "sms"]));
            let read: Option<Override> = known.and_then(|_| texts.value());
            let (Some(kind), Some(language), Some(texts_read)) = (kind, language, read) else {
                is_sound = false;
                continue;
            };
            let alone = BTreeMap::from([(kind, BTreeMap::from([(language, texts_read.clone())]))]);
            if let Err(error) = Templates::try_from(alone) {
                texts.refuse(format!("{error} — correct the text"));
                is_sound = false;
            }
            all.entry(kind).or_default().insert(language, texts_read);
        }
    }
    if is_sound { Templates::try_from(all).ok() } else { None }
}

/// Parses a key that must be one of the names that serde knows for this type.
fn name_of<T: DeserializeOwned>(item: Item<'_>, what: &str) -> Option<T> {
    let read = serde_json::from_value(item.key.into());
    read.map_err(|error: serde_json::Error| {
        let known = error.to_string();
        let known = known.split_once("expected ").map_or("", |(_, known)| known).replace('`', "");
        item.refuse(format!("unknown {what} {} — write {known}", quoted(item.key)));
    })
    .ok()
}

/// Builds the sender to validate it by its own rules. Nothing is sent, and no connection is made.
fn checked(item: Item<'_>, build: impl FnOnce(&SenderContext) -> Result<(), BuildError>) -> Option<()> {
    let clock = Arc::new(SystemClock);
    // A problem of the machine, such as missing root certificates, is not an error in the file.
    let Ok(http) = GuardedClient::new(guarded::Settings::default()) else { return Some(()) };
    let sender_context = SenderContext {
        http,
        outbox: Some(Outbox::new(clock.clone())),
        clock,
        random: Arc::new(SystemRandom),
    };
    let Err(BuildError::Setting { setting, reason, .. }) = build(&sender_context) else { return Some(()) };
    // The `http` provider calls its endpoint `url`.
    let has_url =
        setting == "endpoint" && item.open_table("", "").is_some_and(|table| table.optional("url").is_some());
    item.refuse_within(if has_url { "url" } else { setting }, &reason);
    None
}

fn text(item: Item<'_>) -> Option<Json> {
    let not_empty = |text: &str| {
        let fits = !text.trim().is_empty() && !text.chars().any(char::is_control);
        if fits {
            Ok(Json::from(text))
        } else {
            Err("write at least one character, and no control characters")
        }
    };
    item.parse(not_empty)
}

fn secret(item: Item<'_>) -> Option<Json> {
    let rule = |text: &str| {
        let fits = (1..=4096).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(()) } else { Err("write 1 to 4096 characters, and no control characters") }
    };
    item.secret(rule).map(|secret| Json::from(secret.expose_secret()))
}

/// Headers, whose values may be secrets.
fn secrets(item: Item<'_>) -> Option<Json> {
    let headers = item.open_table("write { name = \"value\" }", "the headers")?;
    let read: Vec<_> = headers.items().map(|item| Some((item.key.to_owned(), secret(item)?))).collect();
    Some(Json::Object(read.into_iter().collect::<Option<_>>()?))
}

fn accepted(item: Item<'_>) -> Option<Json> {
    let table =
        item.table("write { pointer = \"/code\", equals = 0 }", "`accepted`", &["pointer", "equals"])?;
    let (pointer, equals) = (table.required("pointer"), table.required("equals"));
    Some(serde_json::json!({ "pointer": text(pointer?)?, "equals": equals?.json()? }))
}

/// A value without secrets, validated by deserializing it.
fn typed<T: DeserializeOwned + Serialize>(item: Item<'_>) -> Option<Json> {
    serde_json::to_value(item.value::<T>()?).ok()
}
