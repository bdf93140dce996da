//! What a pool decides for its people.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;
use crate::{PasswordPolicy, Phone};

text_enum! {
    /// What a custom field holds.
    CustomFieldType {
        /// Text.
        Text = "string",
        /// A number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// A moment: text by RFC 3339, or Unix milliseconds.
        Datetime = "datetime",
        /// One of the options.
        Enumeration = "enum",
        /// Any JSON.
        Object = "object",
    }
}

/// A custom field that a pool declares for its users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomField {
    /// The key: `[A-Za-z0-9_.-]{1,64}`.
    pub key: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: CustomFieldType,
    /// How forms call it.
    #[serde(default)]
    pub label: String,
    /// The options of an enumeration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether people see it.
    #[serde(default = "yes")]
    pub visible: bool,
    /// Whether people change it; others are for administrators alone.
    #[serde(default = "yes")]
    pub editable: bool,
}

/// Something that people have to accept, or may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// The id, such as `terms`.
    pub id: String,
    /// Rises with each change that must be accepted anew.
    pub version: u32,
    /// What it is called.
    pub title: String,
    /// Where it stands.
    #[serde(default)]
    pub url: String,
    /// Whether nobody is logged in without it.
    #[serde(default = "yes")]
    pub required: bool,
}

/// The settings of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the file")]
pub struct PoolSettings {
    /// Whether people may make accounts themselves: by registering, or by a first login.
    pub registration: bool,
    /// Whether anybody may ask if an account exists. An address asks fifty times in five minutes at most. Switched off,
    /// no answer and no timing tells it, but what [`Self::register_email_without_code`] says.
    pub tell_existence: bool,
    /// Whether people register with an e-mail address and a password, and no code, as the older clients do. Where
    /// it is so, who registers an address learns whether an account has it, though [`Self::tell_existence`] is off,
    /// and may take an address that is not theirs until its owner proves it; where it is not, a code sent to the
    /// address is needed.
    pub register_email_without_code: bool,
    /// What passwords must be.
    pub password: PasswordPolicy,
    /// Whether a change of the phone number needs a code sent to the old one, and taking it away a recent login.
    pub verify_old_phone: bool,
    /// Whether a change of the e-mail address needs a code sent to the old one, and taking it away a recent login.
    pub verify_old_email: bool,
    /// The country calling codes, such as `86`, to whose numbers codes are sent by SMS; none means all.
    pub sms_countries: Vec<String>,
    /// The custom fields of users.
    pub custom_fields: Vec<CustomField>,
    /// Whether custom data may have only declared keys.
    pub custom_fields_only: bool,
    /// The fields that a login asks for where they are empty: `phone`, `email`, `username`, fields of the
    /// profile, or `custom.KEY`.
    pub required_fields: Vec<String>,
    /// What people accept at login.
    pub agreements: Vec<Agreement>,
    /// How many days an account that its owner deleted can be brought back.
    pub deletion_grace_days: u32,
    /// How many days the audit log keeps an entry.
    pub audit_days: u32,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            registration: true,
            tell_existence: false,
            register_email_without_code: false,
            password: PasswordPolicy::default(),
            verify_old_phone: true,
            verify_old_email: true,
            sms_countries: Vec::new(),
            custom_fields: Vec::new(),
            custom_fields_only: false,
            required_fields: Vec::new(),
            agreements: Vec::new(),
            deletion_grace_days: 7,
            audit_days: 180,
        }
    }
}

impl PoolSettings {
    /// Whether codes are sent by SMS to this number.
    pub fn sends_sms_to(&self, phone: &Phone) -> bool {
        let country = phone.parts().0.trim_start_matches('+');
        let is_it = |listed: &String| listed.trim_start_matches('+') == country;
        self.sms_countries.is_empty() || self.sms_countries.iter().any(is_it)
    }
}

fn yes() -> bool {
    true
}
