//! Pools as documents: their names and settings.

use std::sync::LazyLock;

use hufu_store::config;
use hufu_store::{StoreError, Tx};
use hufu_types::{Pool, PoolId, PoolSettings, SettingProblem, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::super::change::{Operation, Outcome, Rejection, is_expected};
use super::super::pools::PutPool;
use super::application::take_empty;
use super::{Document, Edit, Reading, Shape, complete, object_of};

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Own {
    name: String,
    settings: PoolSettings,
}

static OWN: LazyLock<Shape> = LazyLock::new(Shape::of::<Own>);

/// The members of a pool that can be written.
pub fn shape() -> &'static Shape {
    &OWN
}

/// The document of a pool.
pub fn show(pool: &Pool) -> Document {
    let mut document = object_of(&Own { name: pool.name.clone(), settings: pool.settings.clone() });
    complete(&OWN, &mut document);
    document
}

/// Makes a pool of a document, or changes one by a patch.
#[derive(Clone)]
pub struct EditPool {
    /// The pool, existing or new.
    pub id: PoolId,
    /// The document or the patch.
    pub edit: Edit,
    /// The revision that the caller last saw. `None` to skip the check. Of no meaning for a new pool.
    pub expected: Option<i64>,
}

impl Operation for EditPool {
    type Object = Pool;

    fn pool(&self) -> &PoolId {
        &self.id
    }

    fn object(&self) -> (&'static str, String) {
        ("pool", self.id.to_string())
    }

    async fn run(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Outcome<Pool>, StoreError> {
        let present = config::pool(tx, &self.id).await?;
        match (&self.edit, &present) {
            (Edit::New(_), Some(_)) => return Ok(Outcome::Rejected(Rejection::PoolIdTaken)),
            (Edit::Patch(_) | Edit::Element(_), None) => return Ok(Outcome::Rejected(Rejection::NoPool)),
            (Edit::New(_), None) | (Edit::Patch(_) | Edit::Element(_), Some(_)) => {}
        }
        if let (Some(expected), Some(_)) = (self.expected, &present)
            && !is_expected(Some(expected), present.as_ref())
        {
            return Ok(Outcome::Conflict { expected, now: present });
        }
        let mut reading = Reading::new("a user pool");
        let mut document =
            self.edit.over(present.as_ref().map(|present| show(&present.value)).unwrap_or_default());
        let of_branding = OWN.member("settings").and_then(|settings| settings.member("branding"));
        if let Some(Json::Object(branding)) =
            document.get_mut("settings").and_then(|it| it.get_mut("branding"))
        {
            take_empty(branding, of_branding.unwrap_or(&Shape::Any));
        }
        reading.prune_members(&OWN, &mut document, "");
        let own: Own = reading.read(&OWN, document, "");
        reading.label("name", &own.name);
        let problems = own.settings.problems().into_iter();
        let within =
            |SettingProblem { path, reason }| SettingProblem { path: format!("settings.{path}"), reason };
        reading.refuse_all(problems.map(within).collect());
        if !reading.is_sound() {
            return Ok(Outcome::Rejected(Rejection::Settings(reading.into_problems())));
        }
        let put = PutPool {
            id: self.id.clone(),
            name: Some(own.name),
            settings: Some(own.settings),
            expected: Some(present.map_or(0, |present| present.revision)),
        };
        put.run(tx, now).await
    }
}
