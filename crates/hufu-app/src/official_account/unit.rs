//! The unit of work of a push.

use hufu_store::wechat_messages::{self, NewMessage, Received};
use hufu_store::{StoreError, Tx, Write, wechat_followers, wechat_signatures};
use hufu_types::{ConnectionId, PoolId, Timestamp, TokenHash};

use crate::tokens::refresh::group_key;

/// Stores a message, once, with what it says of its follower.
#[derive(Clone)]
pub struct ReceiveMessage {
    pub(super) pool: PoolId,
    pub(super) message: NewMessage,
    pub(super) following: Option<FollowingChange>,
}

/// Somebody followed, or ceased to.
#[derive(Clone)]
pub(super) struct FollowingChange {
    pub(super) realm: String,
    pub(super) openid: String,
    pub(super) follows: bool,
    /// WeChat's time of it.
    pub(super) at: Timestamp,
}

impl std::fmt::Debug for ReceiveMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiveMessage").field("message", &self.message).finish_non_exhaustive()
    }
}

impl Write for ReceiveMessage {
    type Out = Received;

    /// Messages of one follower never share a transaction: the second has to see whether it is the first again.
    fn group(&self) -> Option<u64> {
        Some(group_key(&self.pool, self.message.line.follower.as_bytes()))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Received, StoreError> {
        let received = wechat_messages::receive(tx, &self.pool, &self.message).await?;
        if let (Received::First, Some(change)) = (received, &self.following) {
            let FollowingChange { realm, openid, follows, at } = change;
            wechat_followers::put(tx, &self.pool, realm, openid, *follows, *at).await?;
        }
        Ok(received)
    }
}

/// Remembers the signature of WeChat's check of the address, which signs no message after that.
#[derive(Clone, Debug)]
pub struct NoteUrlCheck {
    pub(super) pool: PoolId,
    pub(super) connection: ConnectionId,
    pub(super) signature: TokenHash,
    pub(super) now: Timestamp,
}

impl Write for NoteUrlCheck {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Self { pool, connection, signature, now } = self;
        wechat_signatures::record(tx, pool, connection, signature, None, *now).await.map(drop)
    }
}
