//! The settings of a pool.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;
use crate::{Branding, Language, Localized, PasswordPolicy, Phone, PoolScope, QrRules, SessionRules};

text_enum! {
    /// The type of a custom field.
    CustomFieldType {
        /// Text.
        Text = "string",
        /// A number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// A point in time: RFC 3339 text, or Unix milliseconds.
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
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: CustomFieldType,
    /// Its label in forms.
    #[serde(default)]
    pub label: String,
    /// The options of an enumeration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether users can see it.
    #[serde(default = "yes")]
    pub visible: bool,
    /// Whether users can change it. If not, only administrators can.
    #[serde(default = "yes")]
    pub editable: bool,
}

/// An agreement that users are asked to accept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// The id, such as `terms`.
    pub id: String,
    /// Increased with each change that requires users to accept it again.
    pub version: u32,
    /// The title.
    pub title: Localized,
    /// The URL of its text.
    #[serde(default)]
    pub url: Localized,
    /// Whether logging in requires accepting it.
    #[serde(default = "yes")]
    pub required: bool,
}

impl Agreement {
    /// The agreement as readers of a language see it: with one title and one address.
    #[must_use]
    pub fn in_language(&self, language: Language) -> Self {
        Self {
            title: self.title.in_language(language).into(),
            url: self.url.in_language(language).into(),
            ..self.clone()
        }
    }
}

/// The settings of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting in the configuration file")]
pub struct PoolSettings {
    /// Whether people can create accounts themselves, by registering or by a first login.
    pub registration: bool,
    /// Whether anyone can ask if an account exists; limited to fifty requests in five minutes per IP address.
    /// If off, no response and no timing reveals it, except as described at
    /// [`Self::register_email_without_code`].
    pub tell_existence: bool,
    /// Whether people can register with an e-mail address and a password but no code, as older clients do. If
    /// on, registering reveals whether an address has an account, even if [`Self::tell_existence`] is off;
    /// and anyone can occupy an address until its owner proves it. If off, registering requires a code sent
    /// to the address.
    pub register_email_without_code: bool,
    /// The requirements for passwords.
    pub password: PasswordPolicy,
    /// Whether changing the phone number requires a code sent to the old one, and removing it requires a
    /// recent login.
    pub verify_old_phone: bool,
    /// Whether changing the e-mail address requires a code sent to the old one, and removing it requires a
    /// recent login.
    pub verify_old_email: bool,
    /// The country calling codes, such as `86`, of the numbers to which codes are sent by SMS. Empty means
    /// all: then anyone can make the pool pay for messages to the dearest countries.
    pub sms_countries: Vec<String>,
    /// The custom fields of users.
    pub custom_fields: Vec<CustomField>,
    /// Whether custom data may contain only declared keys.
    pub custom_fields_only: bool,
    /// The fields that a login asks for if they are empty: `phone`, `email`, `username`, profile fields, or
    /// `custom.KEY`.
    pub required_fields: Vec<String>,
    /// The agreements that users are asked to accept at login.
    pub agreements: Vec<Agreement>,
    /// How long sessions live, whatever renews them.
    pub session: SessionRules,
    /// How long QR codes and the tickets of their logins hold.
    pub qr: QrRules,
    /// For how many days an account deleted by its owner can be restored.
    pub deletion_grace_days: u32,
    /// For how many days audit log entries are kept.
    pub audit_days: u32,
    /// The time zone of the pool's days in statistics: a name of the IANA database.
    pub time_zone: String,
    /// The scopes of the pool, beside Hufu's own. In the configuration file they are tables of their own.
    pub scopes: Vec<PoolScope>,
    /// How the hosted pages look, where an application does not say. In the configuration file it is a table of its own.
    pub branding: Branding,
}

impl PoolSettings {
    /// Reads stored settings. Those that a later version added are ignored, so that nodes of this version go on
    /// while others are upgraded.
    pub fn from_stored(json: &str) -> Result<Self, serde_json::Error> {
        let mut stored: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json)?;
        let known = serde_json::to_value(Self::default())?;
        stored.retain(|name, _| known.get(name).is_some());
        serde_json::from_value(stored.into())
    }

    /// Whether an account may have something to be through with before it is logged in: fields or agreements.
    pub fn may_make_wait(&self) -> bool {
        !self.required_fields.is_empty() || self.agreements.iter().any(|agreement| agreement.required)
    }
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
            sms_countries: vec!["86".to_owned()],
            custom_fields: Vec::new(),
            custom_fields_only: false,
            required_fields: Vec::new(),
            agreements: Vec::new(),
            session: SessionRules::default(),
            qr: QrRules::default(),
            deletion_grace_days: 7,
            audit_days: 180,
            time_zone: "Asia/Shanghai".to_owned(),
            scopes: Vec::new(),
            branding: Branding::default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_of_a_later_version_is_ignored_where_it_is_stored() {
        let mut later = serde_json::to_value(PoolSettings::default()).unwrap();
        later["audit_days"] = 7.into();
        later["of_a_later_version"] = "something".into();
        let read = PoolSettings::from_stored(&later.to_string()).unwrap();
        assert_eq!(read, PoolSettings { audit_days: 7, ..PoolSettings::default() });
        serde_json::from_value::<PoolSettings>(later).unwrap_err();
    }
}
