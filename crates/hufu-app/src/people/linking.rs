//! Binding a WeChat to an account by leaving for WeChat in a browser: an application sends the person to an address, they
//! come back from WeChat, and a page of ours asks whether that WeChat is to be bound to that account.
//!
//! The address is no proof of who opens it. Whoever sends theirs to somebody else would get a stranger's WeChat, so the page
//! names the account and the WeChat, and nothing is bound before its form comes back from the same browser. Whoever finds
//! an address would bind a WeChat of their own to a stranger's account, so it is of one use and short-lived; and an id token,
//! which is no secret, only says whose account is meant, of those that are logged in to the browser.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_types::refusal::Code;
use hufu_types::{
    AccountLink, Action, Application, Connection, ConnectionId, PoolId, Proof, SessionId, TokenHash, UserId,
};
use serde::{Deserialize, Serialize};

use super::identities::Bind;
use super::ways_in::RecentLogin;
use crate::authorization::{Browser, BrowserAccount, OpenRequest};
use crate::events::{Actor, Trace};
use crate::refusal::login_too_old;
use crate::sources::wechat::log_refusal;
use crate::sources::{Evidence, Proved};
use crate::tokens::authentication::Authenticated;
use crate::{App, Origin, Refusal};

/// What tells these sealed values from others.
const ADDRESS: &str = "account_link";
const QUESTION: &str = "account_link_question";

/// What an address of ours holds: who asked for it, and which connection they want.
#[derive(Serialize, Deserialize)]
struct Asked {
    session: SessionId,
    connection: ConnectionId,
}

/// How somebody comes to link a source.
#[derive(Clone, Copy)]
pub enum LinkStart<'a> {
    /// By an address of [`App::link_address`].
    Address(&'a str),
    /// With an id token, and the identifier of a connection.
    IdToken(&'a str, &'a str),
}

/// What the form of the question brings back.
#[derive(Serialize, Deserialize)]
struct Question {
    by: AccountLink,
    connection: ConnectionId,
    proof: Proof,
    /// What marks the browser that asked.
    browser: Vec<u8>,
}

/// A WeChat that may be bound: what the page says, and what its form brings back.
#[derive(Clone, Debug)]
pub struct LinkQuestion {
    /// The account, by a name that its owner recognizes.
    pub account: String,
    /// The nickname of the WeChat, if it tells one.
    pub nickname: Option<String>,
    /// The sealed question.
    pub sealed: String,
}

/// Whose account it is, and that they logged in lately.
struct Owner {
    user: UserId,
    recent: RecentLogin,
}

impl App {
    /// The address where whoever is logged in binds what they are at a source. It is of one use.
    ///
    /// # Errors
    /// [`Code::LoginTooOld`]; what is wrong with the connection.
    #[boxed]
    pub async fn link_address(&self, who: &Authenticated, identifier: &str) -> Result<String, Refusal> {
        self.require_recent_login_for(who, Action::IdentityBound).await?;
        let connection = self.redirecting_connection(&who.application, identifier)?.id.clone();
        let asked = Asked { session: who.session.clone(), connection };
        let link = self.carry(ADDRESS, &who.application, asked, self.limits.account_link)?;
        self.page_address(&[("app_id", who.application.id.as_str()), ("link", &link)])
    }

    /// The same for an id token of this application, which the page takes from whoever is logged in to the browser. `None` if
    /// it is none.
    pub fn link_address_by_id_token(
        &self,
        application: &Application,
        identifier: &str,
        token: &str,
    ) -> Result<Option<String>, Refusal> {
        let is_its = self.id_token_hint(token).is_some_and(|hint| hint.aud == application.id);
        let pairs = [
            ("app_id", application.id.as_str()),
            ("ext_idp_conn_identifier", identifier),
            ("id_token", token),
        ];
        is_its.then(|| self.page_address(&pairs)).transpose()
    }

    fn page_address(&self, pairs: &[(&str, &str)]) -> Result<String, Refusal> {
        let page = format!("{}/link", self.public_url().trim_end_matches('/'));
        let address = url::Url::parse_with_params(&page, pairs).map_err(Refusal::internal)?;
        Ok(address.into())
    }

    /// Opens such an address. Returns the request that the browser leaves with, and the connection.
    ///
    /// # Errors
    /// [`Code::LinkInvalid`] for an address that was used or is too old; [`Code::LinkNeedsLogin`] for an id token of
    /// somebody who is not logged in to the browser; [`Code::LoginTooOld`].
    #[boxed]
    pub async fn open_link<'a>(
        &'a self,
        application: &Arc<Application>,
        start: LinkStart<'a>,
        browser: &Browser,
    ) -> Result<(OpenRequest, Arc<Connection>), Refusal> {
        let config = self.config();
        let (by, connection) = match start {
            LinkStart::Address(sealed) => {
                let taken = self.take_carried::<Asked>(ADDRESS, &application.pool, sealed).await?;
                let taken = taken.filter(|(of, _)| *of == application.id);
                let (_, asked) = taken.ok_or(Code::LinkInvalid)?;
                let connection = config.connection(&asked.connection).ok_or(Code::LinkInvalid)?;
                (AccountLink::Session(asked.session), connection.identifier.to_string())
            }
            LinkStart::IdToken(token, identifier) => {
                let hint = self.id_token_hint(token).filter(|hint| hint.aud == application.id);
                let subject = hint.ok_or(Code::LinkInvalid)?.sub;
                let accounts = self.browser_accounts(&application.pool, browser).await?;
                let is_meant = |account: &&BrowserAccount| {
                    account.is_called(subject.as_str(), application, &self.subjects)
                };
                let account = accounts.iter().find(is_meant).ok_or(Code::LinkNeedsLogin)?;
                (AccountLink::Browser(account.id().clone()), identifier.to_owned())
            }
        };
        self.owner_of_link(&application.pool, &by, browser).await?;
        let connection = self.redirecting_connection(application, &connection)?;
        let mut open = self.own_request(Some(application.id.as_str()))?;
        open.request.link = Some(by);
        Ok((open, connection))
    }

    /// What to ask whoever came back from the source with a code. The code is spent.
    pub(crate) async fn ask_to_link(
        &self,
        open: &OpenRequest,
        connection: &Connection,
        code: &str,
        by: &AccountLink,
        browser: (&Browser, &TokenHash),
        origin: &Origin,
    ) -> Result<LinkQuestion, Refusal> {
        let (application, (browser, mark)) = (&*open.application, browser);
        let owner = self.owner_of_link(&application.pool, by, browser).await?;
        let evidence = Evidence::code(code);
        let Proved { proof, code } = self.prove_only(application, connection, evidence, origin).await?;
        self.record_exchange(application, &code).await?;
        if proof.snapshot {
            return Err(Code::SnapshotUser.into());
        }
        let nickname = proof.profile.nickname.clone();
        let question = Question {
            by: by.clone(),
            connection: connection.id.clone(),
            proof,
            browser: mark.as_bytes().to_vec(),
        };
        let unit = hufu_store::users::GetUser { pool: application.pool.clone(), user: owner.user };
        let user = self.read(unit).await?.ok_or(Code::NotLoggedIn)?;
        let sealed = self.carry(QUESTION, application, question, self.limits.account_link)?;
        Ok(LinkQuestion { account: user.masked_name(), nickname, sealed })
    }

    /// Binds what was proved, when the form of the question came back.
    ///
    /// # Errors
    /// [`Code::LinkInvalid`] for a form that was used, is too old, or is another browser's; [`Code::LoginTooOld`];
    /// [`Code::IdentityTaken`], [`Code::AnotherIdentityBound`].
    #[boxed]
    pub async fn link(
        &self,
        application: &Application,
        sealed: &str,
        browser: &Browser,
        mark: &TokenHash,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let pool = &application.pool;
        let taken = self.take_carried::<Question>(QUESTION, pool, sealed).await?;
        let (_, question) = taken.filter(|(of, _)| *of == application.id).ok_or(Code::LinkInvalid)?;
        if !mark.matches(&question.browser) {
            return Err(Code::LinkInvalid.into());
        }
        let owner = self.owner_of_link(pool, &question.by, browser).await?;
        let config = self.config();
        let connection = config.connection(&question.connection).filter(|connection| connection.enabled);
        let connection = connection.ok_or(Code::LinkInvalid)?;
        let actor = Some(Actor::user(&owner.user));
        let trace = Trace {
            connection: Some(connection.id.clone()),
            ..self.trace(pool, actor, Some(&application.id), None, origin)
        };
        let unit = Bind {
            pool: pool.clone(),
            user: owner.user,
            connection: connection.id.clone(),
            proof: question.proof,
            exchange: None,
            recent: owner.recent,
            trace,
        };
        let bound = self.bind_proved(unit).await;
        bound.inspect_err(|refusal| log_refusal(application, connection, refusal))
    }

    /// The account of a link, if whoever asked for it is still logged in, and logged in lately.
    async fn owner_of_link(
        &self,
        pool: &PoolId,
        by: &AccountLink,
        browser: &Browser,
    ) -> Result<Owner, Refusal> {
        let (user, logged_in_at) = match by {
            AccountLink::Session(id) => {
                let session = self.living_session(pool, id).await.map_err(|_| Code::LinkInvalid)?;
                (session.account.clone(), session.auth_time())
            }
            AccountLink::Browser(id) => {
                let accounts = self.browser_accounts(pool, browser).await?;
                let account =
                    accounts.iter().find(|account| account.id() == id).ok_or(Code::LinkNeedsLogin)?;
                let session = &account.session;
                (account.user.id.clone(), session.facts.auth_time().unwrap_or(session.created_at))
            }
        };
        let most = self.limits.recent_login;
        let recent = RecentLogin::of(logged_in_at, self.now(), most).ok_or_else(|| login_too_old(most))?;
        Ok(Owner { user, recent })
    }
}
