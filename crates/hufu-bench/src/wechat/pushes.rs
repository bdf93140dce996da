//! Events as WeChat pushes them: signed, and encrypted where the account wants that.

use anyhow::{Context as _, Result};
use hufu_types::{Clock as _, SystemClock};
use hufu_wechat::crypto::message::EncodingAesKey;
use hufu_wechat::message::signed_push;

use super::world::{AES_KEY, Account, TOKEN};

/// Signs and encrypts events of an account, each with a nonce of its own.
pub(super) struct Signer {
    account: Account,
    key: EncodingAesKey,
    nonce: usize,
}

/// An event: where it is pushed, and its body.
pub(super) struct Event {
    pub(super) path: String,
    pub(super) body: String,
}

impl Event {
    /// The values of [`super::world::push`].
    pub(super) fn values(&self) -> String {
        format!("{}\t{}", self.path, self.body)
    }
}

impl Signer {
    pub(super) fn new(account: Account) -> Result<Signer> {
        let key = EncodingAesKey::parse(AES_KEY).context("the key of the account")?;
        Ok(Signer { account, key, nonce: 1_000_000_000 })
    }

    /// The same, whose nonces come after those of this many others.
    pub(super) fn after(self, others: usize) -> Signer {
        Signer { nonce: self.nonce + others, ..self }
    }

    /// An event of this follower, signed now. A scan has a scene.
    pub(super) fn event(&mut self, follower: &str, name: &str, scene: &str) -> Result<Event> {
        let Account { app_id, original_id, is_safe, .. } = self.account;
        let now = SystemClock.now().seconds();
        let xml = format!(
            "<xml><ToUserName><![CDATA[{original_id}]]></ToUserName><FromUserName><![CDATA[{follower}]]></FromUserName>\
             <CreateTime>{now}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>\
             <EventKey><![CDATA[{scene}]]></EventKey></xml>"
        );
        self.nonce += 1;
        let (nonce, random) = (self.nonce.to_string(), [7; 16]);
        let key = is_safe.then_some((&self.key, app_id));
        let push = signed_push(TOKEN, key, original_id, follower, xml.as_bytes(), &random, now, &nonce);
        let query: Vec<String> = push.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = format!("{}?{}", self.account.events(), query.join("&"));
        Ok(Event { path, body: String::from_utf8(push.body).context("a body is text")? })
    }

    /// Somebody follows the account: one event for each of this many new followers, from this number on.
    pub(super) fn new_followers(&mut self, from: usize, count: usize) -> Result<Vec<String>> {
        let follower = |number: usize| format!("oBench-{number:021}");
        (from..from + count).map(|n| Ok(self.event(&follower(n), "subscribe", "")?.values())).collect()
    }
}
