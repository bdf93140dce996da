//! Plans how a pool sends messages and what they say. Settings are compared unsealed and displayed without
//! secrets.

use hufu_store::senders::{SenderKind, StoredSender};
use serde_json::{Map, Value as Json};

use super::super::plan::PlanAction;
use super::{PoolPlanner, Step};
use crate::configuration::senders::{self, PutSender, RemoveSender, Sender};

impl PoolPlanner<'_> {
    pub(super) fn senders(&mut self) {
        let desired = self.desired;
        let email = desired.email.as_ref().map(|email| Sender::Email(email.settings.clone()));
        let sms = desired.sms.as_ref().map(|sms| Sender::Sms(sms.settings.clone()));
        self.sender(SenderKind::Email, email);
        self.sender(SenderKind::Sms, sms);
        self.sender(SenderKind::Templates, desired.templates.clone().map(Sender::Templates));
    }

    fn sender(&mut self, kind: SenderKind, wanted: Option<Sender>) {
        let desired = self.desired;
        let present =
            self.present.senders.iter().find(|stored| stored.pool == desired.id && stored.kind == kind);
        let Some(wanted) = wanted else {
            if let Some(present) = present {
                self.sender_not_in_file(present);
            }
            return;
        };
        let Ok(settings) = wanted.json() else {
            return self.refuse(desired.at, format!("{} cannot be stored — simplify it", kind.as_str()));
        };
        let label = label(kind, &settings);
        match present.map(|stored| senders::differences(stored, &settings, &self.task.sealing)) {
            None => self.line(PlanAction::Add, label),
            Some(Some(changed)) if changed.is_empty() => return self.line(PlanAction::Unchanged, label),
            Some(Some(changed)) => {
                self.line(PlanAction::Change, format!("{label}: {} changed", changed.join(", ")));
            }
            // For example because the key was lost.
            Some(None) => self.line(
                PlanAction::Change,
                format!("{label}: written anew, since what is stored cannot be opened"),
            ),
        }
        self.steps.push(Step::Sender(PutSender {
            pool: desired.id.clone(),
            sender: wanted,
            expected: None,
            sealing: self.task.sealing.clone(),
            random: self.task.random.clone(),
        }));
    }

    fn sender_not_in_file(&mut self, present: &StoredSender) {
        let opened = senders::open::<Json>(present, &self.task.sealing).ok();
        let label = label(present.kind, opened.as_ref().and_then(Json::as_object).unwrap_or(&Map::new()));
        if self.task.prune {
            self.line(PlanAction::Disable, format!("{label}: taken away"));
            self.steps.push(Step::NoSender(RemoveSender {
                pool: present.pool.clone(),
                kind: present.kind,
                expected: None,
            }));
        } else {
            self.line(PlanAction::LeftAlone, label);
        }
    }
}

/// A label such as `email (smtp)` or `templates (login, bind_phone)`.
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
