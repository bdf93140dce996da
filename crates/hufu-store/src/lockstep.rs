//! PostgreSQL: many units in one transaction, in lockstep.
//!
//! A login alone is nine round trips and nine plans executed; sixteen logins in turn are a hundred and forty-four. So the
//! units of a group run side by side on one connection: each goes on until it needs the database, and what they ask
//! by the same statement is asked once, over arrays. A unit does not notice: it runs the same code, and makes the same
//! decisions, as alone.
//!
//! What the members of a group do not get is protection from each other: locks of one transaction do not exclude its
//! own statements. Therefore
//! - units about the same thing ([`crate::Write::group`]) are never in one group;
//! - only the statements of [`in_groups`] run here. A member that needs another one leaves: if it has written
//!   nothing, it alone; otherwise the group is rolled back;
//! - where fewer rows than members are affected, or a member fails, the group is rolled back.
//!
//! Whoever leaves, and everybody of a group that is rolled back, runs again alone.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::future::BoxFuture;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, PgConnection, Row as _};

use crate::arrays::{ArrayText, Kind, Shape};
use crate::unit::Unit;
use crate::{
    StoreError, Tx, Value, audit, authorization_codes, browser_sessions, consents, exchanges, identities,
    jobs, refresh_tokens, sessions, source_logins, users, wechat_followers, wechat_messages,
    wechat_signatures,
};

/// The statements that the members of a group may run, in the order in which they are run in a round: those of a login of a
/// known user, of a first login, of one in a browser that comes back from a source, of an authorization request that is
/// granted, of the exchange of a code, of a refresh, and of a message of an official account; and what is read for most
/// requests.
pub(crate) const fn in_groups() -> [&'static str; 35] {
    [
        users::BY_IDENTITY,
        browser_sessions::BY_COOKIE,
        identities::OWNER,
        refresh_tokens::GET,
        sessions::GET,
        sessions::OF_BROWSER,
        users::GET_USER,
        consents::GET,
        exchanges::GET,
        identities::LIST,
        wechat_signatures::MESSAGE_OF,
        source_logins::ANSWER,
        browser_sessions::GET_LOCKED,
        browser_sessions::EXTEND_GRANTED,
        authorization_codes::CLAIM,
        users::NOTE_LOGIN,
        identities::SET_USER_INFO,
        sessions::GO_ON,
        sessions::PROLONG,
        refresh_tokens::SUCCEED_UNUSED,
        users::INSERT,
        identities::INSERT_IF_FREE,
        browser_sessions::INSERT,
        sessions::INSERT,
        sessions::INSERT_IN_BROWSER,
        authorization_codes::INSERT,
        refresh_tokens::INSERT,
        refresh_tokens::INSERT_FOR_CLIENT,
        exchanges::PUT,
        audit::INSERT,
        wechat_signatures::INSERT,
        wechat_messages::KEEP,
        wechat_messages::INSERT,
        jobs::ENQUEUE,
        wechat_followers::PUT,
    ]
}

/// Why a group was rolled back. Its units run again alone, and their own errors are found there.
#[derive(Debug)]
pub(crate) struct Dissolved;

/// A member's side of the group: where its statements go.
pub struct Member(Arc<Mutex<Place>>);

/// What passes between a member and its group.
enum Place {
    /// Nothing: the member is running.
    Empty,
    /// The member waits for the answer to this.
    Question(Question),
    /// The answer.
    Answer(Answer),
}

struct Question {
    sql: &'static str,
    values: Vec<Owned>,
}

/// The rows of one member.
pub(crate) struct Answer {
    pub(crate) rows: Vec<PgRow>,
    pub(crate) affected: u64,
}

/// A parameter, kept while the member waits.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owned {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(bool),
    Bytes(Option<Vec<u8>>),
}

/// Which member asks, and its parameters.
type Asked = (usize, Vec<Owned>);

impl Member {
    /// Asks the group to run a statement, and waits for this member's part of the result.
    pub(crate) async fn ask(&mut self, sql: &'static str, values: &[Value<'_>]) -> Answer {
        let values = values.iter().map(Owned::from).collect();
        *lock(&self.0) = Place::Question(Question { sql, values });
        // The group polls its members once their answers are there, and drops those that get none.
        poll_fn(|_| {
            let mut place = lock(&self.0);
            match std::mem::replace(&mut *place, Place::Empty) {
                Place::Answer(answer) => Poll::Ready(answer),
                waiting => {
                    *place = waiting;
                    Poll::Pending
                }
            }
        })
        .await
    }
}

fn lock(place: &Mutex<Place>) -> std::sync::MutexGuard<'_, Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A unit of the group that has not ended.
struct Running<'u> {
    index: usize,
    future: BoxFuture<'u, Result<(), StoreError>>,
    place: Arc<Mutex<Place>>,
    has_written: bool,
}

/// The texts of the statements over arrays, made when they are first used.
#[derive(Default)]
pub(crate) struct Texts(Mutex<HashMap<&'static str, ArrayText>>);

impl Texts {
    /// The text for a statement with parameters of these kinds. None if it may not run in groups.
    fn of(&self, sql: &'static str, kinds: &[Kind]) -> Option<ArrayText> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(sql) {
            return (*text.kinds == *kinds).then(|| text.clone());
        }
        if !in_groups().contains(&sql) {
            return None;
        }
        let text = ArrayText::new(sql, kinds)?;
        texts.insert(sql, text.clone());
        Some(text)
    }
}

/// Runs the units of a group on a connection that has a transaction. Returns the indexes of those that left.
pub(crate) async fn run(
    connection: &mut PgConnection,
    texts: &Texts,
    units: &[&dyn Unit],
) -> Result<Vec<usize>, Dissolved> {
    let mut left = Vec::new();
    let mut running: Vec<Running<'_>> = units.iter().enumerate().map(Running::start).collect();
    loop {
        let mut questions: Vec<(&'static str, Vec<Asked>)> = Vec::new();
        let mut next = Vec::with_capacity(running.len());
        for mut member in running {
            match member.poll() {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(_)) if member.has_written => return Err(Dissolved),
                Poll::Ready(Err(_)) => {
                    left.push(member.index);
                    continue;
                }
                Poll::Pending => {}
            }
            let Place::Question(Question { sql, values }) =
                std::mem::replace(&mut *lock(&member.place), Place::Empty)
            else {
                // A unit waits for nothing but the database.
                return Err(Dissolved);
            };
            if !in_groups().contains(&sql) {
                if member.has_written {
                    return Err(Dissolved);
                }
                left.push(member.index);
                continue;
            }
            let place = next.len();
            next.push(member);
            match questions.iter_mut().find(|(other, _)| *other == sql) {
                Some((_, asked)) => asked.push((place, values)),
                None => questions.push((sql, vec![(place, values)])),
            }
        }
        // Reads before writes, and locks of existing rows before new ones: so each statement has as many members as it
        // can have, and groups lock the same rows in the same order.
        let Some(turn) = questions.iter().map(|(sql, _)| turn(sql)).min() else { return Ok(left) };
        questions.sort_by_key(|(sql, _)| in_groups().iter().position(|known| known == sql));
        for (sql, asked) in questions {
            if self::turn(sql) == turn {
                answer(connection, texts, sql, asked, &mut next).await?;
            } else {
                ask_again(sql, asked, &next)?;
            }
        }
        running = next;
    }
}

/// Which statements of a round come first.
fn turn(sql: &str) -> Shape {
    match sql.trim_start() {
        sql if sql.starts_with("SELECT ") => Shape::Select,
        sql if sql.starts_with("UPDATE ") => Shape::Update,
        _ => Shape::Insert,
    }
}

/// Puts questions back that have to wait for a later round.
fn ask_again(sql: &'static str, asked: Vec<Asked>, members: &[Running<'_>]) -> Result<(), Dissolved> {
    for (place, values) in asked {
        let member = members.get(place).ok_or(Dissolved)?;
        *lock(&member.place) = Place::Question(Question { sql, values });
    }
    Ok(())
}

impl<'u> Running<'u> {
    fn start((index, unit): (usize, &&'u dyn Unit)) -> Self {
        let (unit, place) = (*unit, Arc::new(Mutex::new(Place::Empty)));
        let mut member = Member(Arc::clone(&place));
        let future = Box::pin(async move { unit.run(&mut Tx::Group(&mut member)).await });
        Self { index, future, place, has_written: false }
    }

    /// Lets the unit run until it ends or asks something. A panic is its error.
    fn poll(&mut self) -> Poll<Result<(), StoreError>> {
        let mut context = Context::from_waker(Waker::noop());
        let poll = AssertUnwindSafe(|| self.future.as_mut().poll(&mut context));
        catch_unwind(poll).unwrap_or(Poll::Ready(Err(StoreError::Panicked)))
    }
}

/// Runs one statement for all members that ask it, and gives each its rows.
async fn answer(
    connection: &mut PgConnection,
    texts: &Texts,
    sql: &'static str,
    mut asked: Vec<Asked>,
    members: &mut [Running<'_>],
) -> Result<(), Dissolved> {
    // Groups that lock the same rows lock them in the same order.
    asked.sort_by(|(_, a), (_, b)| a.cmp(b));
    let kinds: Vec<Kind> = asked.first().map(|(_, values)| kinds(values)).ok_or(Dissolved)?;
    let text = texts.of(sql, &kinds).ok_or(Dissolved)?;
    let (places, values): (Vec<usize>, Vec<Vec<Owned>>) = asked.into_iter().unzip();
    let arguments = arguments(&kinds, values)?;
    let query = sqlx::query_with(AssertSqlSafe(Arc::clone(&text.sql)), arguments);
    let mut answers: Vec<Answer> = places.iter().map(|_| Answer { rows: Vec::new(), affected: 0 }).collect();
    if text.shape == Shape::Insert {
        let affected = query.execute(connection).await.map_err(|_| Dissolved)?.rows_affected();
        // Nobody knows whose row is missing.
        if usize::try_from(affected) != Ok(places.len()) {
            return Err(Dissolved);
        }
        for answer in &mut answers {
            answer.affected = 1;
        }
    } else {
        for row in query.fetch_all(connection).await.map_err(|_| Dissolved)? {
            let ordinality: i64 = row.try_get(row.len().saturating_sub(1)).map_err(|_| Dissolved)?;
            let index = usize::try_from(ordinality).ok().and_then(|n| n.checked_sub(1));
            let answer = index.and_then(|index| answers.get_mut(index)).ok_or(Dissolved)?;
            answer.rows.push(row);
            answer.affected += 1;
        }
    }
    for (place, answer) in places.into_iter().zip(answers) {
        let member = members.get_mut(place).ok_or(Dissolved)?;
        member.has_written |= text.shape != Shape::Select && answer.affected > 0;
        *lock(&member.place) = Place::Answer(answer);
    }
    Ok(())
}

fn kinds(values: &[Owned]) -> Vec<Kind> {
    values.iter().map(Owned::kind).collect()
}

/// One array for each parameter.
fn arguments(kinds: &[Kind], rows: Vec<Vec<Owned>>) -> Result<PgArguments, Dissolved> {
    let mut columns: Vec<Column> = kinds.iter().map(|kind| Column::of(*kind, rows.len())).collect();
    for row in rows {
        if row.len() != columns.len() {
            return Err(Dissolved);
        }
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value)?;
        }
    }
    let mut arguments = PgArguments::default();
    for column in columns {
        let added = match column {
            Column::Text(texts) => arguments.add(texts),
            Column::Int(ints) => arguments.add(ints),
            Column::Bool(truths) => arguments.add(truths),
            Column::Bytes(bytes) => arguments.add(bytes),
        };
        added.map_err(|_| Dissolved)?;
    }
    Ok(arguments)
}

/// The values of one parameter.
enum Column {
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
    Bool(Vec<bool>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    fn of(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Text => Self::Text(Vec::with_capacity(rows)),
            Kind::Int => Self::Int(Vec::with_capacity(rows)),
            Kind::Bool => Self::Bool(Vec::with_capacity(rows)),
            Kind::Bytes => Self::Bytes(Vec::with_capacity(rows)),
        }
    }

    fn push(&mut self, value: Owned) -> Result<(), Dissolved> {
        match (self, value) {
            (Self::Text(column), Owned::Text(text)) => column.push(text),
            (Self::Int(column), Owned::Int(int)) => column.push(int),
            (Self::Bool(column), Owned::Bool(truth)) => column.push(truth),
            (Self::Bytes(column), Owned::Bytes(bytes)) => column.push(bytes),
            _ => return Err(Dissolved),
        }
        Ok(())
    }
}

impl Owned {
    const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Int(_) => Kind::Int,
            Self::Bool(_) => Kind::Bool,
            Self::Bytes(_) => Kind::Bytes,
        }
    }
}

impl From<&Value<'_>> for Owned {
    fn from(value: &Value<'_>) -> Self {
        match *value {
            Value::Text(text) => Self::Text(text.map(str::to_owned)),
            Value::Int(int) => Self::Int(int),
            Value::Bool(truth) => Self::Bool(truth),
            Value::Bytes(bytes) => Self::Bytes(bytes.map(<[u8]>::to_vec)),
        }
    }
}
