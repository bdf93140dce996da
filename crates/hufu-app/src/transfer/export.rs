//! Exporting users, page by page. An export can be imported again without loss.

use std::sync::Arc;

use std::io::Write;
use std::pin::pin;

use async_recursion::async_recursion as boxed;
use futures::{Stream, TryStreamExt as _};
use hufu_store::exports::{ExportPage, ExportedUser};
use hufu_store::{StoreError, Tx, Write as Unit};
use hufu_types::{Action, ApplicationId, PoolId, Timestamp, UserId, Username};
use serde_json::{Map, Value, json};

use super::identities::identity_json;
use super::{ExportError, Format, Transfer, csv, fields};
use crate::events::{Event, Trace};

/// Users per page.
const PAGE: i64 = 500;

/// How to export users.
#[derive(Clone, Copy, Debug)]
pub struct ExportOptions {
    /// The format of the file.
    pub format: Format,
    /// Whether to include password hashes.
    pub with_hashes: bool,
}

impl Transfer {
    /// Writes all users of the pool, as [`Transfer::pages`] returns them. Returns how many. `watch` is called
    /// after each page with the number of users so far.
    ///
    /// # Errors
    /// [`ExportError`]. Whatever has been written by then is not a complete export.
    #[boxed]
    pub async fn export(
        &self,
        to: &mut (dyn Write + Send),
        options: ExportOptions,
        watch: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, ExportError> {
        let mut pages = pin!(self.clone().pages(options).await?);
        let mut count = 0;
        while let Some(page) = pages.try_next().await? {
            to.write_all(&page.text)?;
            count += page.users;
            watch(count);
        }
        to.flush()?;
        Ok(count)
    }

    /// All users of the pool, page by page. Accounts that were merged into others come last. Users who are
    /// created or changed during the export appear in either their old or their new state.
    ///
    /// # Errors
    /// [`ExportError`]. The pages returned by then are not a complete export.
    pub async fn pages(
        self,
        options: ExportOptions,
    ) -> Result<impl Stream<Item = Result<ExportedPage, ExportError>> + Send + use<>, ExportError> {
        if !self.config.has_pool(&self.pool) {
            return Err(ExportError::PoolUnknown);
        }
        // Recorded before the first page, so that the audit log includes exports that were aborted.
        let unit = RecordExport { pool: self.pool.clone(), options, trace: self.trace() };
        self.store.write(unit).await?;
        let pages = Pages {
            sources: self.sources(),
            columns: columns(options.with_hashes),
            transfer: self,
            options,
            part: Part::Head,
            is_first: true,
        };
        Ok(futures::stream::try_unfold(pages, Pages::next))
    }
}

/// A piece of an export.
#[derive(Clone, Debug, Default)]
pub struct ExportedPage {
    /// The next part of the file.
    pub text: Vec<u8>,
    /// The number of users in it.
    pub users: u64,
}

/// The position of an export.
enum Part {
    Head,
    /// After this id, among merged accounts or among the others.
    Users {
        merged: bool,
        after: String,
    },
    End,
}

struct Pages {
    transfer: Transfer,
    options: ExportOptions,
    sources: Vec<Arc<hufu_types::Connection>>,
    columns: Vec<&'static str>,
    part: Part,
    is_first: bool,
}

impl Pages {
    async fn next(mut self) -> Result<Option<(ExportedPage, Self)>, ExportError> {
        let mut page = ExportedPage::default();
        loop {
            match &self.part {
                Part::Head => {
                    match self.options.format {
                        Format::Csv => csv::write_row(&mut page.text, self.columns.iter().copied())?,
                        Format::Json => page.text.extend_from_slice(b"["),
                        Format::JsonLines => {}
                    }
                    self.part = Part::Users { merged: false, after: String::new() };
                }
                Part::Users { merged, after } => {
                    let (pool, merged, after) = (self.transfer.pool.clone(), *merged, after.clone());
                    let users =
                        self.transfer.store.read(ExportPage { pool, after, limit: PAGE, merged }).await?;
                    let Some(last) = users.last() else {
                        self.part = if merged {
                            if self.options.format == Format::Json {
                                page.text.extend_from_slice(b"\n]\n");
                            }
                            Part::End
                        } else {
                            Part::Users { merged: true, after: String::new() }
                        };
                        continue;
                    };
                    self.part = Part::Users { merged, after: last.user.id.as_str().to_owned() };
                    for user in &users {
                        let first = std::mem::take(&mut self.is_first);
                        write_user(&mut page.text, user, self.options, &self.columns, &self.sources, first)?;
                        page.users += 1;
                    }
                    return Ok(Some((page, self)));
                }
                Part::End if page.text.is_empty() => return Ok(None),
                Part::End => return Ok(Some((page, self))),
            }
        }
    }
}

fn write_user(
    to: &mut dyn Write,
    exported: &ExportedUser,
    options: ExportOptions,
    columns: &[&'static str],
    sources: &[Arc<hufu_types::Connection>],
    first: bool,
) -> Result<(), ExportError> {
    let mut to = to;
    let row = row(exported, options.with_hashes, sources);
    match options.format {
        Format::Csv => {
            let cells: Vec<String> = columns.iter().map(|column| cell(row.get(*column))).collect();
            csv::write_row(&mut to, cells.iter().map(String::as_str))?;
        }
        Format::Json => {
            to.write_all(if first { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut to, &row)?;
        }
        Format::JsonLines => {
            serde_json::to_writer(&mut to, &row)?;
            to.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// Strings as they are, all other values as JSON.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The columns of a CSV export.
fn columns(with_hashes: bool) -> Vec<&'static str> {
    let mut columns = vec![
        "id",
        "username",
        "email",
        "emailVerified",
        "phone",
        "phoneProof",
        "externalId",
        "status",
        "identities",
    ];
    columns.extend(fields::profile().iter().map(|field| field.camel));
    columns.extend([
        "gender",
        "customData",
        "mustReset",
        "agreements",
        "createdAt",
        "updatedAt",
        "loginsCount",
    ]);
    columns.extend(["lastLogin", "lastIp", "lastLoginApp", "registerSource", "mergedInto", "deleteAfter"]);
    if with_hashes {
        columns.extend(["passwordHash", "passwordLastSetAt"]);
    }
    columns
}

/// A user, with the field names that the import reads. Empty fields are left out.
fn row(
    exported: &ExportedUser,
    with_hashes: bool,
    sources: &[Arc<hufu_types::Connection>],
) -> Map<String, Value> {
    let ExportedUser { user, password_hash, identities } = exported;
    let mut row = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            row.insert(name.to_owned(), value);
        }
    };
    let time = |at: Timestamp| Value::from(at.to_iso());
    put("id", Some(user.id.as_str().into()));
    put("username", user.username.as_ref().map(|name: &Username| name.as_str().into()));
    put("email", user.email.as_ref().map(|email| email.as_str().into()));
    put("emailVerified", user.email.as_ref().map(|_| user.email_verified.into()));
    put("phone", user.phone.as_ref().map(|(phone, _)| phone.as_str().into()));
    put("phoneProof", user.phone.as_ref().map(|(_, proof)| proof.as_str().into()));
    put("externalId", user.external_id.as_deref().map(Value::from));
    put("status", Some(user.status.as_str().into()));
    for field in fields::profile() {
        put(field.camel, user.profile.field(field.snake).filter(|text| !text.is_empty()).map(Value::from));
    }
    put("gender", user.profile.gender.map(|gender| gender.as_str().into()));
    put("customData", Some(&user.custom_data).filter(|data| !data.is_empty()).map(|data| json!(data)));
    put("mustReset", user.must_reset.then_some(Value::Bool(true)));
    put("agreements", Some(&user.agreements).filter(|all| !all.is_empty()).map(|all| json!(all)));
    put("createdAt", Some(time(user.created_at)));
    put("updatedAt", Some(time(user.updated_at)));
    put("loginsCount", Some(user.logins_count.into()));
    put("lastLogin", user.last_login_at.map(time));
    put("lastIp", user.last_ip.as_deref().map(Value::from));
    put("lastLoginApp", user.last_application.as_ref().map(|id: &ApplicationId| id.as_str().into()));
    put("registerSource", Some(user.register_source.as_str().into()));
    put("mergedInto", user.merged_into.as_ref().map(|id: &UserId| id.as_str().into()));
    put("deleteAfter", user.delete_after.map(time));
    if with_hashes && let Some(hash) = password_hash {
        put("passwordHash", Some(hash.as_str().into()));
        put("passwordLastSetAt", user.password_set_at.map(time));
    }
    let mut identities: Vec<_> = identities.iter().collect();
    identities.sort_by_key(|identity| {
        let key = &identity.key;
        (key.realm.clone(), key.kind.as_str(), key.value.clone())
    });
    let identities: Vec<_> =
        identities.into_iter().map(|identity| identity_json(identity, sources)).collect();
    put("identities", Some(identities).filter(|all| !all.is_empty()).map(Value::from));
    row
}

struct RecordExport {
    pool: PoolId,
    options: ExportOptions,
    trace: Trace,
}

impl Unit for RecordExport {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let details =
            json!({ "format": self.options.format.as_str(), "passwordHashes": self.options.with_hashes });
        let event = Event { action: Action::UsersExported, code: 0, user: None, details };
        self.trace.recorder().record(tx, &self.pool, event).await
    }
}
