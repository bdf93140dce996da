//! What an identity source has proved about a person.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;
use crate::{Email, IdentityKey, IdpUserInfo, Phone, PhoneProof, Profile};

text_enum! {
    /// How far an e-mail address has been verified.
    EmailProof {
        /// Self-reported; not verified by anyone.
        Unverified = "none",
        /// Verified by the source.
        Verified = "verified",
    }
}

/// What an identity source has proved about a person. This is all that account resolution knows about a
/// login.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The id that is unique within one app of the source, such as an OpenID or a `sub`.
    pub own: IdentityKey,
    /// The id shared by several apps of one owner: a UnionID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<IdentityKey>,
    /// The phone number, and how it was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<(Phone, PhoneProof)>,
    /// The e-mail address, and whether the source verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<(Email, EmailProof)>,
    /// The id in the owner's original system, if the source guarantees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Values for empty profile fields.
    #[serde(default)]
    pub profile: Profile,
    /// What the source said about the person at this login; empty if it was not asked.
    #[serde(default, skip_serializing_if = "IdpUserInfo::is_empty")]
    pub raw: IdpUserInfo,
    /// Whether this is a virtual user of WeChat's "snapshot page", which does not stand for a real person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
}

impl Proof {
    /// A proof of one id and nothing else.
    pub fn of(own: IdentityKey) -> Self {
        Self {
            own,
            shared: None,
            phone: None,
            email: None,
            external_id: None,
            profile: Profile::default(),
            raw: IdpUserInfo::default(),
            snapshot: false,
        }
    }

    /// The own id, and the shared id if there is one.
    pub fn ids(&self) -> impl Iterator<Item = &IdentityKey> {
        std::iter::once(&self.own).chain(&self.shared)
    }

    /// The phone number, if it is verified.
    pub fn proved_phone(&self) -> Option<&Phone> {
        self.phone.as_ref().filter(|(_, proof)| proof.is_vouched()).map(|(phone, _)| phone)
    }

    /// The e-mail address, if the source verified it.
    pub fn proved_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|(_, proof)| *proof == EmailProof::Verified).map(|(email, _)| email)
    }
}
