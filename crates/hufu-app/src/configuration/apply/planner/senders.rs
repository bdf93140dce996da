//! How a pool sends messages and what they say: compared unsealed, told without secrets.

use hufu_store::senders::{SenderKind, StoredSender};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::super::plan::Fate;
use super::{PoolPlanner, Step};
use crate::configuration::senders;

impl PoolPlanner<'_> {
    pub(super) fn senders(&mut self) {
        let desired = self.desired;
        self.sender(SenderKind::Email, desired.email.as_ref().map(|email| &email.settings));
        self.sender(SenderKind::Sms, desired.sms.as_ref().map(|sms| &sms.settings));
        self.sender(SenderKind::Templates, desired.templates.as_ref());
    }

    fn sender(&mut self, kind: SenderKind, wanted: Option<&impl Serialize>) {
        let desired = self.desired;
        let present = self.senders.iter().find(|stored| stored.pool == desired.id && stored.kind == kind);
        let Some(wanted) = wanted else {
            if let Some(present) = present {
                self.sender_not_in_file(present);
            }
            return;
        };
        let wanted = object(wanted);
        let label = label(kind, &wanted);
        match present.map(|stored| senders::open::<Json>(stored, &self.task.sealing)) {
            None => self.line(Fate::Add, label),
            Some(Ok(Json::Object(present))) => {
                let changed = differences(&present, &wanted);
                if changed.is_empty() {
                    self.line(Fate::Unchanged, label);
                    return;
                }
                self.line(Fate::Change, format!("{label}: {} changed", changed.join(", ")));
            }
            // As after the loss of the key.
            Some(_) => self
                .line(Fate::Change, format!("{label}: written anew, since what is stored cannot be opened")),
        }
        let sealed = senders::seal(&desired.id, kind, &wanted, &self.task.sealing, &*self.task.random);
        match sealed {
            Ok(sealed) => self.steps.push(Step::PutSender(sealed)),
            Err(_) => self.refuse(desired.at, format!("{} cannot be stored — simplify it", kind.as_str())),
        }
    }

    fn sender_not_in_file(&mut self, present: &StoredSender) {
        let opened = senders::open::<Json>(present, &self.task.sealing).ok();
        let label = label(present.kind, opened.as_ref().and_then(Json::as_object).unwrap_or(&Map::new()));
        if self.task.prune {
            self.line(Fate::Disable, format!("{label}: taken away"));
            self.steps.push(Step::DeleteSender(present.pool.clone(), present.kind));
        } else {
            self.line(Fate::LeftAlone, label);
        }
    }
}

/// `email (smtp)`, or `templates (login, bind_phone)`.
fn label(kind: SenderKind, settings: &Map<String, Json>) -> String {
    let more = match kind {
        SenderKind::Email | SenderKind::Sms => {
            settings.get("provider").and_then(Json::as_str).map(str::to_owned)
        }
        SenderKind::Templates => Some(settings.keys().cloned().collect::<Vec<_>>().join(", ")),
    };
    match more.filter(|more| !more.is_empty()) {
        Some(more) => format!("{} ({more})", kind.as_str()),
        None => kind.as_str().to_owned(),
    }
}

fn object(settings: &impl Serialize) -> Map<String, Json> {
    match serde_json::to_value(settings) {
        Ok(Json::Object(object)) => object,
        _ => Map::new(),
    }
}

/// The names of the keys that differ.
pub(super) fn differences<'a>(present: &'a Map<String, Json>, wanted: &'a Map<String, Json>) -> Vec<&'a str> {
    let missing = present.keys().filter(|key| !wanted.contains_key(*key));
    let changed = wanted.iter().filter(|(key, value)| present.get(*key) != Some(value)).map(|(key, _)| key);
    let mut names: Vec<&str> = missing.chain(changed).map(String::as_str).collect();
    names.sort_unstable();
    names
}
