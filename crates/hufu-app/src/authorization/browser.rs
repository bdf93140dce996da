//! Who is logged in to a browser. Its cookie holds the secret of each of its browser sessions, beside the pool.

use async_recursion::async_recursion as boxed;
use hufu_store::browser_sessions::{self, BrowserSession};
use hufu_store::{Read, StoreError, Tx, Write, device_codes, users};
use hufu_types::refusal::Code;
use hufu_types::{
    Application, BrowserSessionId, OpaqueToken, PoolId, SessionRules, Timestamp, TokenHash, User,
};

use super::decision::Given;
use super::issue::Next;
use super::request::OpenRequest;
use crate::digest::hash_token;
use crate::subjects::Subjects;
use crate::{App, BrowserLogin, LoginDone, Origin, Refusal, Tokens};

/// The browser sessions of a cookie: pool and secret of each, the latest login first. `Debug` shows no secret.
#[derive(Clone, Default)]
pub struct Browser {
    sessions: Vec<(PoolId, String)>,
    /// Whether the cookie outlasts the browser's own session.
    keeps: bool,
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Browser").field(&self.sessions.len()).finish()
    }
}

/// The most accounts that one browser holds at the same time. The oldest login gives way.
const MOST: usize = 8;
/// Separates the sessions in a cookie, and the parts of one. Neither is in an id or a secret.
const BETWEEN: char = '.';
const WITHIN: char = '~';
/// Begins a cookie that outlasts the browser's own session.
const KEEPS: &str = "k";

impl Browser {
    /// Reads the value of the cookie. What is not understood is left out.
    pub fn of_cookie(text: &str) -> Self {
        let read = |part: &str| {
            let (pool, secret) = part.split_once(WITHIN)?;
            Some((PoolId::parse(pool).ok()?, secret.to_owned()))
        };
        let sessions = text.split(BETWEEN).filter_map(read).take(MOST).collect();
        Self { sessions, keeps: text.split(BETWEEN).next() == Some(KEEPS) }
    }

    /// The value of the cookie.
    pub fn cookie(&self) -> String {
        let parts = self.sessions.iter().map(|(pool, secret)| format!("{pool}{WITHIN}{secret}"));
        let begin = self.keeps.then(|| KEEPS.to_owned());
        begin.into_iter().chain(parts).collect::<Vec<_>>().join(&BETWEEN.to_string())
    }

    /// Whether nobody is logged in.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether the cookie outlasts the browser's own session.
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// The browser with one more session, the latest, and without those that have to give way. It outlasts the browser's
    /// own session if everybody who is logged in wants that.
    #[must_use]
    pub fn with(&self, pool: &PoolId, secret: &OpaqueToken, keeps: bool) -> Self {
        let new = (pool.clone(), secret.expose().to_owned());
        let others = self.sessions.iter().filter(|(_, other)| other != secret.expose()).cloned();
        let sessions = std::iter::once(new).chain(others).take(MOST).collect();
        Self { sessions, keeps: keeps && (self.keeps || self.is_empty()) }
    }

    /// The sessions that are in this browser and not in the other: pool and secret.
    pub fn lost_in(&self, other: &Self) -> Vec<(PoolId, String)> {
        self.sessions.iter().filter(|session| !other.sessions.contains(session)).cloned().collect()
    }

    /// The browser without these sessions.
    #[must_use]
    pub fn without(&self, secrets: &[String]) -> Self {
        let kept = self.sessions.iter().filter(|(_, secret)| !secrets.contains(secret)).cloned();
        Self { sessions: kept.collect(), keeps: self.keeps }
    }

    /// The browser with the session of this secret as the latest.
    #[must_use]
    pub fn preferring(&self, secret: &str) -> Self {
        let (mut first, rest): (Vec<_>, Vec<_>) =
            self.sessions.iter().cloned().partition(|(_, own)| own == secret);
        first.extend(rest);
        Self { sessions: first, keeps: self.keeps }
    }

    fn of_pool(&self, pool: &PoolId) -> Vec<String> {
        self.sessions.iter().filter(|(own, _)| own == pool).map(|(_, secret)| secret.clone()).collect()
    }

    /// The pools in which somebody is logged in.
    pub fn pools(&self) -> Vec<PoolId> {
        let mut pools: Vec<PoolId> = Vec::new();
        for (pool, _) in &self.sessions {
            if !pools.contains(pool) {
                pools.push(pool.clone());
            }
        }
        pools
    }
}

/// An account that is logged in to a browser. `Debug` does not show the secret.
#[derive(Clone)]
pub struct BrowserAccount {
    /// The browser session.
    pub session: BrowserSession,
    /// The account.
    pub user: User,
    /// The secret of the session in the cookie.
    pub secret: String,
    /// Sessions of earlier logins to the same account, with their secrets. A login takes them over, so there are some only
    /// if two logins raced.
    pub earlier: Vec<(BrowserSession, String)>,
}

impl std::fmt::Debug for BrowserAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrowserAccount").field("session", &self.session.id).finish_non_exhaustive()
    }
}

impl BrowserAccount {
    /// The id of the session.
    pub fn id(&self) -> &BrowserSessionId {
        &self.session.id
    }

    /// Whether an application calls it by this subject: that of the id that the login began with, or that it has since a
    /// merge.
    pub(crate) fn is_called(&self, subject: &str, application: &Application, subjects: &Subjects) -> bool {
        let mut ids = [&self.session.user, &self.user.id].into_iter();
        ids.any(|id| subjects.of(application, id).as_str() == subject)
    }
}

impl App {
    /// The accounts of a pool that are logged in to a browser, the latest login first. An account that is logged in
    /// twice is there once.
    ///
    /// # Errors
    /// Database errors.
    pub async fn browser_accounts(
        &self,
        pool: &PoolId,
        browser: &Browser,
    ) -> Result<Vec<BrowserAccount>, Refusal> {
        let secrets = browser.of_pool(pool);
        if secrets.is_empty() {
            return Ok(Vec::new());
        }
        let rules = self.config().settings(pool).session;
        let cookies = secrets.iter().map(|secret| hash_token(secret)).collect();
        let unit = FindBrowserAccounts { pool: pool.clone(), cookies, rules, now: self.now() };
        let found = self.read(unit).await?;
        let mut accounts: Vec<BrowserAccount> = Vec::new();
        for (place, session, user) in found {
            let Some(secret) = secrets.get(place) else { continue };
            match accounts.iter_mut().find(|other| other.user.id == user.id) {
                Some(later) => later.earlier.push((session, secret.clone())),
                None => accounts.push(BrowserAccount {
                    session,
                    user,
                    secret: secret.clone(),
                    earlier: Vec::new(),
                }),
            }
        }
        Ok(accounts)
    }
}

impl App {
    /// What happens next in the request that a login in this browser was for, and the browser after it.
    ///
    /// # Errors
    /// Database errors, and a missing signing key.
    #[boxed]
    pub async fn go_on_after_login(
        &self,
        open: &OpenRequest,
        browser: &Browser,
        done: LoginDone,
        keeps: bool,
        origin: &Origin,
    ) -> Result<(Browser, Next), Refusal> {
        let LoginDone { user, tokens, browser: Some(login), .. } = done else {
            return Err(Code::Internal.because("a login on a page began no session of the browser"));
        };
        let BrowserLogin { session, secret, issued } = login;
        let entered = browser.with(&user.pool, &secret, keeps);
        let given = Given { account: Some(session.id.clone()), consented: false };
        if !browser.is_empty() {
            let (entered, accounts) =
                self.enter_browser(browser, entered, &user.pool, &session.id, origin).await?;
            return Ok((entered, self.authorize_among(open, accounts, &given, origin).await?));
        }
        // The login has just looked at the account, and there is no other.
        let account =
            BrowserAccount { session, user, secret: secret.expose().to_owned(), earlier: Vec::new() };
        // A login that waited may go on in a page of another request.
        let is_of_request = matches!(&tokens, Tokens::Authorization(of) if **of == open.request);
        let next = match issued.filter(|_| is_of_request) {
            Some((issued, code)) => self.answer_issued(open, account, issued, &code)?,
            None => self.authorize_among(open, vec![account], &given, origin).await?,
        };
        Ok((entered, next))
    }

    /// What a browser has after a login that began `session`, besides what it had before: earlier sessions of the same account
    /// give what is beneath them to the new one, and end; so do those that the cookie has no more room for, with all that is
    /// beneath them. Returns the accounts of the pool in it as well.
    async fn enter_browser(
        &self,
        before: &Browser,
        mut entered: Browser,
        pool: &PoolId,
        session: &BrowserSessionId,
        origin: &Origin,
    ) -> Result<(Browser, Vec<BrowserAccount>), Refusal> {
        let mut accounts = self.browser_accounts(pool, &entered).await?;
        let own = accounts.iter_mut().find(|account| account.id() == session);
        for (earlier, secret) in own.into_iter().flat_map(|own| std::mem::take(&mut own.earlier)) {
            let (from, to) = (earlier.id, session.clone());
            self.write(TakeOverBrowserSession { pool: pool.clone(), from, to }).await?;
            entered = entered.without(&[secret]);
        }
        for (pool, secret) in before.lost_in(&entered) {
            let rules = self.config().settings(&pool).session;
            let cookies = vec![hash_token(&secret)];
            let unit = FindBrowserAccounts { pool: pool.clone(), cookies, rules, now: self.now() };
            for (_, session, _) in self.read(unit).await? {
                self.end_browser_session(&pool, &session, origin).await?;
            }
        }
        Ok((entered, accounts))
    }
}

/// Moves what is beneath a browser session to another one of the same account, and ends it.
pub struct TakeOverBrowserSession {
    /// The pool.
    pub pool: PoolId,
    /// The session that ends.
    pub from: BrowserSessionId,
    /// The session that goes on.
    pub to: BrowserSessionId,
}

impl Write for TakeOverBrowserSession {
    /// Whether both were there, and of one user.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Some(to) = browser_sessions::get_locked(tx, &self.pool, &self.to).await? else {
            return Ok(false);
        };
        let Some(from) = browser_sessions::get_locked(tx, &self.pool, &self.from).await? else {
            return Ok(false);
        };
        if from.user != to.user {
            return Ok(false);
        }
        browser_sessions::take_over(tx, &self.pool, &self.from, &self.to).await?;
        device_codes::take_over(tx, &self.pool, &self.from, &self.to).await?;
        Ok(true)
    }
}

/// Reads the active browser sessions of some cookies, with their accounts.
pub struct FindBrowserAccounts {
    /// The pool.
    pub pool: PoolId,
    /// The hashes of the secrets.
    pub cookies: Vec<TokenHash>,
    /// How long sessions live.
    pub rules: SessionRules,
    /// The current time.
    pub now: Timestamp,
}

impl Read for FindBrowserAccounts {
    /// The place in `cookies`, the session, and the account.
    type Out = Vec<(usize, BrowserSession, User)>;

    fn may_share(&self) -> bool {
        true
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let mut found = Vec::new();
        for (place, cookie) in self.cookies.iter().enumerate() {
            let Some(session) = browser_sessions::by_cookie(tx, &self.pool, cookie).await? else { continue };
            let ends = self.rules.end(session.created_at, session.last_used_at, session.expires_at);
            if !session.user_is_active || ends <= self.now {
                continue;
            }
            let Some(user) = users::get(tx, &self.pool, &session.account).await? else { continue };
            found.push((place, session, user));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use hufu_types::{SystemRandom, TokenPurpose};

    use super::*;

    #[test]
    fn a_cookie_holds_the_latest_logins() {
        let pool = |name: &str| PoolId::parse(name).unwrap();
        let secrets: Vec<_> =
            (0..10).map(|_| OpaqueToken::generate(TokenPurpose::BrowserSession, &SystemRandom)).collect();
        let mut browser = Browser::of_cookie("");
        assert!(browser.is_empty());
        for secret in &secrets {
            browser = Browser::of_cookie(&browser.cookie()).with(&pool("a"), secret, true);
        }
        let before = browser.clone();
        browser = browser.with(&pool("b"), &secrets[0], true);
        assert_eq!(before.lost_in(&browser).len(), 1, "the oldest gives way");
        assert!(browser.keeps() && Browser::of_cookie(&browser.cookie()).keeps());
        assert!(!browser.with(&pool("b"), &secrets[1], false).keeps(), "somebody does not want it");
        assert!(!browser.with(&pool("b"), &secrets[1], false).with(&pool("b"), &secrets[2], true).keeps());
        let kept = browser.of_pool(&pool("a"));
        assert_eq!(kept.first().map(String::as_str), Some(secrets[9].expose()));
        assert_eq!((kept.len(), browser.pools()), (MOST - 1, vec![pool("b"), pool("a")]));
        let fewer = browser.preferring(&kept[3]).without(std::slice::from_ref(&kept[0]));
        assert_eq!(fewer.of_pool(&pool("a"))[0], kept[3]);
        assert!(!fewer.of_pool(&pool("a")).contains(&kept[0]));
        assert!(Browser::of_cookie("no.~x.a").is_empty());
    }
}
