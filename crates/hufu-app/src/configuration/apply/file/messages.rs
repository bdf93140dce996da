//! Reads how a pool sends e-mail and SMS, and what its messages say.

use std::collections::BTreeMap;
use std::fmt;

use hufu_connect::mail::Encryption;
use hufu_connect::sms::Parameter;
use hufu_connect::templates::Override;
use hufu_connect::{MailSettings, SmsSettings, TemplateKind, Templates};
use hufu_store::senders::SenderKind;
use hufu_types::Language;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::Position;
use super::table::{Item, quoted};
use crate::configuration::sender_keys::{self, KeyKind, Provider, Settings};

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

/// The keys whose values are secrets.
pub(in crate::configuration::apply) const SECRETS: [&str; 4] =
    ["password", "access_key_secret", "secret_key", "url"];

/// Reads `[user_pool.email]`.
pub(super) fn read_email(item: Item<'_>) -> Option<DesiredSender<MailSettings>> {
    read_sender(item, SenderKind::Email, "write [user_pool.email]", "the e-mail settings", |settings| {
        sender_keys::problem_of(&Settings::Mail(settings))
    })
}

/// Reads `[user_pool.sms]`.
pub(super) fn read_sms(item: Item<'_>) -> Option<DesiredSender<SmsSettings>> {
    read_sender(item, SenderKind::Sms, "write [user_pool.sms]", "the SMS settings", |settings| {
        sender_keys::problem_of(&Settings::Sms(settings))
    })
}

/// Reads the table of a provider key by key, and then validates the whole with the provider's own rules.
fn read_sender<T: DeserializeOwned>(
    item: Item<'_>,
    kind: SenderKind,
    advice: &str,
    what: &'static str,
    problem: fn(&T) -> Option<(&'static str, String)>,
) -> Option<DesiredSender<T>> {
    let table = item.open_table(advice, what)?;
    let named = table.required("provider")?;
    let text = named.text()?;
    let providers = sender_keys::providers(kind);
    let Some(Provider { name, keys }) = providers.iter().find(|provider| provider.name == text) else {
        let known: Vec<_> = providers.iter().map(|provider| provider.name).collect();
        named.refuse(format!("unknown provider {} — write one of {}", quoted(text), known.join(", ")));
        return None;
    };
    let known: Vec<_> = std::iter::once("provider").chain(keys.iter().map(|key| key.name)).collect();
    let mut is_sound = table.refuse_unknown(&known);
    let mut read = serde_json::Map::from_iter([("provider".to_owned(), Json::from(*name))]);
    for key in *keys {
        let value = if key.is_required { table.required(key.name) } else { table.optional(key.name) };
        match value.map(|item| value_of(key.kind, item)) {
            Some(Some(value)) => drop(read.insert(key.name.to_owned(), value)),
            None if !key.is_required => {}
            None | Some(None) => is_sound = false,
        }
    }
    if !is_sound {
        return None;
    }
    // serde's message is dropped here, because it might quote a secret.
    let refused = |_| item.refuse(format!("{what} cannot be read — compare them with the documentation"));
    let settings: T = serde_json::from_value(Json::Object(read)).map_err(refused).ok()?;
    if let Some((setting, reason)) = problem(&settings) {
        item.refuse_within(setting, &reason);
        return None;
    }
    Some(DesiredSender { at: item.at, settings })
}

fn value_of(kind: KeyKind, item: Item<'_>) -> Option<Json> {
    if let Some((min, max, rule)) = kind.range() {
        return item.integer(min..=max, rule).map(Json::from);
    }
    match kind {
        KeyKind::Secret => secret(item),
        KeyKind::Encryption => typed::<Encryption>(item),
        KeyKind::Purposes => typed::<BTreeMap<TemplateKind, String>>(item),
        KeyKind::Parameters => typed::<Vec<Parameter>>(item),
        KeyKind::Headers => secrets(item),
        KeyKind::Body => item.json(),
        KeyKind::Accepted => accepted(item),
        KeyKind::Text | KeyKind::Port | KeyKind::Seconds => text(item),
    }
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

fn text(item: Item<'_>) -> Option<Json> {
    item.parse(|text| sender_keys::check_text(text).map(|()| Json::from(text)))
}

fn secret(item: Item<'_>) -> Option<Json> {
    item.secret(sender_keys::check_secret).map(|secret| Json::from(secret.expose_secret()))
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
