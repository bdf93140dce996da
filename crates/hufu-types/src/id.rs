//! Opaque ids. Those that Hufu generates are 24 hexadecimal characters that sort by time. Imported ids are
//! kept as they are (`[A-Za-z0-9_-]{1,64}`).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Random, Timestamp};

/// The text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'")]
pub struct IdError;

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// 48 bits of Unix milliseconds followed by 48 random bits, in hexadecimal.
fn generate(now: Timestamp, random: &dyn Random) -> Arc<str> {
    let mut bytes = [0_u8; 12];
    random.fill(&mut bytes);
    for (byte, time) in bytes.iter_mut().zip(now.0.to_be_bytes().into_iter().skip(2)) {
        *byte = time;
    }
    let mut text = [0_u8; 24];
    // The buffer is exactly twice as long, so encoding cannot fail.
    let _ = hex::encode_to_slice(bytes, &mut text);
    std::str::from_utf8(&text).unwrap_or_default().into()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an id.
            ///
            /// # Errors
            /// [`IdError`] if the text is empty, too long or contains other characters.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if is_id(text) { Ok(Self(text.into())) } else { Err(IdError) }
            }

            /// Generates an id that sorts after every id generated in an earlier millisecond.
            pub fn generate(now: Timestamp, random: &dyn Random) -> Self {
                Self(generate(now, random))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }
    };
}

id!(/// A user pool: the unit of isolation.
    PoolId);
id!(/// An application of a pool; the `client_id` of OAuth.
    ApplicationId);
id!(/// A connection of a pool to an identity source.
    ConnectionId);
id!(/// A user of a pool; the `sub` of tokens.
    UserId);
id!(/// One login of one user on one device; the `sid` of tokens.
    SessionId);
id!(/// One login of one person in one browser, shared by all applications of the pool.
    BrowserSessionId);
id!(/// An event, as identified in webhooks and in the audit log.
    EventId);
id!(/// A login that is waiting for the person's next step.
    FlowId);
id!(/// A merge of two accounts.
    MergeId);
id!(/// A webhook of a pool.
    WebhookId);
id!(/// The delivery of one event to one webhook.
    DeliveryId);
id!(/// A message that WeChat pushed to an official account.
    PushedMessageId);
id!(/// A background job.
    JobId);
id!(/// The public part of an access key.
    AccessKeyId);
id!(/// An import of users.
    ImportId);
id!(/// The public part of a token with which clients register.
    RegistrationTokenId);

impl EventId {
    /// The id of the next event of the same operation. Derived from this one, so that a unit of work that is
    /// run again produces the same ids.
    #[must_use]
    pub fn next(&self) -> Self {
        let number = u128::from_str_radix(&self.0, 16).unwrap_or_default();
        Self(format!("{:024x}", number.wrapping_add(1) & ((1 << 96) - 1)).into())
    }
}

impl ConnectionId {
    /// The pseudo connection for logins that use the pool's own credentials instead of an identity source.
    pub fn own() -> Self {
        Self("own".into())
    }
}

impl ApplicationId {
    /// The reserved application by which administrators log in.
    pub fn console() -> Self {
        Self("console".into())
    }

    /// Its id in an instance where another application had that id before it was reserved.
    pub fn console_otherwise() -> Self {
        Self("hufu-console".into())
    }

    /// Whether no other application may get this id.
    pub fn is_reserved(&self) -> bool {
        [Self::console(), Self::console_otherwise()].contains(self)
    }
}

impl PoolId {
    /// The reserved pool whose users are the administrators of the instance.
    pub fn system() -> Self {
        Self("system".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TestRandom;

    #[test]
    fn generated_ids_sort_by_time_and_parse() {
        let random = TestRandom::new(1);
        let early = UserId::generate(Timestamp(1_700_000_000_000), &random);
        let late = UserId::generate(Timestamp(1_700_000_000_001), &random);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 24);
        assert_eq!(UserId::parse(early.as_str()), Ok(early));
    }

    #[test]
    fn foreign_ids_are_kept_and_nonsense_is_refused() {
        assert!(UserId::parse("Legacy_user-42").is_ok());
        for bad in ["", "a b", "ä", "x\n", &"a".repeat(65)] {
            assert_eq!(UserId::parse(bad), Err(IdError), "{bad:?}");
        }
    }
}
