//! What a source proved about a person.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;
use crate::{Email, IdentityKey, Phone, PhoneProof, Profile};

text_enum! {
    /// Whether somebody vouches that an e-mail address is a person's.
    EmailProof {
        /// The person wrote it, and nobody vouches for it.
        Unverified = "none",
        /// The source verified it.
        Verified = "verified",
    }
}

/// What a source proved about a person: all that account resolution sees of a login.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The id that is unique at this app of this source: an OpenID, a `sub`.
    pub own: IdentityKey,
    /// The id that several apps of one owner share: a UnionID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<IdentityKey>,
    /// The phone number, and who vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<(Phone, PhoneProof)>,
    /// The e-mail address, and whether the source vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<(Email, EmailProof)>,
    /// The id in the owner's original system, where the source warrants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What fills an empty profile.
    #[serde(default)]
    pub profile: Profile,
    /// What the source said, in its own words; never a token.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub raw: serde_json::Value,
    /// Whether this is a virtual user of WeChat's "snapshot page", who is nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
}

impl Proof {
    /// The proof of one id and nothing else.
    pub fn of(own: IdentityKey) -> Self {
        Self {
            own,
            shared: None,
            phone: None,
            email: None,
            external_id: None,
            profile: Profile::default(),
            raw: serde_json::Value::Null,
            snapshot: false,
        }
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &IdentityKey> {
        std::iter::once(&self.own).chain(&self.shared)
    }

    /// The phone number, where somebody vouches for it.
    pub fn proved_phone(&self) -> Option<&Phone> {
        self.phone.as_ref().filter(|(_, proof)| proof.is_vouched()).map(|(phone, _)| phone)
    }

    /// The e-mail address, where the source vouches for it.
    pub fn proved_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|(_, proof)| *proof == EmailProof::Verified).map(|(email, _)| email)
    }
}
