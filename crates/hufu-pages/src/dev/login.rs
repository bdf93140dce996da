//! What the application has of a login: the user, the tokens, and what the server answered.

use hufu_app::authorization::Presented;
use hufu_app::{ApplicationHint, Needs, Origin};
use hufu_protocol::ClientKeys;
use hufu_types::{Identity, IdentityKind, Timestamp, User};
use hufu_web::server::Shared;
use serde_json::{Map, Value};

use super::modes::Mode;
use super::tokens::Token;
use super::{Call, DemoMode, Stage};

/// A login that the application received.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) mode: &'static Mode,
    pub(super) at: Timestamp,
    /// How long the machines took, in milliseconds.
    pub(super) millis: Option<i64>,
    /// The name of the person, if it is known.
    pub(super) name: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) user: String,
    pub(super) logins: i64,
    pub(super) unionid: Option<String>,
    /// The kinds of the connections by which the account is known, each with the person's OpenID there.
    pub(super) openids: Vec<(String, String)>,
    pub(super) tokens: Vec<Token>,
    /// What the server answered the application: its call, and the body.
    pub(super) answer: (String, Value),
    /// The calls that the application made.
    pub(super) steps: Vec<Step>,
    pub(super) seam: Seam,
}

/// A call that the application made.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The method and the path.
    pub(super) call: String,
    /// Whether it was answered as wished.
    pub(super) is_ok: bool,
    /// The status, or the code of the answer.
    pub(super) code: String,
    pub(super) millis: Option<i64>,
}

/// How a login fits to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seam {
    /// Nobody was here before by another mode.
    First,
    /// The same UnionID as before, and the same user.
    Joined,
    /// The same UnionID as before, and another user.
    Apart,
    /// Another UnionID.
    SomebodyElse,
    /// WeChat gave none.
    NoUnionId,
}

/// A login that ended without one.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) mode: &'static Mode,
    pub(super) at: Timestamp,
    /// Whether the person refused, and not the server.
    pub(super) by_person: bool,
    /// What the application was told.
    pub(super) message: String,
    pub(super) steps: Vec<Step>,
}

/// What an application got, before it is verified.
pub(super) struct Gotten {
    pub(super) mode: &'static Mode,
    pub(super) tokens: Vec<(&'static str, String)>,
    pub(super) answer: (String, Value),
    pub(super) steps: Vec<Step>,
    pub(super) millis: Option<i64>,
}

impl Stage {
    /// Verifies tokens as a back end does, with the public keys, and looks up whose they are. The error is for the log:
    /// nothing of what was sent is believed then.
    pub(super) async fn verified(
        &self,
        shared: &Shared,
        demo: &DemoMode,
        gotten: Gotten,
    ) -> Result<Login, String> {
        let keys = self.keys().await?;
        let now = shared.app.now();
        let issuer = format!("{}/oidc", shared.app.public_url());
        let mut tokens = Vec::new();
        for (name, raw) in &gotten.tokens {
            let token = Token::verified(name, raw, &keys)?;
            token.check(&issuer, demo.application, now)?;
            tokens.push(token);
        }
        // An id token is not presented to anybody.
        let bearer = gotten.tokens.iter().find(|(name, _)| *name != "ID Token").ok_or("there is no token")?;
        let presented = Some(Presented::Bearer(&bearer.1));
        let named = ApplicationHint::new(Some(demo.application), None);
        let who = shared.app.authenticate(presented, named, Origin::default(), Needs::Login).await;
        let who = who.map_err(|refusal| refusal.to_string())?;
        let (user, identities) =
            shared.app.user_with_identities(&who).await.map_err(|refusal| refusal.to_string())?;
        Ok(self.login(gotten, &user, &identities, tokens, now))
    }

    fn login(
        &self,
        gotten: Gotten,
        user: &User,
        identities: &[Identity],
        tokens: Vec<Token>,
        at: Timestamp,
    ) -> Login {
        let of_kind = |kind: IdentityKind| identities.iter().filter(move |one| one.key.kind == kind);
        let kind_of = |realm: &str| {
            let app_id = realm.strip_prefix("wechat:").unwrap_or(realm);
            let mode = self.modes().find(|(_, demo)| demo.app_id == app_id);
            mode.map_or_else(|| app_id.to_owned(), |(mode, _)| mode.kind.to_owned())
        };
        let openids = of_kind(IdentityKind::Openid);
        Login {
            mode: gotten.mode,
            at,
            millis: gotten.millis,
            name: name_of(user),
            phone: user.phone.as_ref().map(|(phone, _)| phone.to_string()),
            user: user.id.to_string(),
            logins: user.logins_count,
            unionid: of_kind(IdentityKind::Unionid).map(|one| one.key.value.clone()).next(),
            openids: openids.map(|one| (kind_of(&one.key.realm), one.key.value.clone())).collect(),
            tokens,
            answer: gotten.answer,
            steps: gotten.steps,
            seam: Seam::First,
        }
    }

    /// The public keys of the server, fetched as any back end fetches them.
    async fn keys(&self) -> Result<ClientKeys, String> {
        let call = Call {
            method: "GET",
            path: "/oidc/.well-known/jwks.json".to_owned(),
            headers: Vec::new(),
            body: String::new(),
        };
        let answer = self.demo.surroundings.call(call).await?;
        ClientKeys::parse(&answer.body).map_err(|error| error.to_string())
    }
}

fn name_of(user: &User) -> Option<String> {
    let profile = &user.profile;
    let username = user.username.as_ref().map(ToString::to_string);
    profile.nickname.clone().or_else(|| profile.name.clone()).or(username)
}

/// The tokens that an answer of the server has, each with its name.
pub(super) fn tokens_in(answer: &Map<String, Value>) -> Vec<(&'static str, String)> {
    const NAMES: [(&str, &str); 4] = [
        ("id_token", "ID Token"),
        ("access_token", "Access Token"),
        ("token", "User Token"),
        ("accessToken", "Access Token"),
    ];
    let is_jwt = |text: &str| text.matches('.').count() == 2;
    let found = NAMES.iter().filter_map(|(field, name)| {
        let token = answer.get(*field)?.as_str().filter(|text| is_jwt(text))?;
        Some((*name, token.to_owned()))
    });
    found.collect()
}
