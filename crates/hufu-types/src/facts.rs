//! Authentication facts: how a person authenticated in a login, and when.

use serde::{Deserialize, Serialize};

use crate::{ConnectionKind, ScopeSet, Timestamp};

/// An authentication method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Method {
    /// A password.
    Password,
    /// A code sent by SMS.
    PhoneCode,
    /// A code sent by e-mail.
    EmailCode,
    /// A QR code, confirmed in the pool's own app by whoever is logged in there.
    AppQrCode,
    /// An identity source, reached through a connection of this kind.
    Source(ConnectionKind),
}

impl Method {
    /// The name in tables and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::PhoneCode => "phone-code",
            Self::EmailCode => "email-code",
            Self::AppQrCode => "app-qrcode",
            Self::Source(kind) => kind.as_str(),
        }
    }

    /// The value in the `amr` claim: a value of RFC 8176, or the connection kind for an identity source.
    pub const fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::PhoneCode => "sms",
            Self::EmailCode => "otp",
            // Another channel than the browser that logs in.
            Self::AppQrCode => "mca",
            Self::Source(kind) => kind.as_str(),
        }
    }
}

/// The text is not the name of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of no method of logging in")]
pub struct UnknownMethod;

impl TryFrom<String> for Method {
    type Error = UnknownMethod;

    fn try_from(text: String) -> Result<Self, UnknownMethod> {
        let own = [Self::Password, Self::PhoneCode, Self::EmailCode, Self::AppQrCode];
        let own = own.into_iter().find(|method| method.as_str() == text);
        own.or_else(|| ConnectionKind::parse(&text).map(Self::Source)).ok_or(UnknownMethod)
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.as_str().to_owned()
    }
}

/// One completed authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The method used.
    pub method: Method,
    /// When it was completed.
    pub at: Timestamp,
    /// What the token granted that somebody confirmed a QR code with. The login grants no more. None for a token that
    /// grants everything, and for all other methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
}

/// The authentications of one login, in the order in which they were added. They become the claims `amr` and
/// `auth_time`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// A single authentication.
    pub fn of(method: Method, at: Timestamp) -> Self {
        Self(vec![Fact { method, at, scope: None }])
    }

    /// A login that somebody confirmed in the pool's own app, where they had authenticated at this time, with a token that
    /// grants this.
    pub fn lent(at: Timestamp, scope: Option<ScopeSet>) -> Self {
        Self(vec![Fact { method: Method::AppQrCode, at, scope }])
    }

    /// Adds one more authentication.
    #[must_use]
    pub fn and(mut self, method: Method, at: Timestamp) -> Self {
        self.0.push(Fact { method, at, scope: None });
        self
    }

    /// The authentications, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.0.iter()
    }

    /// When somebody had authenticated in the app that confirmed this login; none if it was another login. Whoever shows a
    /// QR code may have talked them into it, so that such a login may do what that of a device may.
    pub fn lent_at(&self) -> Option<Timestamp> {
        self.0.iter().find(|fact| fact.method == Method::AppQrCode).map(|fact| fact.at)
    }

    /// What the login may grant at most; none if there is no bound.
    pub fn most(&self) -> Option<&ScopeSet> {
        self.0.iter().find_map(|fact| fact.scope.as_ref())
    }

    /// The distinct methods, in the order of first use.
    pub fn methods(&self) -> Vec<Method> {
        let mut methods = Vec::new();
        for fact in &self.0 {
            if !methods.contains(&fact.method) {
                methods.push(fact.method);
            }
        }
        methods
    }

    /// The `amr` claim (RFC 8176).
    pub fn amr(&self) -> Vec<&'static str> {
        self.methods().into_iter().map(Method::amr).collect()
    }

    /// The `auth_time` claim: when the person last authenticated.
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.0.iter().map(|fact| fact.at).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_as_they_are_written() {
        let mut all = vec![Method::Password, Method::PhoneCode, Method::EmailCode];
        all.extend(ConnectionKind::ALL.iter().copied().map(Method::Source));
        for method in all {
            let json = serde_json::to_string(&method).unwrap();
            assert_eq!(json, format!("\"{}\"", method.as_str()));
            assert_eq!(serde_json::from_str::<Method>(&json).unwrap(), method);
        }
        assert!(serde_json::from_str::<Method>("\"telepathy\"").is_err());
    }

    #[test]
    fn facts_become_claims() {
        let facts = Facts::of(Method::Source(ConnectionKind::WechatMiniProgram), Timestamp(1_000))
            .and(Method::PhoneCode, Timestamp(3_000))
            .and(Method::PhoneCode, Timestamp(2_000));
        assert_eq!(facts.amr(), ["wechat:miniprogram:default", "sms"]);
        assert_eq!(facts.auth_time(), Some(Timestamp(3_000)));
        assert_eq!(Facts::default().auth_time(), None);
        let json = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
        assert_eq!((facts.lent_at(), facts.most()), (None, None));
    }

    #[test]
    fn what_an_app_confirmed_stays_bounded() {
        let scope = ScopeSet::default_login();
        let facts =
            Facts::lent(Timestamp(1_000), Some(scope.clone())).and(Method::PhoneCode, Timestamp(2_000));
        let json = serde_json::to_string(&facts).unwrap();
        let read = serde_json::from_str::<Facts>(&json).unwrap();
        assert_eq!((read.lent_at(), read.most()), (Some(Timestamp(1_000)), Some(&scope)));
        assert_eq!(read, facts);
    }
}
