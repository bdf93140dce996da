//! Units of work for importing users. Each batch records its progress in the same transaction, so that an
//! interrupted import resumes after the last committed batch.

use hufu_store::identities::NewIdentity;
use hufu_store::imports::{self, Counts, RefusedRow, Unique, is_survivor, other_pools};
use hufu_store::{Read, StoreError, Tx, Write, users, versions};
use hufu_types::{Action, Email, ImportId, Phone, PoolId, Timestamp, User, Username};
use serde_json::json;

use crate::events::{Event, Trace};
use crate::people::accounts::{self, NewAccount};

/// A user from a file, checked as far as possible without the database.
#[derive(Clone, Debug)]
pub(crate) struct NewUser {
    /// The user, with the id from the file or a new one.
    pub user: User,
    /// Whether the id is from the file. It must then be unused in the whole instance.
    pub keeps_id: bool,
    /// The hash of the password.
    pub password_hash: Option<String>,
    /// The user's identities.
    pub identities: Vec<NewIdentity>,
}

/// A row of a file.
#[derive(Clone, Debug)]
pub(crate) struct ImportRow {
    /// Counted from 1.
    pub number: i64,
    /// The user, or the reason that the row was refused earlier.
    pub content: Result<Box<NewUser>, String>,
}

/// What to do with rows whose user already exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// Refuse them.
    Refuse,
    /// Count them and leave the user unchanged.
    Skip,
}

/// Starts an import, or finds an unfinished one of the same file.
pub(crate) struct BeginImport {
    /// The pool.
    pub pool: PoolId,
    /// The id for a new import.
    pub id: ImportId,
    /// The fingerprint of the file's content.
    pub fingerprint: String,
    /// The name of the file.
    pub file_name: String,
    /// Whether to abandon an unfinished import.
    pub start_over: bool,
    /// The current time.
    pub now: Timestamp,
}

/// The outcome of starting an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BeginOutcome {
    /// A new import, or an unfinished one with the outcomes so far.
    Import(ImportId, Counts),
    /// There is an unfinished import with this file name, and the file has changed since.
    Changed(ImportId, Counts),
}

impl Write for BeginImport {
    type Out = BeginOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BeginOutcome, StoreError> {
        let Self { pool, id, fingerprint, file_name, start_over, now } = self;
        if *start_over {
            imports::abandon(tx, pool, fingerprint, file_name, *now).await?;
        } else {
            if let Some((id, counts)) = imports::unfinished_by_content(tx, pool, fingerprint).await? {
                return Ok(BeginOutcome::Import(id, counts));
            }
            let other = imports::unfinished_by_name(tx, pool, file_name).await?;
            // If no batch was committed, there is nothing that the new file could conflict with.
            if let Some((id, counts)) = other.filter(|(_, counts)| counts.rows > 0) {
                return Ok(BeginOutcome::Changed(id, counts));
            }
        }
        imports::insert(tx, pool, id, fingerprint, file_name, *now).await?;
        Ok(BeginOutcome::Import(id.clone(), Counts::default()))
    }
}

/// A batch of rows, and the progress of the import.
pub(crate) struct ImportBatch {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// The number of rows finished before. If the database disagrees, another process is running the import.
    pub done: i64,
    /// The rows.
    pub rows: Vec<ImportRow>,
    /// What to do with rows whose user already exists.
    pub on_existing: OnExisting,
    /// Whether this is the last batch.
    pub last: bool,
    /// The actor and time, for the audit log.
    pub trace: Trace,
}

/// The outcome of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BatchOutcome {
    /// The batch is committed.
    Done(Counts, Vec<RefusedRow>),
    /// Another process is running the same import, or has finished or abandoned it.
    RunningElsewhere,
}

impl Write for ImportBatch {
    type Out = BatchOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BatchOutcome, StoreError> {
        if !imports::claim(tx, &self.pool, &self.import, self.done, self.trace.at).await? {
            return Ok(BatchOutcome::RunningElsewhere);
        }
        let keeps_id = |row: &ImportRow| row.content.as_ref().is_ok_and(|new| new.keeps_id);
        let others = if self.rows.iter().any(keeps_id) {
            // Ids are unique across pools, which no index enforces. Units that write given ids take turns.
            versions::lock_configuration(tx).await?;
            other_pools(tx, &self.pool).await?
        } else {
            Vec::new()
        };
        let mut counts =
            Counts { rows: i64::try_from(self.rows.len()).unwrap_or(i64::MAX), ..Counts::default() };
        let mut refused = Vec::new();
        for row in &self.rows {
            let outcome = match &row.content {
                Err(reason) => RowOutcome::Refused(reason.clone()),
                Ok(new) => insert(tx, &self.pool, &others, new, self.on_existing).await?,
            };
            match outcome {
                RowOutcome::Created => counts.created += 1,
                RowOutcome::Skipped => counts.skipped += 1,
                RowOutcome::Refused(reason) => {
                    imports::insert_refusal(tx, &self.pool, &self.import, row.number, &reason).await?;
                    counts.refused += 1;
                    refused.push((row.number, reason));
                }
            }
        }
        let finished_at = self.last.then_some(self.trace.at);
        imports::advance(tx, &self.pool, &self.import, counts, finished_at).await?;
        if counts.created > 0 {
            let details = json!({
                "import": self.import.as_str(),
                "rows": [self.done + 1, self.done + counts.rows],
                "created": counts.created,
                "skipped": counts.skipped,
                "refused": counts.refused,
            });
            let event = Event { action: Action::UsersImported, code: 0, user: None, details };
            self.trace.recorder().record(tx, &self.pool, event).await?;
        }
        Ok(BatchOutcome::Done(counts, refused))
    }
}

/// Checks rows without writing anything.
pub(crate) struct CheckBatch {
    /// The pool.
    pub pool: PoolId,
    /// The rows.
    pub rows: Vec<ImportRow>,
    /// What to do with rows whose user already exists.
    pub on_existing: OnExisting,
}

impl Read for CheckBatch {
    /// The expected outcome of each row.
    type Out = Vec<RowOutcome>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<RowOutcome>, StoreError> {
        let others = other_pools(tx, &self.pool).await?;
        let mut outcomes = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            outcomes.push(match &row.content {
                Err(reason) => RowOutcome::Refused(reason.clone()),
                Ok(new) => {
                    let find_conflict = find_conflict(tx, &self.pool, &others, new, self.on_existing).await?;
                    find_conflict.unwrap_or(RowOutcome::Created)
                }
            });
        }
        Ok(outcomes)
    }
}

/// The outcome of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowOutcome {
    /// The user was created.
    Created,
    /// The user already existed.
    Skipped,
    /// The row was refused for this reason.
    Refused(String),
}

/// Creates a user, or returns the conflict. The database's unique keys decide, so concurrent registrations
/// cannot interfere. A row with a conflict leaves nothing behind.
async fn insert(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    others: &[PoolId],
    new: &NewUser,
    on_existing: OnExisting,
) -> Result<RowOutcome, StoreError> {
    let user = &new.user;
    if new.keeps_id && users::id_is_taken(tx, others, &user.id).await? {
        return Ok(RowOutcome::Refused(ID_ELSEWHERE.to_owned()));
    }
    if let Some(survivor) = &user.merged_into
        && !is_survivor(tx, pool, survivor).await?
    {
        return Ok(RowOutcome::Refused(NO_SURVIVOR.to_owned()));
    }
    let account = NewAccount {
        password_hash: new.password_hash.as_deref(),
        identities: &new.identities,
        ..NewAccount::of(user)
    };
    if !accounts::insert(tx, account).await? {
        let find_conflict = find_conflict(tx, pool, others, new, on_existing).await?;
        // The conflict has disappeared in the meantime.
        return find_conflict.ok_or(StoreError::LostRace);
    }
    Ok(RowOutcome::Created)
}

const ID_ELSEWHERE: &str = "id: taken in another user pool";
const NO_SURVIVOR: &str =
    "mergedInto: the pool has no such user, or it was merged itself; its row must come first";

/// The conflict of a row, if any: a name that is taken, in the pool or by an earlier row.
async fn find_conflict(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    others: &[PoolId],
    new: &NewUser,
    on_existing: OnExisting,
) -> Result<Option<RowOutcome>, StoreError> {
    let user = &new.user;
    if new.keeps_id && users::id_is_taken(tx, others, &user.id).await? {
        return Ok(Some(RowOutcome::Refused(ID_ELSEWHERE.to_owned())));
    }
    let phone = user.phone.as_ref().map(|(phone, _)| phone);
    let names = [
        (new.keeps_id || on_existing == OnExisting::Refuse).then_some(("id", Unique::Id(&user.id))),
        user.username.as_ref().map(|name: &Username| ("username", Unique::Username(name))),
        user.email.as_ref().map(|email: &Email| ("email", Unique::Email(email))),
        phone.map(|phone: &Phone| ("phone", Unique::Phone(phone))),
        user.external_id.as_deref().map(|id| ("externalId", Unique::ExternalId(id))),
    ];
    // The owners of the row's names, in the order in which names identify users.
    let mut owners: Vec<(&str, Option<String>)> = Vec::new();
    for (name, unique) in names.into_iter().flatten() {
        owners.push((name, imports::owner(tx, pool, unique).await?));
    }
    for NewIdentity { key, .. } in &new.identities {
        owners.push(("identities", imports::owner(tx, pool, Unique::Identity(key)).await?));
    }
    let mut taken = owners.iter().filter_map(|(name, owner)| Some((*name, owner.as_ref()?)));
    let Some((name, owner)) = taken.next() else {
        return match &user.merged_into {
            Some(survivor) if !is_survivor(tx, pool, survivor).await? => {
                Ok(Some(RowOutcome::Refused(NO_SURVIVOR.to_owned())))
            }
            _ => Ok(None),
        };
    };
    let all_lead_there = taken.all(|(_, other)| other == owner);
    let first_matches = owners.first().is_some_and(|(first, _)| *first == name);
    if on_existing == OnExisting::Skip && all_lead_there && first_matches {
        return Ok(Some(RowOutcome::Skipped));
    }
    Ok(Some(RowOutcome::Refused(format!("{name}: taken by a user of the pool or of an earlier row"))))
}
