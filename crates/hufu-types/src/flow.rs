//! The login engine as data: the stages of a login, the transitions between them, and which stage an account
//! is at. Pages and APIs share it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::application::text_enum;
use crate::resolution::PhoneUse;
use crate::{AuthorizationRequest, Facts, PoolSettings, ScopeSet, User, UserId};

text_enum! {
    /// The stage of a login.
    Stage {
        /// Nothing has been proved yet.
        Identify = "identify",
        /// The identity is proved but unknown: bind an account, or create one.
        Associate = "associate",
        /// The proved ids point to several accounts: choose one, or merge them.
        Select = "select",
        /// A new password must be set: at the first login, or because an administrator requires it.
        NewPassword = "new_password",
        /// Fields required by the pool are empty.
        Complete = "complete",
        /// The current versions of the pool's agreements have not been accepted.
        Agree = "agree",
        /// The user is logged in.
        Done = "done",
        /// The login was refused.
        Refused = "refused",
    }
}

text_enum! {
    /// A transition between two stages.
    Step {
        /// The proof points to one account.
        Known = "known",
        /// The proof is unknown, and an account is created.
        Created = "created",
        /// The proof is unknown, and the connection lets the person choose what to do.
        Unknown = "unknown",
        /// The proof points to several accounts, and the connection lets the person choose.
        Several = "several",
        /// The person creates a new account.
        Create = "create",
        /// The person proves that they own an account, and binds the identity to it.
        Bind = "bind",
        /// The person chooses an account.
        Choose = "choose",
        /// The person merges the accounts.
        Merge = "merge",
        /// The person sets a new password.
        SetPassword = "set_password",
        /// The person fills in the required fields.
        FillIn = "fill_in",
        /// The person accepts the agreements.
        Accept = "accept",
        /// The person gives up, or the login times out.
        Expire = "expire",
    }
}

/// All transitions: from, step, to. Wherever [`Stage::Done`] is named, the login goes to the first check that
/// the account has not passed, if there is one: see [`stage_of`]. A login that was refused, or that has run
/// out of time or attempts, has ended and takes no further steps.
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

/// The checks that an account must pass before it is logged in, in this order.
pub const CHECKS: &[Stage] = &[Stage::NewPassword, Stage::Complete, Stage::Agree];

impl Stage {
    /// The stage that a step leads to from here; `None` if the step is not possible.
    pub fn after(self, step: Step) -> Option<Self> {
        TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == step).map(|(_, _, to)| *to)
    }

    /// The steps that are possible from here.
    pub fn steps(self) -> impl Iterator<Item = Step> {
        TRANSITIONS.iter().filter(move |(from, ..)| *from == self).map(|(_, step, _)| *step)
    }
}

/// The first check that the account has not passed, given the facts of this login; or [`Stage::Done`]. The
/// facts are unused so far, because no check requires more than one proof.
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

/// The required agreements whose current version has not been accepted.
pub fn open_agreements<'a>(
    user: &'a User,
    settings: &'a PoolSettings,
) -> impl Iterator<Item = &'a crate::Agreement> {
    let accepted = |id: &str| user.agreements.get(id).copied().unwrap_or_default();
    settings.agreements.iter().filter(move |a| a.required && accepted(&a.id) < a.version)
}

/// What a completed login returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedTokens {
    /// The user with a user token, for v2 clients.
    UserToken,
    /// A token set with these scopes.
    TokenSet(ScopeSet),
    /// The response to an authorization request.
    Authorization(Box<AuthorizationRequest>),
}

/// The state of a waiting login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowState {
    /// Its stage.
    pub stage: Stage,
    /// What it returns when completed.
    #[serde(rename = "want")]
    pub requested: RequestedTokens,
    /// How the person has authenticated so far. Missing in rows written by older versions.
    #[serde(default)]
    pub facts: Facts,
    /// At [`Stage::Associate`]: whether the person may create an account.
    pub may_create: bool,
    /// At [`Stage::Select`]: the accounts to choose from.
    pub candidates: Vec<UserId>,
    /// Whether all candidates are proved, so that they may be merged.
    pub may_merge: bool,
    /// The account; set once the login has reached [`CHECKS`].
    pub user: Option<UserId>,
    /// Whether this login created the account.
    pub newly_created: bool,
    /// How a proved phone number is used.
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
    use crate::{
        CodeChallenge, CodeChallengeMethod, Prompt, Prompts, ResponseMode, ResponseType, Thumbprint,
        Timestamp,
    };

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

    /// As written to the database by an older version.
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
            response_type: ResponseType::CODE,
            response_mode: ResponseMode::Query,
            redirect_uri: "https://shop.example/back".to_owned(),
            scopes: ScopeSet::stored("openid loyalty"),
            resources: vec!["https://api.shop.example".to_owned()],
            at: Timestamp(1),
            state: Some("s".to_owned()),
            nonce: Some("n".to_owned()),
            code_challenge: Some(CodeChallenge {
                method: CodeChallengeMethod::S256,
                challenge: "c".to_owned(),
            }),
            dpop_jkt: Thumbprint::parse("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            claims: serde_json::Map::from_iter([(
                "id_token".to_owned(),
                serde_json::json!({ "email": null }),
            )]),
            prompts: Prompts::default().with(Prompt::Login),
            max_age: Some(60),
            login_hint: None,
            expected_user: None,
            acr_values: vec!["a".to_owned()],
            ui_locales: None,
            is_own: false,
            device: None,
            social: None,
            link: None,
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
