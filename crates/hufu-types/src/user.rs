//! Users and the identities linked to them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::application::text_enum;
use crate::{ApplicationId, Email, OpenPlatform, Phone, PoolId, Timestamp, UserId, Username};

text_enum! {
    /// The status of an account.
    UserStatus {
        /// Active.
        Activated = "Activated",
        /// Disabled by an administrator. Cannot log in.
        Suspended = "Suspended",
        /// Archived. Cannot log in.
        Archived = "Archived",
        /// Deleted by its owner, and kept for the grace period. Cannot log in.
        Deactivated = "Deactivated",
    }
}

text_enum! {
    /// Gender, in the letters that the published clients use.
    Gender {
        /// Male.
        Male = "M",
        /// Female.
        Female = "F",
        /// Unknown or not specified.
        Unknown = "U",
    }
}

text_enum! {
    /// How a phone number was verified. An unverified number is never used for matching, and is removed from
    /// the account when someone else proves it.
    PhoneProof {
        /// Self-reported; not verified.
        Unverified = "none",
        /// The user entered a code that was sent to it.
        Code = "code",
        /// WeChat confirmed the number for the user.
        Wechat = "wechat",
        /// Set by an administrator or by an import.
        Administrator = "administrator",
    }
}

text_enum! {
    /// What the value of an identity is.
    IdentityKind {
        /// A person's id within one app.
        Openid = "openid",
        /// A person's id within one Open Platform account.
        Unionid = "unionid",
    }
}

impl PhoneProof {
    /// Whether the number is verified.
    pub fn is_vouched(self) -> bool {
        self != Self::Unverified
    }
}

/// The realms of identities, within which their values are unique. They are stored in the database and never
/// change.
pub mod realm {
    use crate::OpenPlatform;

    /// A WeChat app, for OpenIDs.
    pub fn wechat_app(app_id: &str) -> String {
        format!("wechat:{app_id}")
    }

    /// The instance's own login mini program, for OpenIDs. Its name does not say which one it is, so that another one of
    /// the same Open Platform account can take its place.
    pub const WECHAT_DEFAULT_MINI_PROGRAM: &str = "wechat:instance";

    /// The Open Platform account of that, for UnionIDs. No account of a pool is called so: their realms begin otherwise.
    pub const WECHAT_DEFAULT_OPEN_PLATFORM: &str = "wechat:instance-open";

    /// A WeChat Open Platform account, for UnionIDs.
    pub fn wechat_open_platform(account: &OpenPlatform) -> String {
        format!("wechat:open:{}", account.0)
    }
}

/// What makes an identity unique in its pool: realm, kind and value.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdentityKey {
    /// The provider and the scope within which the value is unique: `wechat:wx0123456789abcdef` for OpenIDs,
    /// `wechat:open:shop` for UnionIDs.
    pub realm: String,
    /// What the value is.
    pub kind: IdentityKind,
    /// The value, case-sensitive.
    pub value: String,
}

impl IdentityKey {
    /// An OpenID of a WeChat app.
    pub fn wechat_openid(app_id: &str, openid: &str) -> Self {
        Self { realm: realm::wechat_app(app_id), kind: IdentityKind::Openid, value: openid.to_owned() }
    }

    /// A UnionID of an Open Platform account.
    pub fn wechat_unionid(open_platform: &OpenPlatform, unionid: &str) -> Self {
        Self {
            realm: realm::wechat_open_platform(open_platform),
            kind: IdentityKind::Unionid,
            value: unionid.to_owned(),
        }
    }

    /// The provider: the realm up to its first colon.
    pub fn provider(&self) -> &str {
        self.realm.split(':').next().unwrap_or_default()
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({} {} redacted)", self.realm, self.kind.as_str())
    }
}

/// An identity of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Realm, kind and value.
    pub key: IdentityKey,
    /// The user it is linked to.
    pub user: UserId,
    /// The connection through which it was first seen.
    pub connection: crate::ConnectionId,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// What the source last said about the person.
    pub user_info: crate::IdpUserInfo,
}

/// The name of a field as clients know it: `given_name` becomes `givenName`.
pub fn camel_case(field: &str) -> String {
    let mut upper = false;
    let mut camel = String::with_capacity(field.len());
    for c in field.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            camel.extend(c.to_uppercase());
        } else {
            camel.push(c);
        }
    }
    camel
}

macro_rules! profile {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// What a user says about themselves: the claims of OpenID Connect Core 5.1 and those of the
        /// published clients. None of it is verified.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Profile {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<String>,)*
            /// Gender.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub gender: Option<Gender>,
        }

        impl Profile {
            /// The names of all text fields.
            pub const FIELDS: &[&str] = &[$(stringify!($field)),*];

            /// The fields that hold a URL. Applications and consoles make links and pictures of them.
            pub const ADDRESSES: &[&str] = &["photo", "profile", "website"];

            /// The text field of this name, if there is one and it is set.
            pub fn field(&self, name: &str) -> Option<&str> {
                match name {
                    $(stringify!($field) => self.$field.as_deref(),)*
                    _ => None,
                }
            }

            /// Mutable access to the text field of this name.
            pub fn field_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
                match name {
                    $(stringify!($field) => Some(&mut self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

profile! {
    /// The display name.
    nickname,
    /// URL of the picture.
    photo,
    /// Full name.
    name,
    /// Given name.
    given_name,
    /// Family name.
    family_name,
    /// Middle name.
    middle_name,
    /// URL of a profile page.
    profile,
    /// Shorthand name.
    preferred_username,
    /// URL of a home page.
    website,
    /// Birth date, as the user wrote it.
    birthdate,
    /// IANA time zone.
    zoneinfo,
    /// Language tag.
    locale,
    /// Address in one line.
    address,
    /// Address in several lines.
    formatted,
    /// Street and number.
    street_address,
    /// City, as named by OpenID Connect.
    locality,
    /// Region, as named by OpenID Connect.
    region,
    /// Postal code.
    postal_code,
    /// City.
    city,
    /// Province.
    province,
    /// Country.
    country,
    /// Company.
    company,
    /// Browser, as reported by the client.
    browser,
    /// Device, as reported by the client.
    device,
    /// Identity card number, as reported by the client.
    identity_number,
}

/// A user of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The id; the `sub` of tokens.
    pub id: UserId,
    /// The pool.
    pub pool: PoolId,
    /// The status of the account.
    pub status: UserStatus,
    /// Login name.
    pub username: Option<Username>,
    /// Login e-mail address.
    pub email: Option<Email>,
    /// Whether the address is verified.
    pub email_verified: bool,
    /// Login phone number, and how it was verified.
    pub phone: Option<(Phone, PhoneProof)>,
    /// The id in the owner's original system.
    pub external_id: Option<String>,
    /// What the user says about themselves.
    pub profile: Profile,
    /// Data that applications store for the user, by key.
    pub custom_data: Map<String, Value>,
    /// How often the user has logged in.
    pub logins_count: i64,
    /// When the user last logged in.
    pub last_login_at: Option<Timestamp>,
    /// The IP address of the last login.
    pub last_ip: Option<String>,
    /// The application of the last login.
    pub last_application: Option<ApplicationId>,
    /// How the account was created: a connection kind, or `admin`.
    pub register_source: String,
    /// When the account was created.
    pub created_at: Timestamp,
    /// When it was last changed; logins do not count.
    pub updated_at: Timestamp,
    /// The account that this one was merged into. References to this account resolve to that one.
    pub merged_into: Option<UserId>,
    /// When the password was set; `None` if there is no password.
    pub password_set_at: Option<Timestamp>,
    /// Whether the next login requires a new password.
    pub must_reset: bool,
    /// The agreements that the user accepted: id and accepted version.
    pub agreements: BTreeMap<String, u32>,
    /// When the account will be permanently deleted, if its owner asked for that.
    pub delete_after: Option<Timestamp>,
}

impl User {
    /// A new active account without login names.
    pub fn new(pool: PoolId, id: UserId, register_source: &str, now: Timestamp) -> Self {
        Self {
            id,
            pool,
            status: UserStatus::Activated,
            username: None,
            email: None,
            email_verified: false,
            phone: None,
            external_id: None,
            profile: Profile::default(),
            custom_data: Map::new(),
            logins_count: 0,
            last_login_at: None,
            last_ip: None,
            last_application: None,
            register_source: register_source.to_owned(),
            created_at: now,
            updated_at: now,
            merged_into: None,
            password_set_at: None,
            must_reset: false,
            agreements: BTreeMap::new(),
            delete_after: None,
        }
    }

    /// Notes that it is changed now. This time tells one state of it from another, so it moves on also if two changes are
    /// within one millisecond, or a clock is behind.
    pub fn touch(&mut self, now: Timestamp) {
        self.updated_at = now.max(Timestamp(self.updated_at.0.saturating_add(1)));
    }

    /// The phone number, if it is verified.
    pub fn vouched_phone(&self) -> Option<&Phone> {
        self.phone.as_ref().filter(|(_, proof)| proof.is_vouched()).map(|(phone, _)| phone)
    }

    /// The e-mail address, if it is verified.
    pub fn vouched_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified)
    }

    /// Whether the account may log in at all.
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Activated
    }
}
