//! One push: from the request to the reply.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::wechat_messages::{Line, NewMessage, Received};
use hufu_types::refusal::Code;
use hufu_types::{
    Connection, ConnectionKind, IdentityKind, Language, PoolId, PushedMessageId, Timestamp, TokenHash,
};
use hufu_wechat::Budget;
use hufu_wechat::crypto::message::url_signature;
use hufu_wechat::message::{
    LARGEST_BODY, Message, MessageError, Opened, Signed, answer_url_check, is_timely, open, sealed_reply,
    text_reply, too_large,
};

use super::account::Account;
use super::unit::{FollowingChange, NoteUrlCheck, ReceiveMessage};
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
    /// [`Code::ConnectionUnknown`]; [`Code::PushUnsigned`]; [`Code::PushStale`].
    pub async fn wechat_url_check<'e>(
        &self,
        pool: &str,
        identifier: &str,
        signed: &Signed<'_>,
        echostr: &'e str,
    ) -> Result<&'e str, Refusal> {
        let connection = self.official_account(pool, identifier)?;
        let token = Account::of(&connection).token;
        let echo = answer_url_check(token, signed, echostr)
            .map_err(|error| self.refused_push(&connection, error))?;
        let now = self.now();
        if !is_timely(signed.timestamp, now.seconds(), self.limits.wechat_push_age) {
            return Err(self.refused_push(&connection, MessageError::Stale));
        }
        // The same signature would do for a plain message.
        let signature = self.hash_of_signature(&connection, token, signed);
        let (pool, connection) = (connection.pool.clone(), connection.id.clone());
        self.write(NoteUrlCheck { pool, connection, signature, now }).await?;
        Ok(echo)
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
        let opened = opened.map_err(|error| self.refused_push(&connection, error))?;
        if opened.message.to_user != account.original_id {
            return Err(self.noted_push(&connection, Code::PushForAnother.into()));
        }
        self.store_message(&account, pushed, &opened).await?;
        let reply = self.act_on(&connection, &account, &opened.message, origin).await?;
        Ok(reply.map_or(Reply::Nothing, |text| Reply::Xml(self.reply(&account, &opened, &text))))
    }

    /// Why a message is not accepted whose body is larger than any that is read.
    pub fn refuse_large_wechat_message(&self, pool: &str, identifier: &str, signed: &Signed<'_>) -> Refusal {
        match self.official_account(pool, identifier) {
            Ok(connection) => {
                let error = too_large(&Account::of(&connection).receiver(), signed);
                self.refused_push(&connection, error)
            }
            Err(refusal) => refusal,
        }
    }

    /// The connection of an official account. One that is switched off still receives: followers go on following, and
    /// the owner's server goes on.
    fn official_account(&self, pool: &str, identifier: &str) -> Result<Arc<Connection>, Refusal> {
        let pool = PoolId::parse(pool).map_err(|_| Code::NamelessConnectionUnknown)?;
        let config = self.config();
        if config.has_pool(&pool) {
            config.check_open(&pool)?;
        }
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
        // What an owner's server forwards has no signature.
        let is_signed = !pushed.signed.timestamp.is_empty();
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
                signature: is_signed
                    .then(|| self.hash_of_signature(connection, account.token, &pushed.signed)),
                is_covered: opened.encrypted,
                kind: kind_of(message),
                body,
                sent_at: time_of(message),
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
            Received::Again(_) | Received::Forged => {
                Err(self.noted_push(connection, Code::PushReplayed.into()))
            }
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
        let follows = message.is_event("subscribe");
        // WeChat is asked only about who logs in here: an account may have other QR codes, and texts are no codes.
        let scene = match message.scene().filter(|_| connection.enabled) {
            Some(scene) => self.ticket_waits(connection, scene).await.map(|()| Some(scene)),
            None => Ok(None),
        };
        let is_scan = matches!(scene, Ok(Some(_)));
        let asks = account.is_service && (is_scan || follows && account.asks_for_language());
        let info = if asks {
            let budget = Budget::of(self.limits.wechat_reply);
            let info = follower_info(self, connection, &message.from_user, budget).await;
            // For a greeting alone nobody has to wait.
            if is_scan { self.or_known(connection, message, info).await? } else { info.unwrap_or_default() }
        } else {
            FollowerInfo::default()
        };
        let language = info.language.as_deref().and_then(Language::of_tag).unwrap_or_default();
        let proof = proof(connection, &message.from_user, info.unionid.as_deref());
        let outcome = match (scene, short_code(account, message)) {
            (Err(refusal), _) => Err(refusal),
            (Ok(Some(scene)), _) => self.ticket_proved(connection, scene, proof, origin).await,
            (Ok(None), Some(code)) => self.ticket_proved_by_short_code(connection, code, proof, origin).await,
            (Ok(None), None) => Ok(()),
        };
        Ok(match told(outcome)? {
            Some(refusal) => Some(refusal.for_person(language).sentence),
            None if follows => account.welcome(language).map(str::to_owned),
            None => None,
        })
    }

    /// What WeChat tells of a follower. While its quota is out, who is known by their OpenID logs in without: for anybody
    /// else that could make a second account of a person who is known by their UnionID.
    async fn or_known(
        &self,
        connection: &Connection,
        message: &Message,
        info: Result<FollowerInfo, Refusal>,
    ) -> Result<FollowerInfo, Refusal> {
        match info {
            Err(refusal) if refusal.code() == Code::WechatLimit => {
                let own = proof(connection, &message.from_user, None);
                let known = self.known_by(&connection.pool, &own).await?;
                known.map(|_| FollowerInfo::default()).ok_or(refusal)
            }
            info => info,
        }
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

    /// What nobody may use for another message. The signature that a plain push would have, also of an encrypted one: each
    /// carries both, and another division of the same text into time and nonce has the same.
    fn hash_of_signature(&self, connection: &Connection, token: &str, signed: &Signed<'_>) -> TokenHash {
        let signature = url_signature(token, signed.timestamp, signed.nonce);
        self.keyed("wechat_message:signature", connection, &signature)
    }

    fn keyed(&self, what: &str, connection: &Connection, text: &str) -> TokenHash {
        TokenHash(self.sealing.mac(what, format!("{}\0{text}", connection.id).as_bytes()))
    }

    fn refused_push(&self, connection: &Connection, error: MessageError) -> Refusal {
        let refusal = match error {
            // The sentences of these codes say all that there is to say.
            MessageError::Signature => Code::PushUnsigned.into(),
            MessageError::Stale => Code::PushStale.into(),
            MessageError::NotEncrypted => Code::PushNotEncrypted.into(),
            MessageError::Decrypt => Code::PushUndecryptable.into(),
            MessageError::Half => Code::PushUndecryptable.because(error),
            MessageError::TooLarge => return Code::BodyTooLarge.with("limit", LARGEST_BODY).because(error),
            MessageError::Entity | MessageError::Malformed(_) => Code::PushMalformed.because(error),
        };
        self.noted_push(connection, refusal)
    }

    /// Tells the operator: at the owner's end something is set up wrongly, or somebody is trying something. Anybody can
    /// send what is refused, so one of a connection is a warning in each while, and the others are counted.
    fn noted_push(&self, connection: &Connection, refusal: Refusal) -> Refusal {
        metrics::counter!("hufu_wechat_messages_total", "outcome" => "refused").increment(1);
        let error = hufu_types::chain(&refusal);
        let (pool, code) = (&connection.pool, refusal.code().number());
        let since =
            self.refused_messages.note(&connection.id, self.now(), self.limits.wechat_refusals_logged);
        let connection = &connection.identifier;
        match since {
            Some(others) => tracing::warn!(
                %pool, %connection, code, error, others, "a message of an official account was refused"
            ),
            None => {
                tracing::debug!(%pool, %connection, code, error, "a message of an official account was refused");
            }
        }
        refusal
    }
}

/// The digits of a login page that a follower sends, where the kind of account has such: one without QR codes of its own.
fn short_code<'m>(account: &Account<'_>, message: &'m Message) -> Option<&'m str> {
    let has_codes = account.connection.enabled && !account.is_service;
    let is_text = has_codes && message.msg_type.eq_ignore_ascii_case("text");
    message.content.as_deref().filter(|text| is_text && is_short_code(text))
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
    Some(FollowingChange { realm: key.realm, openid: key.value, follows, at: time_of(message) })
}

/// WeChat's time of a message.
fn time_of(message: &Message) -> Timestamp {
    Timestamp(message.create_time.saturating_mul(1000))
}

/// The name of what happened, for the log: WeChat's own, if it is a name.
fn kind_of(message: &Message) -> String {
    let name = message.event.as_deref().unwrap_or(&message.msg_type);
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect()
}
