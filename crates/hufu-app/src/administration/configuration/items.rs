//! The lists in a pool's settings, element by element: scopes, agreements, custom fields. The revision of each is that of
//! the pool.

use async_recursion::async_recursion as boxed;
use hufu_types::refusal::Code;
use hufu_types::{Permission, PoolId, SettingProblem};
use serde_json::{Value as Json, json};

use super::super::AdminCaller;
use super::pools::{ReadPool, show_pool};
use super::{REVISION, invalid};
use crate::configuration::document::pool::EditPool;
use crate::configuration::document::{Document, Edit, Element};
use crate::{App, Refusal};

/// A list of a pool's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// The scopes, by name.
    Scope,
    /// The agreements, by id.
    Agreement,
    /// The custom fields, by key.
    CustomField,
}

impl Item {
    /// Every list.
    pub const ALL: [Self; 3] = [Self::Scope, Self::Agreement, Self::CustomField];

    /// The member of the settings.
    pub const fn list(self) -> &'static str {
        match self {
            Self::Scope => "scopes",
            Self::Agreement => "agreements",
            Self::CustomField => "custom_fields",
        }
    }

    /// The member by which elements are told apart.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Scope => "name",
            Self::Agreement => "id",
            Self::CustomField => "key",
        }
    }

    fn element(self, name: &str, value: Option<Document>) -> Element {
        Element { list: self.list(), key: self.key(), name: name.to_owned(), value }
    }
}

impl App {
    /// The elements of a list, and the pool's revision.
    ///
    /// # Errors
    /// The refusals of [`App::permit`].
    #[boxed]
    pub async fn list_items(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        item: Item,
    ) -> Result<(Vec<Document>, i64), Refusal> {
        self.permit_configuration(by, Permission::ReadConfiguration, pool).await?;
        let found = self.read(ReadPool(pool.clone())).await?.ok_or(Code::PoolUnknown)?;
        let document = show_pool(&found);
        let all = item.element("", None).all(&document).iter().filter_map(Json::as_object).cloned();
        Ok((all.collect(), found.revision))
    }

    /// An element of a list, with the pool's revision.
    ///
    /// # Errors
    /// [`Code::NoSuchItem`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn item(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        item: Item,
        name: &str,
    ) -> Result<Document, Refusal> {
        let (all, revision) = self.list_items(by, pool, item).await?;
        let is_it = |element: &Document| element.get(item.key()).and_then(Json::as_str) == Some(name);
        let found = all.into_iter().find(is_it).ok_or(Code::NoSuchItem)?;
        Ok(revised(found, revision))
    }

    /// Writes an element as a whole: in its place, or at the end of the list if there is none of this name.
    ///
    /// # Errors
    /// [`Code::ConfigurationInvalid`], [`Code::ObjectChanged`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn put_item(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        item: Item,
        name: &str,
        mut value: Document,
        revision: Option<i64>,
    ) -> Result<Document, Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        let sent = value.remove(REVISION).filter(|sent| !sent.is_null());
        if sent.as_ref().is_some_and(|sent| sent.as_i64().is_none()) {
            return Err(unfit(REVISION, "not valid — write a number"));
        }
        let expected = revision.or_else(|| sent.as_ref().and_then(Json::as_i64));
        let renamed = value.get(item.key()).is_some_and(|own| own.as_str() != Some(name));
        if renamed {
            return Err(unfit(item.key(), "another name than in the address — leave it out"));
        }
        self.write_item(by, pool, item, name, Some(value), expected).await
    }

    /// Takes an element out of its list.
    ///
    /// # Errors
    /// [`Code::NoSuchItem`], [`Code::ConfigurationInvalid`] if something else in the settings names it,
    /// [`Code::ObjectChanged`], and the refusals of [`App::permit`].
    #[boxed]
    pub async fn remove_item(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        item: Item,
        name: &str,
        expected: Option<i64>,
    ) -> Result<(), Refusal> {
        self.permit_configuration(by, Permission::WriteConfiguration, pool).await?;
        self.item(by, pool, item, name).await?;
        self.write_item(by, pool, item, name, None, expected).await.map(drop)
    }

    async fn write_item(
        &self,
        by: &AdminCaller,
        pool: &PoolId,
        item: Item,
        name: &str,
        value: Option<Document>,
        expected: Option<i64>,
    ) -> Result<Document, Refusal> {
        let element = item.element(name, value);
        let edit = Edit::Element(element.clone());
        let show = |document: &Document, revision: i64| {
            let place = element.place(document);
            let found = place.and_then(|place| element.all(document).get(place)?.as_object().cloned());
            found.map(|found| revised(found, revision))
        };
        let written = self.reconfigure(by, EditPool { id: pool.clone(), edit, expected }).await;
        let written = written.map_err(|refusal| within(item, refusal))?;
        let now = written.unless_changed(|now| {
            // What is in the way is the element if it is still there, or else that it is not.
            show(&show_pool(now), now.revision).unwrap_or_else(|| revised(Document::new(), now.revision))
        })?;
        let shown = now.as_ref().and_then(|now| show(&show_pool(now), now.revision));
        Ok(shown.unwrap_or_default())
    }
}

fn unfit(path: &str, reason: &str) -> Refusal {
    invalid(&[SettingProblem { path: path.to_owned(), reason: reason.to_owned() }])
}

fn revised(mut document: Document, revision: i64) -> Document {
    document.insert(REVISION.to_owned(), revision.into());
    document
}

/// A refusal that names the members of the element, and not where it is in the settings.
fn within(item: Item, refusal: Refusal) -> Refusal {
    let problems = refusal.data().and_then(|data| data.get("problems")?.as_array().cloned());
    let Some(mut problems) = problems else { return refusal };
    let list = format!("settings.{}", item.list());
    // What is wrong with a member makes the list wrong, too.
    if problems.len() > 1 {
        problems.retain(|problem| problem.get("field").and_then(Json::as_str) != Some(list.as_str()));
    }
    let prefix = format!("{list}.");
    for problem in &mut problems {
        let own = problem.get("field").and_then(Json::as_str).and_then(|field| field.strip_prefix(&prefix));
        // What is wrong with the element as a whole is said of its name.
        let own = own.map(|own| own.split_once('.').map_or(item.key(), |(_, rest)| rest).to_owned());
        if let (Some(own), Some(field)) = (own, problem.get_mut("field")) {
            *field = own.into();
        }
    }
    refusal.carrying(json!({ "problems": problems }))
}
