//! Messages that WeChat pushes to an official account: who follows it, who scanned its QR code, what followers write.
//!
//! A push is verified first, then decrypted, then read. It is acknowledged once it is stored, and WeChat sends it again
//! otherwise. A message that arrives again changes nothing, and goes on where the first push of it failed.
//!
//! Reading order: `account` (the settings of a connection), `receive` (one push), `relay` (passing messages on to the
//! owner's server), `refusals` (what the log tells), `unit`.

mod account;
mod receive;
mod refusals;
mod relay;
mod unit;

pub use receive::{Pushed, Reply};
pub(crate) use refusals::RefusedMessages;
pub use relay::RelayPage;
pub use unit::{NoteUrlCheck, ReceiveMessage};

pub use hufu_store::deliveries::DeliveryState;
pub use hufu_store::wechat_followers::Following;
pub use hufu_store::wechat_messages::Relayed;
pub use hufu_wechat::message::{LARGEST_BODY, Signed};
