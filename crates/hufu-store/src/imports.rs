//! Bringing users in: batches, each with its progress in the same transaction, so
//! that an import that was stopped goes on after the last batch that was committed.

use hufu_types::{
    Action, ApplicationId, ConnectionId, Email, IdentityKey, ImportId, Phone, PoolId, Timestamp, User,
    UserId, Username,
};
use serde_json::json;

use crate::events::{Event, Trace};
use crate::{Read, Row, StoreError, Tx, Write, config, statements, users, versions};

statements! {
    UNFINISHED_BY_CONTENT = "
        SELECT id, fingerprint, rows_done, created, skipped, refused
        FROM imports
        WHERE pool_id = $1 AND fingerprint = $2 AND finished_at IS NULL
        ORDER BY started_at DESC LIMIT 1";
    UNFINISHED_BY_NAME = "
        SELECT id, fingerprint, rows_done, created, skipped, refused
        FROM imports
        WHERE pool_id = $1 AND file_name = $2 AND finished_at IS NULL
        ORDER BY started_at DESC LIMIT 1";
    ABANDON = "
        UPDATE imports SET finished_at = $4
        WHERE pool_id = $1 AND (fingerprint = $2 OR file_name = $3) AND finished_at IS NULL";
    INSERT_IMPORT = "
        INSERT INTO imports
            (pool_id, id, fingerprint, file_name, rows_done, created, skipped, refused, started_at, updated_at)
        VALUES ($1, $2, $3, $4, 0, 0, 0, 0, $5, $5)";
    CLAIM_IMPORT = "
        UPDATE imports SET updated_at = $4, failure = NULL
        WHERE pool_id = $1 AND id = $2 AND rows_done = $3 AND finished_at IS NULL";
    ADVANCE = "
        UPDATE imports
        SET rows_done = rows_done + $3, created = created + $4, skipped = skipped + $5, refused = refused + $6,
            finished_at = $7
        WHERE pool_id = $1 AND id = $2";
    INSERT_REFUSAL = "
        INSERT INTO import_refusals (pool_id, import_id, row_number, reason) VALUES ($1, $2, $3, $4)";
    GET_IMPORT = "
        SELECT id, file_name, rows_done, created, skipped, refused, started_at, updated_at, finished_at, failure
        FROM imports WHERE pool_id = $1 AND id = $2";
    LIST_IMPORTS = "
        SELECT id, file_name, rows_done, created, skipped, refused, started_at, updated_at, finished_at, failure
        FROM imports WHERE pool_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    SET_FAILURE = "UPDATE imports SET failure = $3 WHERE pool_id = $1 AND id = $2 AND finished_at IS NULL";
    LIST_REFUSALS = "
        SELECT row_number, reason FROM import_refusals
        WHERE pool_id = $1 AND import_id = $2 AND row_number > $3
        ORDER BY row_number LIMIT $4";
    OTHER_POOLS = "SELECT id FROM pools WHERE id <> $1";
    IMPORT_USER = "
        INSERT INTO users
            (pool_id, id, status, username, email, email_verified, phone, phone_proof, external_id, password_hash,
             profile, custom_data, logins_count, last_login_at, last_ip, last_application, register_source,
             created_at, updated_at, merged_into, password_set_at, must_reset, agreements, delete_after)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                $23, $24)
        ON CONFLICT DO NOTHING";
    IMPORT_IDENTITY = "
        INSERT INTO identities (pool_id, realm, kind, value, user_id, connection_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING";
    TAKE_BACK_IDENTITIES = "DELETE FROM identities WHERE pool_id = $1 AND user_id = $2";
    TAKE_BACK_USER = "DELETE FROM users WHERE pool_id = $1 AND id = $2";
    ID_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND id = $2";
    USERNAME_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND username = $2";
    EMAIL_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND email = $2";
    PHONE_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND phone = $2";
    EXTERNAL_ID_OWNER = "SELECT id FROM users WHERE pool_id = $1 AND external_id = $2";
    VALUE_OWNER = "
        SELECT user_id FROM identities WHERE pool_id = $1 AND realm = $2 AND kind = $3 AND value = $4";
    IS_SURVIVOR = "SELECT 1 FROM users WHERE pool_id = $1 AND id = $2 AND merged_into IS NULL";
}

/// A user of a file, checked in all that needs no database.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The user, with the id of the file or a new one.
    pub user: User,
    /// Whether the id stands in the file: it must be free in the whole instance then.
    pub keeps_id: bool,
    /// The hash of the password.
    pub password_hash: Option<String>,
    /// What leads to the user.
    pub identities: Vec<NewIdentity>,
}

/// An identity of a user of a file.
#[derive(Clone, Debug)]
pub struct NewIdentity {
    /// The connection that it came through.
    pub connection: ConnectionId,
    /// What it is.
    pub key: IdentityKey,
    /// Since when.
    pub created_at: Timestamp,
}

/// A row of a file.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// Counted from 1.
    pub number: i64,
    /// The user, or why the row was refused before it came here.
    pub content: Result<Box<NewUser>, String>,
}

/// What becomes of rows whose user is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// They are refused.
    Refuse,
    /// They are counted and left alone.
    Skip,
}

/// How many rows, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows in all.
    pub rows: i64,
    /// Users that were made.
    pub created: i64,
    /// Rows whose users were there.
    pub skipped: i64,
    /// Rows that were refused.
    pub refused: i64,
}

/// A refused row: its number, and why.
pub type RefusedRow = (i64, String);

/// Begins an import, or finds the one of the same file that was not finished.
pub struct BeginImport {
    /// The pool.
    pub pool: PoolId,
    /// The id, should it be a new one.
    pub id: ImportId,
    /// What the file holds.
    pub fingerprint: String,
    /// How the file is called.
    pub file_name: String,
    /// Whether one that was not finished is given up.
    pub start_over: bool,
    /// When.
    pub now: Timestamp,
}

/// What an import begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// A new one, or what was done of one that was not finished.
    Import(ImportId, Counts),
    /// An import of a file of this name was not finished, and the file has changed since.
    Changed(ImportId, Counts),
}

impl Write for BeginImport {
    type Out = Begun;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Begun, StoreError> {
        let Self { pool, id, fingerprint, file_name, start_over, now } = self;
        if *start_over {
            tx.execute(ABANDON, &[pool.into(), fingerprint.into(), file_name.into(), (*now).into()]).await?;
        } else {
            let same =
                tx.optional(UNFINISHED_BY_CONTENT, &[pool.into(), fingerprint.into()], decode_import).await?;
            if let Some((id, _, counts)) = same {
                return Ok(Begun::Import(id, counts));
            }
            let other =
                tx.optional(UNFINISHED_BY_NAME, &[pool.into(), file_name.into()], decode_import).await?;
            // Where no batch was committed there is nothing that the new file could contradict.
            if let Some((id, _, counts)) = other.filter(|(_, _, counts)| counts.rows > 0) {
                return Ok(Begun::Changed(id, counts));
            }
        }
        let values = [pool.into(), id.as_str().into(), fingerprint.into(), file_name.into(), (*now).into()];
        tx.execute(INSERT_IMPORT, &values).await?;
        Ok(Begun::Import(id.clone(), Counts::default()))
    }
}

fn decode_import(row: &Row<'_>) -> Result<(ImportId, String, Counts), StoreError> {
    let counts =
        Counts { rows: row.get(2)?, created: row.get(3)?, skipped: row.get(4)?, refused: row.get(5)? };
    Ok((ImportId::parse(&row.get::<String>(0)?)?, row.get(1)?, counts))
}

/// Rows of an import, and how far it is with them.
pub struct ImportBatch {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// How many rows were done before; if that is not so, another process is at it.
    pub done: i64,
    /// The rows.
    pub rows: Vec<ImportRow>,
    /// What becomes of rows whose user is there already.
    pub on_existing: OnExisting,
    /// Whether these are the last.
    pub last: bool,
    /// Who imports, and when.
    pub trace: Trace,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchOutcome {
    /// It is done.
    Done(Counts, Vec<RefusedRow>),
    /// Another process is at the same import, or has finished or given it up.
    Elsewhere,
}

impl Write for ImportBatch {
    type Out = BatchOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BatchOutcome, StoreError> {
        let values =
            [(&self.pool).into(), self.import.as_str().into(), self.done.into(), self.trace.at.into()];
        if tx.execute(CLAIM_IMPORT, &values).await? == 0 {
            return Ok(BatchOutcome::Elsewhere);
        }
        let keeps_id = |row: &ImportRow| row.content.as_ref().is_ok_and(|new| new.keeps_id);
        let others = if self.rows.iter().any(keeps_id) {
            // Ids are unique in the instance, which no index sees to: who writes given ones takes turns.
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
                    let values = [
                        (&self.pool).into(),
                        self.import.as_str().into(),
                        row.number.into(),
                        (&reason).into(),
                    ];
                    tx.execute(INSERT_REFUSAL, &values).await?;
                    counts.refused += 1;
                    refused.push((row.number, reason));
                }
            }
        }
        let values = [
            (&self.pool).into(),
            self.import.as_str().into(),
            counts.rows.into(),
            counts.created.into(),
            counts.skipped.into(),
            counts.refused.into(),
            self.last.then_some(self.trace.at).into(),
        ];
        tx.execute(ADVANCE, &values).await?;
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

/// What would become of rows, without writing anything.
pub struct CheckBatch {
    /// The pool.
    pub pool: PoolId,
    /// The rows.
    pub rows: Vec<ImportRow>,
    /// What becomes of rows whose user is there already.
    pub on_existing: OnExisting,
}

impl Read for CheckBatch {
    /// What would become of each row.
    type Out = Vec<RowOutcome>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<RowOutcome>, StoreError> {
        let others = other_pools(tx, &self.pool).await?;
        let mut outcomes = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            outcomes.push(match &row.content {
                Err(reason) => RowOutcome::Refused(reason.clone()),
                Ok(new) => {
                    let obstacle = obstacle(tx, &self.pool, &others, new, self.on_existing).await?;
                    obstacle.unwrap_or(RowOutcome::Created)
                }
            });
        }
        Ok(outcomes)
    }
}

/// A page of the rows that an import refused, in their order.
pub struct ListRefusals {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// The number of the last row of the page before, or 0.
    pub after: i64,
    /// How many at most.
    pub limit: i64,
}

impl Read for ListRefusals {
    type Out = Vec<RefusedRow>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<RefusedRow>, StoreError> {
        let values = [(&self.pool).into(), self.import.as_str().into(), self.after.into(), self.limit.into()];
        tx.all(LIST_REFUSALS, &values, |row| Ok((row.get(0)?, row.get(1)?))).await
    }
}

/// An import as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImport {
    /// Its id.
    pub id: ImportId,
    /// How its file is called.
    pub file_name: String,
    /// What became of the rows so far.
    pub counts: Counts,
    /// When it began.
    pub started_at: Timestamp,
    /// When the last batch was committed.
    pub updated_at: Timestamp,
    /// When it came to its end, or was given up.
    pub finished_at: Option<Timestamp>,
    /// Why it stopped before its end.
    pub failure: Option<String>,
}

/// Reads an import.
pub struct GetImport {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
}

impl Read for GetImport {
    type Out = Option<StoredImport>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<StoredImport>, StoreError> {
        tx.optional(GET_IMPORT, &[(&self.pool).into(), self.import.as_str().into()], decode_stored).await
    }
}

/// Reads the imports of a pool, the latest first.
pub struct ListImports {
    /// The pool.
    pub pool: PoolId,
    /// Those before this one.
    pub before: Option<ImportId>,
    /// At most so many.
    pub limit: i64,
}

impl Read for ListImports {
    type Out = Vec<StoredImport>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<StoredImport>, StoreError> {
        // Ids are made of lower-case hexadecimal digits.
        let before = self.before.as_ref().map_or("g", ImportId::as_str);
        tx.all(LIST_IMPORTS, &[(&self.pool).into(), before.into(), self.limit.into()], decode_stored).await
    }
}

/// Writes down why an import stopped before its end.
pub struct StopImport {
    /// The pool.
    pub pool: PoolId,
    /// The import.
    pub import: ImportId,
    /// Why.
    pub failure: String,
}

impl Write for StopImport {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let values = [(&self.pool).into(), self.import.as_str().into(), (&self.failure).into()];
        tx.execute(SET_FAILURE, &values).await.map(drop)
    }
}

fn decode_stored(row: &Row<'_>) -> Result<StoredImport, StoreError> {
    Ok(StoredImport {
        id: ImportId::parse(&row.get::<String>(0)?)?,
        file_name: row.get(1)?,
        counts: Counts {
            rows: row.get(2)?,
            created: row.get(3)?,
            skipped: row.get(4)?,
            refused: row.get(5)?,
        },
        started_at: Timestamp(row.get(6)?),
        updated_at: Timestamp(row.get(7)?),
        finished_at: row.get::<Option<i64>>(8)?.map(Timestamp),
        failure: row.get(9)?,
    })
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// A user was made.
    Created,
    /// The user was there already.
    Skipped,
    /// It was refused, and this is why.
    Refused(String),
}

async fn other_pools(tx: &mut Tx<'_>, pool: &PoolId) -> Result<Vec<PoolId>, StoreError> {
    tx.all(OTHER_POOLS, &[pool.into()], |row| config::pool_id(row, 0)).await
}

/// Makes a user, or says what is in the way. The database's unique keys decide, also against whoever
/// registers at the same moment, and a row in whose way something is leaves nothing behind.
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
    if insert_user(tx, pool, new).await? == 0 {
        let obstacle = obstacle(tx, pool, others, new, on_existing).await?;
        // What was in the way has gone in between.
        return obstacle.ok_or(StoreError::LostRace);
    }
    for identity in &new.identities {
        let NewIdentity { connection, key, created_at } = identity;
        let values = [
            pool.into(),
            (&key.realm).into(),
            key.kind.as_str().into(),
            (&key.value).into(),
            (&user.id).into(),
            connection.into(),
            (*created_at).into(),
        ];
        if tx.execute(IMPORT_IDENTITY, &values).await? == 0 {
            let mine = [pool.into(), (&user.id).into()];
            tx.execute(TAKE_BACK_IDENTITIES, &mine).await?;
            tx.execute(TAKE_BACK_USER, &mine).await?;
            let obstacle = obstacle(tx, pool, others, new, on_existing).await?;
            return obstacle.ok_or(StoreError::LostRace);
        }
    }
    Ok(RowOutcome::Created)
}

async fn insert_user(tx: &mut Tx<'_>, pool: &PoolId, new: &NewUser) -> Result<u64, StoreError> {
    let user = &new.user;
    let (profile, custom_data) =
        (serde_json::to_string(&user.profile)?, serde_json::to_string(&user.custom_data)?);
    let agreements = serde_json::to_string(&user.agreements)?;
    let password_set_at = new.password_hash.as_ref().map(|_| user.password_set_at.unwrap_or(user.created_at));
    let values = [
        pool.into(),
        (&user.id).into(),
        user.status.as_str().into(),
        user.username.as_ref().map(Username::as_str).into(),
        user.email.as_ref().map(Email::as_str).into(),
        user.email_verified.into(),
        user.phone.as_ref().map(|(phone, _)| phone.as_str()).into(),
        user.phone.as_ref().map(|(_, proof)| proof.as_str()).into(),
        (&user.external_id).into(),
        (&new.password_hash).into(),
        (&profile).into(),
        (&custom_data).into(),
        user.logins_count.into(),
        user.last_login_at.into(),
        (&user.last_ip).into(),
        user.last_application.as_ref().map(ApplicationId::as_str).into(),
        (&user.register_source).into(),
        user.created_at.into(),
        user.updated_at.into(),
        user.merged_into.as_ref().map(UserId::as_str).into(),
        password_set_at.into(),
        user.must_reset.into(),
        (&agreements).into(),
        user.delete_after.into(),
    ];
    tx.execute(IMPORT_USER, &values).await
}

const ID_ELSEWHERE: &str = "id: taken in another user pool";
const NO_SURVIVOR: &str =
    "mergedInto: the pool has no such user, or it was merged itself; its row must come first";

/// What is in the way of a row, if anything is: a name that somebody has, in the pool or in an earlier row.
async fn obstacle(
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
        (new.keeps_id || on_existing == OnExisting::Refuse).then_some(("id", ID_OWNER, user.id.as_str())),
        user.username.as_ref().map(|name| ("username", USERNAME_OWNER, name.as_str())),
        user.email.as_ref().map(|email: &Email| ("email", EMAIL_OWNER, email.as_str())),
        phone.map(|phone: &Phone| ("phone", PHONE_OWNER, phone.as_str())),
        user.external_id.as_ref().map(|id| ("externalId", EXTERNAL_ID_OWNER, id.as_str())),
    ];
    // Which of the row's names lead where, in the order in which names tell users apart.
    let mut leads: Vec<(&str, Option<String>)> = Vec::new();
    for (name, sql, value) in names.into_iter().flatten() {
        leads.push((name, tx.optional(sql, &[pool.into(), value.into()], |row| row.get(0)).await?));
    }
    for NewIdentity { key, .. } in &new.identities {
        let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
        leads.push(("identities", tx.optional(VALUE_OWNER, &values, |row| row.get(0)).await?));
    }
    let mut taken = leads.iter().filter_map(|(name, owner)| Some((*name, owner.as_ref()?)));
    let Some((name, owner)) = taken.next() else {
        return match &user.merged_into {
            Some(survivor) if !is_survivor(tx, pool, survivor).await? => {
                Ok(Some(RowOutcome::Refused(NO_SURVIVOR.to_owned())))
            }
            _ => Ok(None),
        };
    };
    let all_lead_there = taken.all(|(_, other)| other == owner);
    let first_leads_there = leads.first().is_some_and(|(first, _)| *first == name);
    if on_existing == OnExisting::Skip && all_lead_there && first_leads_there {
        return Ok(Some(RowOutcome::Skipped));
    }
    Ok(Some(RowOutcome::Refused(format!("{name}: taken by a user of the pool or of an earlier row"))))
}

async fn is_survivor(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<bool, StoreError> {
    Ok(tx.optional(IS_SURVIVOR, &[pool.into(), user.into()], |_| Ok(())).await?.is_some())
}
