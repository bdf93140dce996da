//! The login engine as data: the stages of a login, the steps between them, and
//! which stage an account is at. Pages and APIs go through the same stages.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::application::text_enum;
use crate::resolution::PhoneUse;
use crate::{AuthorizationRequest, Facts, PoolSettings, ScopeSet, User, UserId};

text_enum! {
    /// Where a login stands.
    Stage {
        /// Nobody has proved anything yet.
        Identify = "identify",
        /// The identity is proved and leads to no account: bind one, or make one.
        Associate = "associate",
        /// The proved ids lead to several accounts: choose one, or merge them.
        Select = "select",
        /// A new password must be set: the first login, or an administrator's wish.
        NewPassword = "new_password",
        /// Fields that the pool requires are empty.
        Complete = "complete",
        /// Agreements of the pool are not accepted in their present version.
        Agree = "agree",
        /// The person is logged in.
        Done = "done",
        /// The login ends without one.
        Refused = "refused",
    }
}

text_enum! {
    /// What happens between two stages.
    Step {
        /// The proof leads to one account.
        Known = "known",
        /// The proof leads nowhere, and an account is made.
        Created = "created",
        /// The proof leads nowhere, and the connection asks.
        Unknown = "unknown",
        /// The proof leads to several accounts, and the connection lets choose.
        Several = "several",
        /// The person makes a new account.
        Create = "create",
        /// The person proves an account and binds the identity to it.
        Bind = "bind",
        /// The person chooses an account.
        Choose = "choose",
        /// The person merges the accounts.
        Merge = "merge",
        /// The person sets a new password.
        SetPassword = "set_password",
        /// The person fills the required fields in.
        FillIn = "fill_in",
        /// The person accepts the agreements.
        Accept = "accept",
        /// The person gives up.
        Expire = "expire",
    }
}

/// From where, by what, to where: all steps that there are, and no others. What stands in the place of [`Stage::Done`]
/// is the first of the stages before it that the account is not through with: see [`stage_of`]. A login that is refused,
/// or whose time or tries are used up, is over and takes no step.
pub const TRANSITIONS: &[(Stage, Step, Stage)] = &[
    (Stage::Identify, Step::Known, Stage::Done),
    (Stage::Identify, Step::Created, Stage::Done),
    (Stage::Identify, Step::Unknown, Stage::Associate),
    (Stage::Identify, Step::Several, Stage::Select),
    (Stage::Associate, Step::Create, Stage::Done),
    (Stage::Associate, Step::Bind, Stage::Done),
    (Stage::Associate, Step::Expire, Stage::Refused),
    (Stage::Select, Step::Choose, Stage::Done),
    (Stage::Select, Step::Merge, Stage::Done),
    (Stage::Select, Step::Expire, Stage::Refused),
    (Stage::NewPassword, Step::SetPassword, Stage::Done),
    (Stage::NewPassword, Step::Expire, Stage::Refused),
    (Stage::Complete, Step::FillIn, Stage::Done),
    (Stage::Complete, Step::Expire, Stage::Refused),
    (Stage::Agree, Step::Accept, Stage::Done),
    (Stage::Agree, Step::Expire, Stage::Refused),
];

/// What an account has to be through with, in this order, before it is logged in.
pub const CHECKS: &[Stage] = &[Stage::NewPassword, Stage::Complete, Stage::Agree];

impl Stage {
    /// Where a step leads from here; nothing where it is not possible.
    pub fn after(self, step: Step) -> Option<Self> {
        TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == step).map(|(_, _, to)| *to)
    }

    /// The steps that are possible here.
    pub fn steps(self) -> impl Iterator<Item = Step> {
        TRANSITIONS.iter().filter(move |(from, ..)| *from == self).map(|(_, step, _)| *step)
    }
}

/// The first check that an account is not through with in a login of these facts, or [`Stage::Done`]. No check asks for
/// more than one proof yet.
pub fn stage_of(user: &User, settings: &PoolSettings, _facts: &Facts) -> Stage {
    let through = |stage: Stage| match stage {
        Stage::NewPassword => !user.must_reset,
        Stage::Complete => missing_fields(user, settings).next().is_none(),
        Stage::Agree => open_agreements(user, settings).next().is_none(),
        _ => true,
    };
    CHECKS.iter().copied().find(|stage| !through(*stage)).unwrap_or(Stage::Done)
}

/// The required fields that are empty.
pub fn missing_fields<'a>(user: &'a User, settings: &'a PoolSettings) -> impl Iterator<Item = &'a str> {
    settings.required_fields.iter().map(String::as_str).filter(|field| !has_field(user, field))
}

fn has_field(user: &User, field: &str) -> bool {
    match field {
        "phone" => user.vouched_phone().is_some(),
        "email" => user.email.is_some(),
        "username" => user.username.is_some(),
        "gender" => user.profile.gender.is_some(),
        field => match field.strip_prefix("custom.") {
            Some(key) => user.custom_data.get(key).is_some_and(|value| !value.is_null()),
            None => user.profile.field(field).is_some_and(|text| !text.is_empty()),
        },
    }
}

/// The required agreements that are not accepted in their present version.
pub fn open_agreements<'a>(
    user: &'a User,
    settings: &'a PoolSettings,
) -> impl Iterator<Item = &'a crate::Agreement> {
    let accepted = |id: &str| user.agreements.get(id).copied().unwrap_or_default();
    settings.agreements.iter().filter(move |a| a.required && accepted(&a.id) < a.version)
}

/// What a login ends with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedTokens {
    /// The user and a user token, for the v2 clients.
    UserToken,
    /// A token set of these scopes.
    TokenSet(ScopeSet),
    /// The answer to a request of the authorization endpoint.
    Authorization(Box<AuthorizationRequest>),
}

/// What a waiting login knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowState {
    /// Where it stands.
    pub stage: Stage,
    /// What it ends with.
    #[serde(rename = "want")]
    pub requested: RequestedTokens,
    /// What the person proved themselves with so far. Rows of the program before have none.
    #[serde(default)]
    pub facts: Facts,
    /// At [`Stage::Associate`]: whether an account may be made.
    pub may_create: bool,
    /// At [`Stage::Select`]: the accounts to choose from.
    pub candidates: Vec<UserId>,
    /// Whether the candidates are all proved, so that they may be merged.
    pub may_merge: bool,
    /// From the stages of [`CHECKS`] on: the account.
    pub user: Option<UserId>,
    /// Whether this login made the account.
    pub newly_created: bool,
    /// What a proved phone number is for.
    #[serde(default)]
    pub phone_use: PhoneUse,
}

/// The engine as a Mermaid state diagram.
pub fn diagram() -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> identify\n");
    for (from, step, to) in TRANSITIONS {
        let to = if *to == Stage::Done { "checks" } else { to.as_str() };
        let _ = writeln!(text, "    {} --> {to}: {}", from.as_str(), step.as_str());
    }
    text.push_str("    state checks <<choice>>\n");
    for stage in CHECKS {
        let _ = writeln!(text, "    checks --> {}: not through", stage.as_str());
    }
    text.push_str("    checks --> done: through with all\n    done --> [*]\n    refused --> [*]\n");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_stage_can_be_reached_and_left() {
        let mut reached = HashSet::from([Stage::Identify]);
        reached.extend(CHECKS);
        reached.extend(TRANSITIONS.iter().map(|(_, _, to)| *to));
        for stage in Stage::ALL {
            assert!(reached.contains(stage), "{stage:?} is never reached");
            let ends = matches!(stage, Stage::Done | Stage::Refused);
            assert_eq!(stage.steps().next().is_none(), ends, "{stage:?}");
        }
        for step in Step::ALL {
            assert!(TRANSITIONS.iter().any(|(_, by, _)| by == step), "{step:?} is never possible");
        }
    }

    /// What the program before wrote to the database.
    #[test]
    fn a_state_without_facts_is_read() {
        let old = r#"{"stage":"select","want":{"token_set":"openid profile"},"may_create":false,
            "candidates":["a","b"],"may_merge":true,"user":null,"newly_created":false}"#;
        let state: FlowState = serde_json::from_str(old).unwrap();
        assert_eq!((state.stage, state.candidates.len()), (Stage::Select, 2));
        assert_eq!(state.requested, RequestedTokens::TokenSet(ScopeSet::parse("openid profile")));
        assert_eq!(state.facts, Facts::default());
        let old = r#"{"stage":"complete","want":"user_token","may_create":false,"candidates":[],"may_merge":false,
            "user":"a","newly_created":true}"#;
        assert_eq!(serde_json::from_str::<FlowState>(old).unwrap().requested, RequestedTokens::UserToken);
    }

    #[test]
    fn a_request_for_authorization_is_kept_whole() {
        let request = AuthorizationRequest {
            redirect_uri: "https://shop.example/back".to_owned(),
            scopes: ScopeSet::parse("openid"),
            state: Some("s".to_owned()),
            nonce: Some("n".to_owned()),
            code_challenge: Some(crate::CodeChallenge {
                method: crate::CodeChallengeMethod::S256,
                challenge: "c".to_owned(),
            }),
            claims: serde_json::Map::from_iter([(
                "id_token".to_owned(),
                serde_json::json!({ "email": null }),
            )]),
        };
        let requested = RequestedTokens::Authorization(Box::new(request));
        let json = serde_json::to_string(&requested).unwrap();
        assert_eq!(serde_json::from_str::<RequestedTokens>(&json).unwrap(), requested);
    }

    #[test]
    fn a_step_leads_to_one_stage() {
        let pairs: HashSet<_> = TRANSITIONS.iter().map(|(from, step, _)| (from, step)).collect();
        assert_eq!(pairs.len(), TRANSITIONS.len());
        assert_eq!(Stage::Associate.after(Step::Bind), Some(Stage::Done));
        assert_eq!(Stage::Associate.after(Step::Choose), None);
    }
}
