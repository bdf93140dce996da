//! Exchanging WeChat codes. A code is never sent to WeChat again after an ambiguous outcome. Parallel
//! requests with the same code share one exchange. For a while, the same code from the same network leads to the
//! same login.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use hufu_store::exchanges::{Exchange, GetExchange, PutExchange};
use hufu_types::refusal::Code;
use hufu_types::{Application, Connection, Timestamp, TokenHash};
use hufu_wechat::{Class, Endpoint};
use tokio::sync::OwnedMutexGuard;

use crate::address::network_of;
use crate::digest::hash_of;
use crate::login::CodeResults;
use crate::{App, Limits, Refusal};

/// The maximum length of a code to send on. WeChat's have 32 characters.
const MAX_CODE: usize = 512;
/// The shortest window of WeChat's limits. It does not say how much of it is left.
const WECHAT_WINDOW: Duration = Duration::from_secs(60);
/// How often a node polls for another node's record.
const RECORD_POLL: Duration = Duration::from_millis(50);

/// What this node knows about codes: those in progress, and those spent recently.
pub(crate) struct Codes {
    under_way: Mutex<HashMap<TokenHash, Arc<tokio::sync::Mutex<()>>>>,
    spent: Mutex<Spent>,
    /// Codes that may have been spent, kept for as long as WeChat could still accept them.
    unclear: Mutex<Spent>,
}

/// Codes spent in the current period and the one before, by the first bytes of their hashes. A false positive
/// only costs a database lookup.
struct Spent {
    period: Duration,
    current: HashSet<u64>,
    previous: HashSet<u64>,
    since: Timestamp,
}

/// A code in use by one request. Others with the same code wait until it is dropped.
pub(crate) struct CodeGuard<'a> {
    codes: &'a Codes,
    hash: TokenHash,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for CodeGuard<'_> {
    fn drop(&mut self) {
        let mut under_way = self.codes.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.guard.take());
        // If only the map has the lock, nobody is waiting.
        if under_way.get(&self.hash).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            under_way.remove(&self.hash);
        }
    }
}

impl Codes {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            under_way: Mutex::default(),
            spent: Mutex::new(Spent::new(limits.code_replay)),
            unclear: Mutex::new(Spent::new(limits.code_life)),
        }
    }

    async fn lock_code(&self, hash: &TokenHash) -> CodeGuard<'_> {
        let lock = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.entry(hash.clone()).or_default().clone()
        };
        let guard = lock.lock_owned().await;
        CodeGuard { codes: self, hash: hash.clone(), guard: Some(guard) }
    }

    fn was_spent(&self, hash: &TokenHash) -> bool {
        let among = |set: &Mutex<Spent>| set.lock().unwrap_or_else(PoisonError::into_inner).has(hash);
        among(&self.spent) || among(&self.unclear)
    }

    fn mark_spent(&self, hash: &TokenHash, now: Timestamp) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, now);
    }

    fn mark_unclear(&self, hash: &TokenHash, now: Timestamp) {
        self.unclear.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, now);
    }
}

impl Spent {
    fn new(period: Duration) -> Self {
        Self { period, current: HashSet::new(), previous: HashSet::new(), since: Timestamp(0) }
    }

    fn has(&self, hash: &TokenHash) -> bool {
        let key = first_bytes(hash);
        self.current.contains(&key) || self.previous.contains(&key)
    }

    fn insert(&mut self, hash: &TokenHash, now: Timestamp) {
        if now >= self.since.plus(self.period) {
            self.previous = std::mem::take(&mut self.current);
            self.since = now;
        }
        self.current.insert(first_bytes(hash));
    }
}

fn first_bytes(hash: &TokenHash) -> u64 {
    hash.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A code that was exchanged.
pub(crate) struct SpentCode<'a> {
    /// What the same code led to before.
    pub(crate) before: CodeResults,
    /// The hash of connection and code.
    pub(crate) hash: TokenHash,
    /// The network that brought the code.
    network: Option<String>,
    /// The result of the exchange, sealed, for the record.
    pub(crate) sealed: Vec<u8>,
    /// Makes other requests with the same code wait.
    _held: CodeGuard<'a>,
}

/// The result of an exchange, as stored in its record.
pub(crate) trait Record: Sized {
    /// Serializes it as JSON, to be sealed.
    fn to_json(&self) -> Result<Vec<u8>, serde_json::Error>;

    /// Deserializes it.
    fn of_json(json: &[u8]) -> Result<Self, Refusal>;
}

impl App {
    /// Exchanges a code with `call`, or returns the result if the same application has exchanged it within
    /// the last minute for a client of the same network. From another network, somebody may replay a code that
    /// they have seen.
    pub(crate) async fn exchange<'a, T: Record>(
        &'a self,
        application: &Application,
        connection: &Connection,
        code: &str,
        ip: Option<&str>,
        call: impl AsyncFnOnce() -> Result<T, hufu_wechat::Error>,
    ) -> Result<(T, SpentCode<'a>), Refusal> {
        check_code(code)?;
        let hash = hash_code(connection, code);
        let network = ip.map(network_of);
        let held = self.codes.lock_code(&hash).await;
        if self.codes.was_spent(&hash) {
            let record = self.recorded(application, &hash, network.as_deref()).await?;
            return self.reopen(record.ok_or(Refusal::new(Code::CodeUsed))?, hash, held);
        }
        self.require_available(connection)?;
        let outcome = call().await;
        self.heard(connection, ip, &outcome).await;
        match outcome {
            Ok(exchanged) => {
                self.codes.mark_spent(&hash, self.now());
                let plain = zeroize::Zeroizing::new(exchanged.to_json().map_err(Refusal::internal)?);
                let sealed = self.sealing.seal(&*self.random, &context(&hash), &plain);
                let before = CodeResults::default();
                Ok((exchanged, SpentCode { before, hash, network, sealed, _held: held }))
            }
            Err(error) => {
                if error.is_ambiguous() {
                    self.codes.mark_unclear(&hash, self.now());
                }
                // Another node may be writing the record of the same code right now.
                let wait = match error.errcode() {
                    Some(40163) => self.limits.code_record_wait,
                    Some(40029) => Duration::ZERO,
                    _ => return Err(wechat_refusal(error)),
                };
                let deadline = tokio::time::Instant::now() + wait;
                loop {
                    if let Some(record) = self.recorded(application, &hash, network.as_deref()).await? {
                        return self.reopen(record, hash, held);
                    }
                    if tokio::time::Instant::now() >= deadline {
                        return Err(wechat_refusal(error));
                    }
                    tokio::time::sleep(RECORD_POLL).await;
                }
            }
        }
    }

    /// Stores the result of an exchange, for uses of a code other than login.
    pub(crate) async fn record_exchange(
        &self,
        application: &Application,
        code: &SpentCode<'_>,
    ) -> Result<(), Refusal> {
        let exchange = self.exchange_record(application, code);
        self.write(PutExchange { pool: application.pool.clone(), code: code.hash.clone(), exchange }).await
    }

    pub(crate) fn exchange_record(&self, application: &Application, code: &SpentCode<'_>) -> Exchange {
        Exchange {
            application: application.id.clone(),
            sealed: code.sealed.clone(),
            login: code.before.login.clone(),
            created_at: self.now(),
            network: code.network.clone(),
            flow: None,
            refresh: None,
        }
    }

    /// The record of a code.
    ///
    /// # Errors
    /// [`Code::CodeUsed`] if it is not recent, or of another application or network.
    async fn recorded(
        &self,
        application: &Application,
        hash: &TokenHash,
        network: Option<&str>,
    ) -> Result<Option<Exchange>, Refusal> {
        let found = self.read(GetExchange { pool: application.pool.clone(), code: hash.clone() }).await?;
        let oldest = self.now().minus(self.limits.code_replay);
        let is_foreign = |record: &Exchange| {
            record.application != application.id
                || record.network.as_deref().is_some_and(|first| Some(first) != network)
        };
        match found {
            Some(record) if record.created_at < oldest || is_foreign(&record) => {
                Err(Refusal::new(Code::CodeUsed))
            }
            found => Ok(found),
        }
    }

    fn reopen<'a, T: Record>(
        &self,
        record: Exchange,
        hash: TokenHash,
        held: CodeGuard<'a>,
    ) -> Result<(T, SpentCode<'a>), Refusal> {
        let opened = self.sealing.open(&context(&hash), &record.sealed).map_err(Refusal::internal)?;
        let exchanged = T::of_json(opened.expose())?;
        let Exchange { login, flow, refresh, network, sealed, .. } = record;
        let before = CodeResults { login, flow, refresh };
        Ok((exchanged, SpentCode { before, hash, network, sealed, _held: held }))
    }
}

/// Codes are opaque, but always non-empty, not too long, and visible ASCII.
pub(crate) fn check_code(code: &str) -> Result<(), Refusal> {
    if (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Code::CodeMalformed.into())
    }
}

fn hash_code(connection: &Connection, code: &str) -> TokenHash {
    let mut context = Context::new(&SHA256);
    context.update(connection.id.as_str().as_bytes());
    context.update(b"\0");
    context.update(code.as_bytes());
    hash_of(&context.finish())
}

fn context(hash: &TokenHash) -> String {
    format!("exchange:{}", hex::encode(hash.as_bytes()))
}

/// The refusal that a failed call to WeChat leads to.
pub(crate) fn wechat_refusal(error: hufu_wechat::Error) -> Refusal {
    use hufu_wechat::ErrorKind;
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::BudgetExhausted => return Code::WechatSlow.because(error),
        ErrorKind::NotJson
        | ErrorKind::WrongShape
        | ErrorKind::MissingField { .. }
        | ErrorKind::TooLarge { .. }
        | ErrorKind::Watermark => return Code::WechatNonsense.because(error),
        _ => {}
    }
    match (error.class(), error.errcode()) {
        (Class::User, _) if error.endpoint() == Endpoint::PhoneNumber => {
            Code::PhoneCodeInvalid.because(error)
        }
        // No code was sent that the client could replace.
        (Class::User, _) if !error.endpoint().spends_a_code() => Code::WechatNonsense.because(error),
        (Class::User, Some(40163)) => Code::CodeUsed.because(error),
        (Class::User, _) => Code::CodeInvalid.because(error),
        (Class::Retry, _) => Code::WechatDown.because(error),
        (Class::Deny, _) => Code::Denied.because(error),
        (Class::Admin | Class::Token, _) => Code::Misconfigured.because(error),
        (Class::Limit, _) => Code::WechatLimit.retry_after(WECHAT_WINDOW).because(error),
        (Class::AppDown, _) => Code::AppDown.because(error),
        (Class::Bug, _) => Code::WechatNonsense.because(error),
    }
}
