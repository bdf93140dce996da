//! The OAuth scopes that Hufu supports: those of OpenID Connect Core 5.4 and those of the published clients.

use serde::{Deserialize, Serialize};

macro_rules! scopes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        /// One scope.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Scope { $($(#[$doc])* $variant),* }

        impl Scope {
            /// Every scope, in the order in which they are printed.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The scope's name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

scopes! {
    /// Requests an ID token.
    Openid = "openid",
    /// Names, picture, birth date and similar claims.
    Profile = "profile",
    /// The username.
    Username = "username",
    /// The e-mail address.
    Email = "email",
    /// The phone number.
    Phone = "phone",
    /// The postal address.
    Address = "address",
    /// Requests a refresh token.
    OfflineAccess = "offline_access",
    /// The id in the owner's original system.
    ExternalId = "external_id",
    /// Custom data.
    ExtendedFields = "extended_fields",
    /// Roles.
    Roles = "roles",
    /// The tenant id.
    TenantId = "tenant_id",
}

/// A set of scopes. Parsing drops unknown scopes: RFC 6749 3.3 lets the server grant less than was requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ScopeSet(u32);

impl ScopeSet {
    /// The scopes for a client that requests none.
    pub const fn default_login() -> Self {
        Self(1 << Scope::Openid as u8 | 1 << Scope::Profile as u8)
    }

    /// Every scope.
    pub const fn all() -> Self {
        Self((1 << Scope::ALL.len()) - 1)
    }

    /// The set without this scope.
    #[must_use]
    pub const fn without(self, scope: Scope) -> Self {
        Self(self.0 & !(1 << scope as u8))
    }

    /// Whether every scope of the other set is in this one.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The scopes, in the order in which they are printed.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }

    /// Parses a space-separated list.
    pub fn parse(text: &str) -> Self {
        let mut set = Self::default();
        for name in text.split_ascii_whitespace() {
            if let Some(scope) = Scope::ALL.iter().find(|s| s.as_str() == name) {
                set.0 |= 1 << *scope as u8;
            }
        }
        set
    }

    /// The scopes of a login request: [`Self::default_login`] if it names none, or none that is known.
    pub fn asked(text: Option<&str>) -> Self {
        text.map(Self::parse).filter(|set| !set.is_empty()).unwrap_or_else(Self::default_login)
    }

    /// Whether the scope is in the set.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// The scopes that are in both sets.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        for scope in Scope::ALL.iter().filter(|s| self.has(**s)) {
            if !first {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
            first = false;
        }
        Ok(())
    }
}

impl From<String> for ScopeSet {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<ScopeSet> for String {
    fn from(set: ScopeSet) -> Self {
        set.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_in_one_order() {
        let set = ScopeSet::parse("offline_access  openid nonsense profile");
        assert_eq!(set.to_string(), "openid profile offline_access");
        assert!(set.has(Scope::OfflineAccess) && !set.has(Scope::Email));
        assert_eq!(ScopeSet::default_login().to_string(), "openid profile");
        assert!(ScopeSet::parse("nonsense").is_empty());
    }
}
