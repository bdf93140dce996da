//! Users and the identities that lead to them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::application::text_enum;
use crate::{ApplicationId, Email, OpenPlatform, Phone, PoolId, Timestamp, UserId, Username};

text_enum! {
    /// Whether an account is in use.
    UserStatus {
        /// In use.
        Activated = "Activated",
        /// Switched off by an administrator; logs in nowhere.
        Suspended = "Suspended",
        /// Put away; logs in nowhere.
        Archived = "Archived",
        /// Deleted by its owner, and kept for the days of grace; logs in nowhere.
        Deactivated = "Deactivated",
    }
}

text_enum! {
    /// Gender, in the letters of the published clients.
    Gender {
        /// Male.
        Male = "M",
        /// Female.
        Female = "F",
        /// Unknown or not told.
        Unknown = "U",
    }
}

text_enum! {
    /// How a phone number came to an account. A number that nobody vouches for is
    /// matched against nothing, and leaves the account when somebody proves it.
    PhoneProof {
        /// The person wrote it, and nobody vouches for it.
        Unverified = "none",
        /// A code sent to it came back.
        Code = "code",
        /// WeChat confirmed the number for the person.
        Wechat = "wechat",
        /// An administrator or an import wrote it.
        Administrator = "administrator",
    }
}

text_enum! {
    /// What an identity's value is.
    IdentityKind {
        /// A person's id within one app.
        Openid = "openid",
        /// A person's id within one Open Platform account.
        Unionid = "unionid",
    }
}

impl PhoneProof {
    /// Whether somebody vouches for the number.
    pub fn is_vouched(self) -> bool {
        self != Self::Unverified
    }
}

/// The realms of identities: where their values are unique. They stand in the database and never change.
pub mod realm {
    use crate::OpenPlatform;

    /// A WeChat app, for OpenIDs.
    pub fn wechat_app(app_id: &str) -> String {
        format!("wechat:{app_id}")
    }

    /// A WeChat Open Platform account, for UnionIDs.
    pub fn wechat_open_platform(account: &OpenPlatform) -> String {
        format!("wechat:open:{}", account.0)
    }
}

/// What makes an identity unique in its pool: whose id it is, of what kind, and the id.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdentityKey {
    /// The provider and where the value is unique: `wechat:wx0123456789abcdef`
    /// for OpenIDs, `wechat:open:shop` for UnionIDs.
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
    /// What it is.
    pub key: IdentityKey,
    /// Whom it leads to.
    pub user: UserId,
    /// The connection through which it came first.
    pub connection: crate::ConnectionId,
    /// When it came.
    pub created_at: Timestamp,
}

/// The name by which clients know a field: `given_name` as `givenName`.
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
        /// What a person says of themselves: the claims of OpenID Connect Core 5.1
        /// and those of the published clients. Nothing here proves anything.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Profile {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<String>,)*
            /// Gender.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub gender: Option<Gender>,
        }

        impl Profile {
            /// Every text field with its name, for reading and for writing.
            pub const FIELDS: &[&str] = &[$(stringify!($field)),*];

            /// The text field of this name, where it has one and it is filled.
            pub fn field(&self, name: &str) -> Option<&str> {
                match name {
                    $(stringify!($field) => self.$field.as_deref(),)*
                    _ => None,
                }
            }

            /// The text field of this name.
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
    /// The name the person is shown by.
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
    /// Birth date as the person wrote it.
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
    /// Town, as OpenID Connect has it.
    locality,
    /// Region, as OpenID Connect has it.
    region,
    /// Postal code.
    postal_code,
    /// Town.
    city,
    /// Province.
    province,
    /// Country.
    country,
    /// Company.
    company,
    /// Browser, as the client tells.
    browser,
    /// Device, as the client tells.
    device,
    /// Identity card number, as the client tells.
    identity_number,
}

/// A user of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The id; `sub` of tokens.
    pub id: UserId,
    /// The pool.
    pub pool: PoolId,
    /// Whether the account is in use.
    pub status: UserStatus,
    /// Login name.
    pub username: Option<Username>,
    /// Login e-mail address.
    pub email: Option<Email>,
    /// Whether somebody vouches for the address.
    pub email_verified: bool,
    /// Login phone number and who vouches for it.
    pub phone: Option<(Phone, PhoneProof)>,
    /// The id in the owner's original system.
    pub external_id: Option<String>,
    /// What the person says of themselves.
    pub profile: Profile,
    /// What applications keep with the person, by key.
    pub custom_data: Map<String, Value>,
    /// How often the person logged in.
    pub logins_count: i64,
    /// When last.
    pub last_login_at: Option<Timestamp>,
    /// From which address last.
    pub last_ip: Option<String>,
    /// To which application last.
    pub last_application: Option<ApplicationId>,
    /// What made the account: a connection kind, or `admin`.
    pub register_source: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was last changed, logins aside.
    pub updated_at: Timestamp,
    /// The account that this one was merged into: what leads here leads there.
    pub merged_into: Option<UserId>,
    /// When the password was set; none where there is no password.
    pub password_set_at: Option<Timestamp>,
    /// Whether the next login asks for a new password.
    pub must_reset: bool,
    /// The agreements that the person accepted, by id, with their version.
    pub agreements: BTreeMap<String, u32>,
    /// When the account is gone for good, if its owner deleted it.
    pub delete_after: Option<Timestamp>,
}

impl User {
    /// A new account in use, without any name.
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

    /// The phone number, where somebody vouches for it.
    pub fn vouched_phone(&self) -> Option<&Phone> {
        self.phone.as_ref().filter(|(_, proof)| proof.is_vouched()).map(|(phone, _)| phone)
    }

    /// The e-mail address, where somebody vouches for it.
    pub fn vouched_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified)
    }

    /// Whether the account may log in at all.
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Activated
    }
}
