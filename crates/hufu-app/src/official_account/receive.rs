//! One push: from the request to the reply.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use aws_lc_rs::digest::{Context, SHA256};
use hufu_store::wechat_messages::{Line, NewMessage, Received};
use hufu_types::refusal::Code;
use hufu_types::{
    Connection, ConnectionKind, IdentityKind, Language, PoolId, PushedMessageId, Timestamp, TokenHash,
};
use hufu_wechat::Budget;
use hufu_wechat::message::{
    LARGEST_BODY, Message, MessageError, Opened, Signed, answer_url_check, open, sealed_reply, text_reply,
};

use super::account::Account;
use super::unit::{FollowingChange, ReceiveMessage};
use crate::digest::hash_of;
use crate::sources::wechat::app_id;
use crate::sources::wechat::official_account::{FollowerInfo, follower_info, proof};
use crate::tickets::is_short_code;
use crate::{App, Origin, Refusal, sources};

/// A push as it arrived. Absent values are empty.
#[derive(Clone, Copy)]
pub struct Pushed<'a> {
    /// The signed part of its query.
    pub signed: Signed<'a>,
    /// The body.
    pub body: &'a [u8],
}

/// The answer to WeChat.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// The message has arrived, and the follower is told nothing.
    Nothing,
    /// The follower is told something: XML.
    Xml(String),
}

impl App {
    /// Answers WeChat's check of the address of an account's messages: returns the `echostr`.
    ///
    /// # Errors
    /// [`Code::ConnectionUnknown`]; [`Code::PushUnsigned`].
    pub fn wechat_url_check<'e>(
        &self,
        pool: &str,
        identifier: &str,
        signed: &Signed<'_>,
        echostr: &'e str,
    ) -> Result<&'e str, Refusal> {
        let connection = self.official_account(pool, identifier)?;
        answer_url_check(Account::of(&connection).token, signed, echostr)
            .map_err(|error| refused(&connection, error))
    }

    /// Receives a message of an official account. It is stored once this returns.
    ///
    /// # Errors
    /// [`Code::ConnectionUnknown`]; a code of 2600 to 2619 for a push that is not accepted; [`Code::BodyTooLarge`]; errors
    /// of the database and of WeChat, after which WeChat sends the message again.
    #[boxed]
    pub async fn receive_wechat_message(
        &self,
        pool: &str,
        identifier: &str,
        pushed: &Pushed<'_>,
        origin: &Origin,
    ) -> Result<Reply, Refusal> {
        let connection = self.official_account(pool, identifier)?;
        let account = Account::of(&connection);
        let now = self.now().seconds();
        let opened = open(&account.receiver(), &pushed.signed, pushed.body, now, self.limits.wechat_push_age);
        let opened = opened.map_err(|error| refused(&connection, error))?;
        if opened.message.to_user != account.original_id {
            return Err(noted(&connection, Code::PushForAnother.into()));
        }
        self.store_message(&account, pushed, &opened).await?;
        let reply = self.act_on(&connection, &account, &opened.message, origin).await?;
        Ok(reply.map_or(Reply::Nothing, |text| Reply::Xml(self.reply(&account, &opened, &text))))
    }

    /// The connection of an official account. One that is switched off still receives: followers go on following, and
    /// the owner's server goes on.
    fn official_account(&self, pool: &str, identifier: &str) -> Result<Arc<Connection>, Refusal> {
        let pool = PoolId::parse(pool).map_err(|_| Code::NamelessConnectionUnknown)?;
        let config = self.config();
        let found = config.connection_of_pool(&pool, identifier);
        let found = found.filter(|connection| connection.kind == ConnectionKind::WechatOfficialAccount);
        Ok(found.ok_or(Code::NamelessConnectionUnknown)?.clone())
    }

    async fn store_message(
        &self,
        account: &Account<'_>,
        pushed: &Pushed<'_>,
        opened: &Opened,
    ) -> Result<(), Refusal> {
        let (connection, message, now) = (account.connection, &opened.message, self.now());
        let id = PushedMessageId::generate(now, &*self.random);
        let body = account.relay().map(|_| {
            self.sealing.seal(&*self.random, &super::relay::context(&connection.pool, &id), &opened.body)
        });
        let unit = ReceiveMessage {
            pool: connection.pool.clone(),
            message: NewMessage {
                line: Line {
                    connection: connection.id.clone(),
                    follower: self.keyed("wechat_message:follower", connection, &message.from_user),
                },
                key: self.keyed("wechat_message", connection, &message.deduplication_key()),
                push: hash_of_push(pushed),
                kind: kind_of(message),
                body,
                received_at: now,
                id,
            },
            following: following(connection, message),
        };
        let received = self.write(unit).await?;
        let outcome = match received {
            Received::First => "received",
            Received::Again(_) => "again",
            Received::Forged => "forged",
        };
        metrics::counter!("hufu_wechat_messages_total", "outcome" => outcome).increment(1);
        match received {
            Received::First => {
                self.jobs_waiting.notify_one();
                Ok(())
            }
            // WeChat sends a message that was not acknowledged again within seconds.
            Received::Again(first) if now <= first.plus(self.limits.wechat_resend) => Ok(()),
            Received::Again(_) | Received::Forged => Err(noted(connection, Code::PushReplayed.into())),
        }
    }

    /// Does what the message asks for. Returns what to tell the follower.
    async fn act_on(
        &self,
        connection: &Arc<Connection>,
        account: &Account<'_>,
        message: &Message,
        origin: &Origin,
    ) -> Result<Option<String>, Refusal> {
        let code = message
            .content
            .as_deref()
            .filter(|text| message.msg_type.eq_ignore_ascii_case("text") && is_short_code(text));
        let follows = message.is_event("subscribe");
        let logs_in = connection.enabled && (message.scene().is_some() || code.is_some());
        let asks = account.is_service && (logs_in || follows && account.asks_for_language());
        let info = if asks {
            let budget = Budget::of(self.limits.wechat_reply);
            let info = follower_info(self, connection, &message.from_user, budget).await;
            // For a greeting alone nobody has to wait.
            if logs_in { info? } else { info.unwrap_or_default() }
        } else {
            FollowerInfo::default()
        };
        let language = info.language.as_deref().and_then(Language::of_tag).unwrap_or_default();
        let proof = proof(connection, &message.from_user, info.unionid.as_deref());
        let outcome = match (message.scene(), code) {
            _ if !logs_in => Ok(()),
            (Some(scene), _) => self.ticket_proved(connection, scene, proof, origin).await,
            (None, Some(code)) => self.ticket_proved_by_short_code(connection, code, proof, origin).await,
            (None, None) => Ok(()),
        };
        Ok(match told(outcome)? {
            Some(refusal) => Some(refusal.for_person(language).sentence),
            None if follows => account.welcome(language).map(str::to_owned),
            None => None,
        })
    }

    fn reply(&self, account: &Account<'_>, opened: &Opened, text: &str) -> String {
        let (message, now) = (&opened.message, self.now().seconds());
        let plain = text_reply(&message.from_user, account.original_id, now, text);
        let (true, Some(key)) = (opened.encrypted, &account.key) else { return plain };
        let (mut random, mut nonce) = ([0; 16], [0; 8]);
        self.random.fill(&mut random);
        self.random.fill(&mut nonce);
        let nonce = u64::from_be_bytes(nonce).to_string();
        sealed_reply(key, account.token, app_id(account.connection), &plain, &random, now, &nonce)
    }

    fn keyed(&self, what: &str, connection: &Connection, text: &str) -> TokenHash {
        TokenHash(self.sealing.mac(what, format!("{}\0{text}", connection.id).as_bytes()))
    }
}

/// Why a follower is not logged in, if they are told. Errors after which WeChat should send the message again stay errors.
fn told(outcome: Result<(), Refusal>) -> Result<Option<Refusal>, Refusal> {
    let Err(refusal) = outcome else { return Ok(None) };
    match refusal.code() {
        code if code.is_internal() => Err(refusal),
        // A QR code of the owner's that is for something else; or this message has done its work before.
        Code::QrCodeUnknown | Code::QrCodeDecided => Ok(None),
        _ => Ok(Some(refusal)),
    }
}

fn following(connection: &Connection, message: &Message) -> Option<FollowingChange> {
    let follows = message.is_event("subscribe");
    if !follows && !message.is_event("unsubscribe") {
        return None;
    }
    let key = sources::identity_key(connection, IdentityKind::Openid, &message.from_user);
    let at = Timestamp(message.create_time.saturating_mul(1000));
    Some(FollowingChange { realm: key.realm, openid: key.value, follows, at })
}

/// The name of what happened, for the log: WeChat's own, if it is a name.
fn kind_of(message: &Message) -> String {
    let name = message.event.as_deref().unwrap_or(&message.msg_type);
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect()
}

/// What two different messages must not share. What an owner's server forwards is signed by its ciphertext.
fn hash_of_push(pushed: &Pushed<'_>) -> TokenHash {
    let Signed { signature, timestamp, nonce, msg_signature, .. } = pushed.signed;
    let mut context = Context::new(&SHA256);
    // The weaker signature does not count where there is the other.
    let signature = if msg_signature.is_empty() { signature } else { msg_signature };
    for part in [signature, timestamp, nonce] {
        context.update(part.as_bytes());
        context.update(b"\0");
    }
    if signature.is_empty() {
        context.update(pushed.body);
    }
    hash_of(&context.finish())
}

fn refused(connection: &Connection, error: MessageError) -> Refusal {
    let code = match error {
        MessageError::Signature => Code::PushUnsigned,
        MessageError::Stale => Code::PushStale,
        MessageError::NotEncrypted => Code::PushNotEncrypted,
        MessageError::Half | MessageError::Decrypt => Code::PushUndecryptable,
        MessageError::TooLarge => return Code::BodyTooLarge.with("limit", LARGEST_BODY).because(error),
        MessageError::Entity | MessageError::Malformed(_) => Code::PushMalformed,
    };
    noted(connection, code.because(error))
}

/// Tells the operator: at the owner's end something is set up wrongly, or somebody is trying something.
fn noted(connection: &Connection, refusal: Refusal) -> Refusal {
    metrics::counter!("hufu_wechat_messages_total", "outcome" => "refused").increment(1);
    let error = hufu_types::chain(&refusal);
    let (pool, connection) = (&connection.pool, &connection.identifier);
    tracing::warn!(%pool, %connection, code = refusal.code().number(), error, "a message of an official account was refused");
    refusal
}
