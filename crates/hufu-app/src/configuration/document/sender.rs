//! How a pool sends messages, as documents: the sender of a channel, and the templates.
//!
//! A sender has the keys of its provider. Those that are secrets are never shown; one that a patch leaves out stays, and
//! one that it names is replaced as a whole.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use hufu_connect::templates::Override;
use hufu_connect::{MailSettings, SmsSettings, TemplateKind, Templates};
use hufu_protocol::sealing::SealingKey;
use hufu_store::config::Revised;
use hufu_store::senders::{self, SenderKind, StoredSender};
use hufu_store::{StoreError, Tx};
use hufu_types::{Language, PoolId, Random, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use super::super::change::{Operation, Outcome, Rejection, is_expected};
use super::super::sender_keys::{self, KeyKind, Provider, Settings};
use super::super::senders::{PutSender, Sender, open};
use super::{Document, Edit, Reading, Shape, joined, merge, object_of};

/// The member that says which keys there are.
const PROVIDER: &str = "provider";
/// The parts of a template.
const PARTS: [&str; 4] = ["subject", "text", "html", "sms"];
/// The most characters of one text of a template.
const LONGEST_TEXT: usize = 20_000;

static EMAIL: LazyLock<Shape> = LazyLock::new(|| union(SenderKind::Email));
static SMS: LazyLock<Shape> = LazyLock::new(|| union(SenderKind::Sms));
static TEMPLATES: LazyLock<Shape> = LazyLock::new(|| {
    let texts = Shape::Object(PARTS.iter().map(|part| (*part, Shape::Text)).collect());
    let languages = Language::ALL.iter().map(|language| (language.tag(), texts.clone())).collect();
    let languages = Shape::Object(languages);
    let kinds = Shape::Object(sender_keys::purposes().map(|kind| (kind, languages.clone())).collect());
    Shape::Object(vec![("templates", kinds)])
});

/// The members that can be written, of all providers together.
pub fn shape(kind: SenderKind) -> &'static Shape {
    match kind {
        SenderKind::Email => &EMAIL,
        SenderKind::Sms => &SMS,
        SenderKind::Templates => &TEMPLATES,
    }
}

/// Whether the key of this name is a secret of some provider.
pub fn is_secret(name: &str) -> bool {
    let all = SenderKind::ALL.into_iter().flat_map(sender_keys::providers).flat_map(|provider| provider.keys);
    all.into_iter().any(|key| key.name == name && key.kind.is_secret())
}

/// A sender as it is shown.
#[derive(Clone)]
pub struct ShownSender {
    /// Its document, without secrets. Without a provider if it cannot be opened with this key.
    pub document: Document,
    /// The secret keys of its provider, and whether they are set.
    pub secrets: Vec<(&'static str, bool)>,
}

/// Shows the sender of a channel.
pub fn show(stored: &StoredSender, sealing: &SealingKey) -> ShownSender {
    let settings = opened(stored, sealing).unwrap_or_default();
    let Some(provider) = provider_of(stored.kind, &settings) else {
        let document = Map::from_iter([(PROVIDER.to_owned(), Json::Null)]);
        return ShownSender { document, secrets: Vec::new() };
    };
    let mut document = Map::from_iter([(PROVIDER.to_owned(), provider.name.into())]);
    for key in provider.keys.iter().filter(|key| !key.kind.is_secret()) {
        document.insert(key.name.to_owned(), settings.get(key.name).cloned().unwrap_or_default());
    }
    let secrets = provider.keys.iter().filter(|key| key.kind.is_secret());
    let secrets = secrets.map(|key| (key.name, settings.contains_key(key.name))).collect();
    ShownSender { document, secrets }
}

/// Shows the templates of a pool: its own texts. `None` stands for templates that were never written.
pub fn show_templates(stored: Option<&StoredSender>, sealing: &SealingKey) -> Document {
    let templates = stored.and_then(|stored| open::<Templates>(stored, sealing).ok()).unwrap_or_default();
    Map::from_iter([("templates".to_owned(), Json::Object(object_of(&templates)))])
}

/// Reads texts of one purpose in one language, for a preview.
///
/// # Errors
/// What is wrong with them.
pub fn read_texts(
    kind: TemplateKind,
    language: Language,
    document: &Document,
) -> Result<Templates, Vec<hufu_types::SettingProblem>> {
    let mut reading = Reading::new("a template");
    let wanted = json!({ kind.as_str(): { language.tag(): document } });
    let templates = read_templates(&mut reading, wanted, "");
    if reading.is_sound() {
        return Ok(templates);
    }
    let prefix = format!("{}.{}.", kind.as_str(), language.tag());
    let mut problems = reading.into_problems();
    for problem in &mut problems {
        if let Some(own) = problem.path.strip_prefix(&prefix) {
            problem.path = own.to_owned();
        }
    }
    Err(problems)
}

/// Makes a sender or templates of a patch, or changes those that there are.
#[derive(Clone)]
pub struct EditSender {
    /// The pool.
    pub pool: PoolId,
    /// What is changed.
    pub kind: SenderKind,
    /// The patch, over nothing if there is no such setting yet.
    pub patch: Document,
    /// The revision that the caller last saw; 0 for none yet. `None` to skip the check.
    pub expected: Option<i64>,
    /// The key that seals the setting.
    pub sealing: Arc<SealingKey>,
    /// The source of randomness for sealing.
    pub random: Arc<dyn Random>,
}

impl Operation for EditSender {
    type Object = StoredSender;

    fn pool(&self) -> &PoolId {
        &self.pool
    }

    fn object(&self) -> (&'static str, String) {
        (self.kind.as_str(), self.pool.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<StoredSender>, StoreError> {
        let present = senders::get(tx, &self.pool, self.kind).await?;
        if let (false, Some(expected)) = (is_expected(self.expected, present.as_ref()), self.expected) {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        let mut reading = Reading::new("a sender");
        let wanted = self.read(&mut reading, present.as_ref());
        let (Some(sender), true) = (wanted, reading.is_sound()) else {
            return Ok(Outcome::Rejected(Rejection::Settings(reading.into_problems())));
        };
        let put = PutSender {
            pool: self.pool.clone(),
            sender,
            expected: Some(present.map_or(0, |present| present.revision)),
            sealing: self.sealing.clone(),
            random: self.random.clone(),
        };
        put.run(tx, now).await
    }
}

impl EditSender {
    fn read(&self, reading: &mut Reading, present: Option<&Revised<StoredSender>>) -> Option<Sender> {
        let present = present.map(|present| &present.value);
        if self.kind == SenderKind::Templates {
            let shown = show_templates(present, &self.sealing);
            let mut document = Edit::Patch(self.patch.clone()).over(shown);
            let templates = document.remove("templates").unwrap_or_else(|| json!({}));
            reading.prune_members(&TEMPLATES, &mut document, "");
            return Some(Sender::Templates(read_templates(reading, templates, "templates")));
        }
        let present = present.and_then(|present| opened(present, &self.sealing));
        let document = self.over(present.unwrap_or_default());
        match self.kind {
            SenderKind::Email => {
                let settings: MailSettings = read_sender(reading, self.kind, document)?;
                refuse_build(reading, &Settings::Mail(&settings));
                Some(Sender::Email(settings))
            }
            SenderKind::Sms | SenderKind::Templates => {
                let settings: SmsSettings = read_sender(reading, self.kind, document)?;
                refuse_build(reading, &Settings::Sms(&settings));
                Some(Sender::Sms(settings))
            }
        }
    }

    /// The settings that are wanted. Another provider has none of the present keys, and another server none of the present
    /// secrets: they are not sent to whoever changes where messages go.
    fn over(&self, mut present: Document) -> Document {
        let mut patch = self.patch.clone();
        if patch.get(PROVIDER).is_some_and(|wanted| Some(wanted) != present.get(PROVIDER)) {
            present.clear();
        }
        let all = || sender_keys::providers(self.kind).iter().flat_map(|provider| provider.keys);
        let is_other = |name: &&str| {
            patch.get(*name).is_some_and(|wanted| wanted != present.get(*name).unwrap_or(&Json::Null))
        };
        if sender_keys::DESTINATION.iter().any(is_other) {
            for secret in all().filter(|key| key.kind.is_secret()) {
                present.remove(secret.name);
            }
        }
        for key in all().filter(|key| matches!(key.kind, KeyKind::Headers | KeyKind::Body)) {
            if let Some(value) = patch.remove(key.name) {
                present.insert(key.name.to_owned(), value);
            }
        }
        merge(&mut present, &patch);
        present
    }
}

/// The stored settings of a sender. What is empty was never written.
fn opened(stored: &StoredSender, sealing: &SealingKey) -> Option<Document> {
    let mut settings: Document = open(stored, sealing).ok()?;
    settings.retain(|_, value| !value.is_null() && *value != "");
    Some(settings)
}

/// The provider that a document names.
fn provider_of(kind: SenderKind, document: &Document) -> Option<&'static Provider> {
    let name = document.get(PROVIDER)?.as_str()?;
    sender_keys::providers(kind).iter().find(|provider| provider.name == name)
}

fn read_sender<T: DeserializeOwned>(
    reading: &mut Reading,
    kind: SenderKind,
    mut document: Document,
) -> Option<T> {
    let Some(provider) = provider_of(kind, &document) else {
        let known: Vec<_> = sender_keys::providers(kind).iter().map(|provider| provider.name).collect();
        reading.refuse(PROVIDER, format!("no provider — write one of {}", known.join(", ")));
        return None;
    };
    reading.prune_members(&shape_of(kind, provider), &mut document, "");
    for key in provider.keys {
        match document.get(key.name) {
            Some(value) => check(reading, key.name, key.kind, value),
            None if key.is_required => reading.refuse_too(key.name, "missing — write it"),
            None => {}
        }
    }
    if !reading.is_sound() {
        return None;
    }
    // serde's message is dropped, because it might quote a secret.
    let read = serde_json::from_value(Json::Object(document));
    read.map_err(|_| reading.refuse("", "cannot be read — compare it with the documentation")).ok()
}

/// Checks a value of the right shape.
fn check(reading: &mut Reading, name: &str, kind: KeyKind, value: &Json) {
    let mut rule = |path: String, checked: Result<(), &'static str>| {
        if let Err(rule) = checked {
            reading.refuse_too(path, format!("not valid — {rule}"));
        }
    };
    match (kind, value) {
        (KeyKind::Text, Json::String(text)) => rule(name.to_owned(), sender_keys::check_text(text)),
        (KeyKind::Secret, Json::String(text)) => rule(name.to_owned(), sender_keys::check_secret(text)),
        (KeyKind::Headers, Json::Object(headers)) => {
            for (header, value) in headers {
                let checked = value.as_str().map_or(Ok(()), sender_keys::check_secret);
                rule(joined(name, header), checked);
            }
        }
        (KeyKind::Accepted, Json::Object(accepted)) => {
            for part in ["pointer", "equals"] {
                if !accepted.contains_key(part) {
                    reading.refuse_too(joined(name, part), "missing — write it");
                }
            }
        }
        (_, Json::Number(number)) => {
            if let Some((min, max, advice)) = kind.range()
                && !number.as_i64().is_some_and(|number| (min..=max).contains(&number))
            {
                rule(name.to_owned(), Err(advice));
            }
        }
        _ => {}
    }
}

fn refuse_build(reading: &mut Reading, settings: &Settings<'_>) {
    if let Some((setting, reason)) = sender_keys::problem_of(settings) {
        reading.refuse_too(setting, format!("not valid — {reason}"));
    }
}

fn read_templates(reading: &mut Reading, wanted: Json, path: &str) -> Templates {
    let Json::Object(mut kinds) = wanted else {
        reading.refuse(path, "not valid — write an object");
        return Templates::default();
    };
    let members = TEMPLATES.member("templates").unwrap_or(&Shape::Any);
    reading.prune_members(members, &mut kinds, path);
    retain_own(&mut kinds);
    let mut all: BTreeMap<TemplateKind, BTreeMap<Language, Override>> = BTreeMap::new();
    for (name, languages) in kinds {
        let (Some(kind), Json::Object(languages)) = (TemplateKind::parse(&name), languages) else { continue };
        for (tag, texts) in languages {
            let at = joined(&joined(path, &name), &tag);
            let language = Language::ALL.into_iter().find(|language| language.tag() == tag);
            let (Some(language), Ok(texts)) = (language, serde_json::from_value::<Override>(texts)) else {
                continue;
            };
            let parts = [&texts.subject, &texts.text, &texts.html, &texts.sms];
            for (part, text) in PARTS.iter().zip(parts) {
                let Some(text) = text else { continue };
                if text.trim().is_empty() || text.chars().count() > LONGEST_TEXT {
                    let rule = format!("write 1 to {LONGEST_TEXT} characters, not only spaces");
                    reading.refuse_too(joined(&at, part), format!("not valid — {rule}"));
                }
            }
            let alone = BTreeMap::from([(kind, BTreeMap::from([(language, texts.clone())]))]);
            if let Err(error) = Templates::try_from(alone) {
                reading.refuse_too(joined(&at, error.part()), format!("{error} — correct the text"));
            }
            all.entry(kind).or_default().insert(language, texts);
        }
    }
    Templates::try_from(all).unwrap_or_default()
}

/// The shape of the keys of one provider.
fn shape_of(kind: SenderKind, provider: &Provider) -> Shape {
    let own = provider.keys.iter().map(|key| (key.name, value_shape(key.kind)));
    Shape::Object(std::iter::once(named(kind)).chain(own).collect())
}

/// The shape of the keys of all providers of a channel.
fn union(kind: SenderKind) -> Shape {
    let mut members = vec![named(kind)];
    for key in sender_keys::providers(kind).iter().flat_map(|provider| provider.keys) {
        if !members.iter().any(|(name, _)| *name == key.name) {
            members.push((key.name, value_shape(key.kind)));
        }
    }
    Shape::Object(members)
}

fn named(kind: SenderKind) -> (&'static str, Shape) {
    (PROVIDER, Shape::Choice(sender_keys::names(kind)))
}

fn value_shape(kind: KeyKind) -> Shape {
    match kind {
        KeyKind::Text | KeyKind::Secret => Shape::Text,
        KeyKind::Port | KeyKind::Seconds => Shape::Number,
        KeyKind::Encryption => Shape::Choice(&["none", "starttls", "tls"]),
        KeyKind::Purposes => {
            Shape::Object(sender_keys::purposes().map(|purpose| (purpose, Shape::Text)).collect())
        }
        KeyKind::Parameters => Shape::List(Box::new(Shape::Choice(&["code", "minutes"]))),
        KeyKind::Headers => Shape::Map(Box::new(Shape::Text)),
        KeyKind::Body => Shape::Any,
        KeyKind::Accepted => Shape::Object(vec![("pointer", Shape::Text), ("equals", Shape::Any)]),
    }
}

/// Takes out objects that have become empty.
fn retain_own(object: &mut Document) {
    object.retain(|_, value| match value {
        Json::Object(inner) => {
            retain_own(inner);
            !inner.is_empty()
        }
        value => !value.is_null(),
    });
}
