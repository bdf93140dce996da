//! The configuration by administrators: pools with their settings, senders, applications and connections, as documents whose
//! members are the keys of the file of `hufu apply`. See [`crate::configuration::document`].

mod applications;
mod connections;
mod items;
mod pools;
mod senders;
mod surroundings;

use hufu_store::config::Revised;
use hufu_types::refusal::Code;
use hufu_types::{Permission, PoolId, SettingProblem};
use serde_json::{Value as Json, json};

use super::AdminCaller;
use super::pools::{GOES_AT, STATE};
use crate::configuration::document::Document;
use crate::configuration::{Change, Operation, Outcome, Rejection};
use crate::{App, Refusal};

pub use self::applications::{ApplicationPage, WrittenApplication};
pub use self::connections::ConnectionPage;
pub use self::items::Item;
pub use self::pools::PoolPage;
pub(super) use self::pools::{ReadPool, show_pool};
pub use self::senders::{Preview, SenderChannel, SenderTest};
pub use self::surroundings::{LimitView, PublishedKey, SharedPlatform};

/// The revision of an object, a member of each shown document.
const REVISION: &str = "revision";
/// The member that says which client secrets an application has, or which secrets of a sender are set, without what they are.
const SECRETS: &str = "secrets";
/// Whether a connection is available, a member of each shown document that nobody writes.
const AVAILABILITY: &str = "availability";

impl App {
    /// Checks a permission. The pool of the administrators is not configured, so here there is none.
    pub(crate) async fn permit_configuration(
        &self,
        by: &AdminCaller,
        permission: Permission,
        pool: &PoolId,
    ) -> Result<(), Refusal> {
        if *pool == PoolId::system() {
            return Err(Code::PoolUnknown.into());
        }
        self.permit(by, permission, pool).await
    }

    /// Runs an operation. Other nodes take the change up by their poll, this one at once.
    pub(super) async fn reconfigure<O: Operation>(
        &self,
        by: &AdminCaller,
        operation: O,
    ) -> Result<Written<O::Object>, Refusal> {
        let trace = self.trace_by(operation.pool(), by);
        match self.write(Change { operation, trace }).await? {
            Outcome::Done { now, changed } => {
                if !changed.is_empty() {
                    self.reload_config().await;
                }
                Ok(Written::Done(now))
            }
            Outcome::Conflict { now, .. } => Ok(Written::Conflict(now)),
            Outcome::Rejected(rejection) => Err(refusal_of(rejection)),
        }
    }
}

/// What became of an operation that was not refused.
pub(super) enum Written<T> {
    Done(Option<Revised<T>>),
    /// Somebody else has changed the object, which is now so.
    Conflict(Option<Revised<T>>),
}

impl<T> Written<T> {
    /// The object as it is now, whoever made it so.
    pub(super) const fn now(&self) -> Option<&Revised<T>> {
        match self {
            Self::Done(now) | Self::Conflict(now) => now.as_ref(),
        }
    }

    /// The object as it is now.
    ///
    /// # Errors
    /// [`Code::ObjectChanged`] with the present object, if somebody else has changed it.
    pub(super) fn unless_changed(
        self,
        show: impl Fn(&Revised<T>) -> Document,
    ) -> Result<Option<Revised<T>>, Refusal> {
        self.unless_changed_or(Json::Null, show)
    }

    /// The same for an object that is shown also where there is none yet: so.
    pub(super) fn unless_changed_or(
        self,
        none: impl Into<Json>,
        show: impl Fn(&Revised<T>) -> Document,
    ) -> Result<Option<Revised<T>>, Refusal> {
        match self {
            Self::Done(now) => Ok(now),
            Self::Conflict(now) => {
                let present = now.as_ref().map_or_else(|| none.into(), |now| Json::Object(show(now)));
                Err(Refusal::new(Code::ObjectChanged).carrying(json!({ "present": present })))
            }
        }
    }
}

fn identified(mut document: Document, id: &str, revision: i64) -> Document {
    document.insert("id".to_owned(), id.into());
    document.insert(REVISION.to_owned(), revision.into());
    document
}

/// Takes out of a patch what a caller sends back as it was shown, and which revision they have seen. What remains of
/// that is reported by whoever reads the document.
fn expected(patch: &mut Document, revision: Option<i64>, shown: &Document) -> Option<i64> {
    for name in ["id", SECRETS, "channel", STATE, GOES_AT] {
        if patch.get(name).is_some_and(|sent| Some(sent) == shown.get(name)) {
            patch.remove(name);
        }
    }
    // Whether WeChat serves its app may be otherwise since, which is no change of the connection.
    let is_of_it =
        |name: &String| ["available", "since", "reason", "errcode", "rid"].contains(&name.as_str());
    let is_one = |sent: &Json| sent.as_object().is_some_and(|sent| sent.keys().all(is_of_it));
    if shown.contains_key(AVAILABILITY) && patch.get(AVAILABILITY).is_some_and(is_one) {
        patch.remove(AVAILABILITY);
    }
    // Who made a client secret may have been dismissed since, which is no change of the application.
    let sent = patch.get(SECRETS).and_then(ids);
    if sent.is_some() && sent == shown.get(SECRETS).and_then(ids) {
        patch.remove(SECRETS);
    }
    let sent = patch.get(REVISION).and_then(Json::as_i64);
    if sent.is_some() && (revision.is_none() || revision == sent) {
        patch.remove(REVISION);
    }
    revision.or(sent)
}

/// The ids of the objects in a list.
fn ids(list: &Json) -> Option<Vec<&str>> {
    list.as_array()?.iter().map(|object| object.get("id")?.as_str()).collect()
}

/// Takes the id that somebody wishes for out of a new object.
fn wished_id<T, E>(document: &mut Document, parse: fn(&str) -> Result<T, E>) -> Result<Option<T>, Refusal> {
    match document.remove("id") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => parse(&text).map(Some).map_err(|_| unfit_id()),
        Some(_) => Err(unfit_id()),
    }
}

fn unfit_id() -> Refusal {
    let rule = hufu_types::IdError;
    invalid(&[SettingProblem { path: "id".to_owned(), reason: format!("not valid — {rule}") }])
}

/// The refusal of an object that cannot be as requested.
fn invalid(problems: &[SettingProblem]) -> Refusal {
    let problems: Vec<Json> =
        problems.iter().map(|problem| json!({ "field": problem.path, "reason": problem.reason })).collect();
    Refusal::new(Code::ConfigurationInvalid).carrying(json!({ "problems": problems }))
}

fn refusal_of(rejection: Rejection) -> Refusal {
    let at = |path: &str, reason: String| invalid(&[SettingProblem { path: path.to_owned(), reason }]);
    match rejection {
        Rejection::Settings(problems) => invalid(&problems),
        Rejection::NoPool => Code::PoolUnknown.into(),
        Rejection::PoolRemoved => Code::PoolRemoved.into(),
        Rejection::PoolNotRemoved => Code::PoolNotRemoved.into(),
        Rejection::NoApplication => Code::NoSuchApplication.into(),
        Rejection::NoSuchConnection => Code::NoSuchConnection.into(),
        Rejection::NoSecret => Code::NoSuchSecret.into(),
        Rejection::OnlySecret => Code::OnlySecret.into(),
        // Which pool has it is nobody's business here.
        Rejection::ApplicationIdTaken(_) | Rejection::PoolIdTaken => Code::ObjectTaken.with("field", "id"),
        Rejection::AppInUse => {
            let reason = format!("{rejection} — send confirm = true to go on");
            at("fields.app_id", reason)
        }
        Rejection::VerificationFileTaken => Code::ObjectTaken.with("field", "verification_file.name"),
        Rejection::IdentifierTaken => Code::ObjectTaken.with("field", "identifier"),
        Rejection::PublicClient => {
            let advice = "write client_secret_basic or client_secret_post first";
            at("token_auth", format!("a client of this kind has no secret — {advice}"))
        }
        // Only a client that registers or manages itself is told these.
        Rejection::RegistrationEnded => Code::RegistrationUnauthorized.into(),
        Rejection::TooManyClients(most) => Code::TooManyClients.with("most", most.to_string()),
        Rejection::LoginTooOld(minutes) => Code::RecentLoginNeeded.with("minutes", minutes.to_string()),
        // The reader of the document has already found these.
        Rejection::NoName => at("name", rejection.to_string()),
        Rejection::Fixed(..) => at("type", rejection.to_string()),
        Rejection::NoConnection(_) | Rejection::ConnectionUnusable(..) => {
            at("connections", rejection.to_string())
        }
        Rejection::SessionTooShort => at("tokens.session", rejection.to_string()),
    }
}
