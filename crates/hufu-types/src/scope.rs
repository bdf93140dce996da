//! The OAuth scopes: Hufu's own, which are those of OpenID Connect Core 5.4 and of the published clients, and those that a
//! pool declares ([`PoolScope`]).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::PoolScope;

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

            /// The scope of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|scope| scope.as_str() == name)
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

/// A set of scopes: Hufu's own as bits, and those that the pool declares by name. The names are shared, so that a clone
/// costs no more than before where there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ScopeSet {
    own: u32,
    /// In alphabetical order, each once. `None` where there are none, so that equal sets compare equal.
    of_pool: Option<Arc<[Box<str>]>>,
}

impl ScopeSet {
    /// The scopes for a client that requests none.
    pub const fn default_login() -> Self {
        Self { own: 1 << Scope::Openid as u8 | 1 << Scope::Profile as u8, of_pool: None }
    }

    /// Every scope of Hufu, and all of these.
    pub fn all(of_pool: &[PoolScope]) -> Self {
        let names = of_pool.iter().map(|scope| scope.name.as_str());
        Self { own: (1 << Scope::ALL.len()) - 1, of_pool: sorted(names) }
    }

    /// Reads a list of a request, separated by spaces: the scopes that Hufu or the pool has. All others are dropped: RFC 6749
    /// 3.3 lets the server grant less than was requested.
    pub fn requested(text: &str, of_pool: &[PoolScope]) -> Self {
        let names = text.split_ascii_whitespace().filter(|name| of_pool.iter().any(|own| own.name == *name));
        Self { own: own_bits(text), of_pool: sorted(names) }
    }

    /// Reads a list that may name Hufu's own scopes alone. All others are dropped.
    pub fn parse(text: &str) -> Self {
        Self::requested(text, &[])
    }

    /// Reads what Hufu itself wrote, in its database or in a token: whatever is not Hufu's own was a scope of the pool. Never
    /// for what a client sends.
    pub fn stored(text: &str) -> Self {
        let names = text.split_ascii_whitespace().filter(|name| Scope::named(name).is_none());
        Self { own: own_bits(text), of_pool: sorted(names) }
    }

    /// The scopes of a login request: [`Self::default_login`] if it names none, or none that is known.
    pub fn asked(text: Option<&str>, of_pool: &[PoolScope]) -> Self {
        let set = text.map(|text| Self::requested(text, of_pool));
        set.filter(|set| !set.is_empty()).unwrap_or_else(Self::default_login)
    }

    /// The set without this scope.
    #[must_use]
    pub fn without(&self, scope: Scope) -> Self {
        Self { own: self.own & !(1 << scope as u8), of_pool: self.of_pool.clone() }
    }

    /// The set without the scopes that the pool no longer has.
    #[must_use]
    pub fn still_known(&self, of_pool: &[PoolScope]) -> Self {
        self.filtered(self.own, |name| of_pool.iter().any(|own| own.name == name))
    }

    /// The scopes of the pool alone.
    #[must_use]
    pub fn only_of_pool(&self) -> Self {
        Self { own: 0, of_pool: self.of_pool.clone() }
    }

    /// Whether every scope of the other set is in this one.
    pub fn covers(&self, other: &Self) -> bool {
        other.own & !self.own == 0 && other.of_pool().all(|name| self.has_of_pool(name))
    }

    /// Both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let of_pool = match (&self.of_pool, &other.of_pool) {
            (Some(_), Some(_)) => sorted(self.of_pool().chain(other.of_pool())),
            (one, other) => one.as_ref().or(other.as_ref()).cloned(),
        };
        Self { own: self.own | other.own, of_pool }
    }

    /// The scopes that are in both sets.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        self.filtered(self.own & other.own, |name| other.has_of_pool(name))
    }

    /// Hufu's own scopes, in the order in which they are printed.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + use<> {
        let own = self.own;
        Scope::ALL.iter().copied().filter(move |scope| own & (1 << *scope as u8) != 0)
    }

    /// The names of the pool's scopes, in alphabetical order.
    pub fn of_pool(&self) -> impl Iterator<Item = &str> {
        self.of_pool.iter().flat_map(|names| names.iter()).map(|name| &**name)
    }

    /// Whether the scope is in the set.
    pub const fn has(&self, scope: Scope) -> bool {
        self.own & (1 << scope as u8) != 0
    }

    /// Whether the pool's scope of this name is in the set.
    pub fn has_of_pool(&self, name: &str) -> bool {
        self.of_pool.as_ref().is_some_and(|names| names.binary_search_by(|own| (**own).cmp(name)).is_ok())
    }

    /// Whether the set is empty.
    pub const fn is_empty(&self) -> bool {
        self.own == 0 && self.of_pool.is_none()
    }

    fn filtered(&self, own: u32, keep: impl Fn(&str) -> bool) -> Self {
        let of_pool = match &self.of_pool {
            Some(names) if !names.iter().all(|name| keep(name)) => {
                sorted(self.of_pool().filter(|name| keep(name)))
            }
            all => all.clone(),
        };
        Self { own, of_pool }
    }
}

/// The bits of Hufu's own scopes in a list.
fn own_bits(text: &str) -> u32 {
    text.split_ascii_whitespace().filter_map(Scope::named).fold(0, |own, scope| own | 1 << scope as u8)
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Option<Arc<[Box<str>]>> {
    let mut names: Vec<Box<str>> = names.map(Into::into).collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| names.into())
}

impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        for name in self.iter().map(|scope| -> &str { scope.as_str() }).chain(self.of_pool()) {
            if !first {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
            first = false;
        }
        Ok(())
    }
}

impl From<String> for ScopeSet {
    fn from(text: String) -> Self {
        Self::stored(&text)
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

    fn declared(names: &[&str]) -> Vec<PoolScope> {
        names.iter().map(|name| PoolScope { name: (*name).to_owned(), ..PoolScope::default() }).collect()
    }

    #[test]
    fn reads_and_prints_in_one_order() {
        let set = ScopeSet::parse("offline_access  openid nonsense profile");
        assert_eq!(set.to_string(), "openid profile offline_access");
        assert!(set.has(Scope::OfflineAccess) && !set.has(Scope::Email));
        assert_eq!(ScopeSet::default_login().to_string(), "openid profile");
        assert!(ScopeSet::parse("nonsense").is_empty());
    }

    #[test]
    fn scopes_of_the_pool_ride_along() {
        let pool = declared(&["orders:read", "loyalty"]);
        let set = ScopeSet::requested("orders:read nonsense openid loyalty loyalty Loyalty", &pool);
        assert_eq!(set.to_string(), "openid loyalty orders:read");
        assert_eq!(set, ScopeSet::stored("loyalty orders:read openid"));
        assert_eq!(ScopeSet::asked(Some("loyalty"), &pool).to_string(), "loyalty");
        assert_eq!(ScopeSet::asked(Some("loyalty"), &[]), ScopeSet::default_login());
        assert_eq!(
            serde_json::from_str::<ScopeSet>("\"loyalty openid\"").unwrap().to_string(),
            "openid loyalty"
        );

        assert_eq!(set.still_known(&declared(&["orders:read"])).to_string(), "openid orders:read");
        assert_eq!(set.still_known(&[]), ScopeSet::parse("openid"), "empty is one thing");
        assert_eq!(set.only_of_pool().to_string(), "loyalty orders:read");
        assert_eq!(set.intersect(&ScopeSet::stored("orders:read email")).to_string(), "orders:read");
        assert_eq!(set.without(Scope::Openid).to_string(), "loyalty orders:read");
        let (one, other) = (ScopeSet::stored("openid b"), ScopeSet::stored("email a"));
        assert_eq!(one.union(&other).to_string(), "openid email a b");
        assert_eq!(one.union(&ScopeSet::parse("phone")).to_string(), "openid phone b");
        assert!(
            one.union(&other).covers(&one) && !one.covers(&other) && one.covers(&ScopeSet::parse("openid"))
        );
        assert!(!ScopeSet::all(&[]).covers(&one) && ScopeSet::all(&declared(&["b"])).covers(&one));
        assert!(!ScopeSet::stored("b").is_empty() && ScopeSet::stored("b").has_of_pool("b"));
    }
}
