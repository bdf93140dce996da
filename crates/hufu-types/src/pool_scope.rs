//! The scopes that a pool declares, and the claims about users that they give.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::client_check::check_texts;
use crate::settings_check::{Problems, names};
use crate::{CustomField, Language, Scope, SettingProblem};

/// Claims that only the issuer may set: those of the protocol (RFC 7519 4.1, OpenID Connect Core 2 and 3.3.2.11,
/// Front-Channel Logout 3, RFC 8693 4.2 and 4.3, RFC 7800 3.1, RFC 8417 2.2).
pub const PROTOCOL_CLAIMS: [&str; 20] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "client_id",
    "scope",
    "cnf",
    "events",
    "token_use",
];

/// The claims about users that Hufu makes of profiles and login names (OpenID Connect Core 5.1, and those of the
/// published clients). A scope of a pool names them as sources.
pub const USER_CLAIMS: [&str; 21] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "address",
    "username",
    "external_id",
];

/// Claims whose meaning is Hufu's, and which are no source.
const RESERVED_CLAIMS: [&str; 3] = ["extended_fields", "roles", "tenant_id"];

/// A scope that a pool declares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolScope {
    /// The name (RFC 6749 section 3.3).
    pub name: String,
    /// What people read when they are asked whether an application may have it, by language tag. The name if there is
    /// none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub title: BTreeMap<String, String>,
    /// The claims that it gives, and the source of each: one of [`USER_CLAIMS`], or `custom.KEY`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
}

impl PoolScope {
    /// The most scopes of a pool.
    pub const MOST: usize = 64;
    /// The most claims of a scope.
    pub const MOST_CLAIMS: usize = 50;
    /// The most bytes of the name of a scope or of a claim.
    pub const LONGEST_NAME: usize = 64;

    /// What people read: the title in this language, otherwise in English or in any language, otherwise the name.
    pub fn shown_in(&self, language: Language) -> &str {
        let of = |tag: &str| self.title.get(tag).map(String::as_str);
        let title = of(language.tag())
            .or_else(|| of("en"))
            .or_else(|| self.title.values().next().map(String::as_str));
        title.unwrap_or(&self.name)
    }

    /// The key of custom data that is the source of a claim, if it is one.
    pub fn custom_key(source: &str) -> Option<&str> {
        source.strip_prefix("custom.")
    }

    /// The problems of a pool's scopes, each under the place of the scope in the list. Sources in custom data are
    /// checked against the fields of the pool, if they are given.
    pub fn problems(scopes: &[Self], fields: Option<&[CustomField]>) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        if scopes.len() > Self::MOST {
            problems.add("", format!("too many scopes — declare at most {}", Self::MOST));
        }
        let mut seen = HashSet::new();
        let mut given: HashMap<&str, (&str, &str)> = HashMap::new();
        for (index, scope) in scopes.iter().enumerate() {
            let at = format!("{index}.name");
            if !is_token(&scope.name) {
                problems.add(&at, format!("not a scope — {TOKEN_RULE}"));
            } else if Scope::named(&scope.name).is_some() {
                let reason = format!("`{}` is a scope that Hufu has — choose another name", scope.name);
                problems.add(&at, reason);
            } else if !seen.insert(&scope.name) {
                problems.repeated(&at, &scope.name);
            }
            check_texts(&mut problems, &format!("{index}.title"), &scope.title);
            if scope.claims.len() > Self::MOST_CLAIMS {
                let reason = format!("too many claims — give at most {}", Self::MOST_CLAIMS);
                problems.add(&format!("{index}.claims"), reason);
            }
            for (claim, source) in &scope.claims {
                let wrong = claim_problem(claim).or_else(|| source_problem(claim, source, fields));
                let wrong = wrong.or_else(|| {
                    let (other, before) = *given.entry(claim).or_insert((&scope.name, source));
                    (before != source).then(|| {
                        let (claim, other) = (claim.escape_debug(), other.escape_debug());
                        format!(
                            "the scope `{other}` gives `{claim}` from another source — choose another name"
                        )
                    })
                });
                if let Some(reason) = wrong {
                    problems.add(&format!("{index}.claims.{claim}"), reason);
                }
            }
        }
        problems.0
    }
}

const TOKEN_RULE: &str = "write 1 to 64 printable ASCII characters without spaces, `\"` and `\\`";

/// Whether a text can be a scope (RFC 6749 section 3.3, `scope-token`). Claims are named alike.
fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (1..=PoolScope::LONGEST_NAME).contains(&text.len()) && text.bytes().all(plain)
}

fn claim_problem(claim: &str) -> Option<String> {
    if !is_token(claim) {
        return Some(format!("not the name of a claim — {TOKEN_RULE}"));
    }
    let reserved = PROTOCOL_CLAIMS.contains(&claim) || RESERVED_CLAIMS.contains(&claim);
    reserved.then(|| format!("`{claim}` has a meaning of its own — choose another name"))
}

fn source_problem(claim: &str, source: &str, fields: Option<&[CustomField]>) -> Option<String> {
    let shown = source.escape_debug();
    // An application that reads `email_verified` takes it for Hufu's word.
    if USER_CLAIMS.contains(&claim) && source != claim {
        return Some(format!(
            "the claim `{claim}` is made by Hufu — write {claim} = \"{claim}\", or choose another name"
        ));
    }
    let Some(key) = PoolScope::custom_key(source) else {
        let known = || names(USER_CLAIMS.into_iter());
        return (!USER_CLAIMS.contains(&source))
            .then(|| format!("there is no source `{shown}` — write custom.KEY, or one of {}", known()));
    };
    match fields?.iter().find(|field| field.key == key) {
        None => Some(format!(
            "the user pool has no custom field for `{shown}` — declare it in custom_fields, or take the claim out"
        )),
        // Whoever has a token of theirs reads what is in it.
        Some(field) if !field.visible => Some(format!(
            "people cannot see `{shown}`, and their tokens would show it — make the field visible, or take the claim out"
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(json: &str, fields: &str) -> Vec<String> {
        let scopes: Vec<PoolScope> = serde_json::from_str(json).unwrap();
        let fields: Vec<CustomField> = serde_json::from_str(fields).unwrap();
        let problems = PoolScope::problems(&scopes, Some(&fields));
        assert!(problems.iter().all(|problem| problem.reason.contains(" — ")), "{problems:?}");
        problems.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn scopes_that_cannot_be_meant() {
        let fields = r#"[{"key":"level","type":"number"},{"key":"risk","type":"string","visible":false}]"#;
        let sound = r#"[
            {"name":"loyalty","title":{"en":"See your level"},"claims":{"level":"custom.level","name":"name"}},
            {"name":"https://api.example.com/orders.read"},
            {"name":"contact","claims":{"mobile":"phone_number","level":"custom.level","email_verified":"email_verified"}}
        ]"#;
        assert_eq!(problems(sound, fields), [""; 0]);
        for name in [
            "",
            "a b",
            "a\"b",
            "a\\b",
            "a\n",
            "a\u{7f}",
            "\u{0}",
            "忠诚",
            "openid",
            "offline_access",
            &"x".repeat(65),
        ] {
            let scope = serde_json::json!([{ "name": name }]).to_string();
            assert_eq!(problems(&scope, fields), ["0.name"], "{name:?}");
        }
        for (claim, source) in [
            ("sub", "external_id"),
            ("iss", "name"),
            ("sid", "custom.level"),
            ("cnf", "custom.level"),
            ("email_verified", "custom.level"),
            ("email", "custom.level"),
            ("phone_number", "email"),
            ("extended_fields", "custom.level"),
            ("a b", "name"),
            ("a\n", "name"),
            ("", "name"),
            ("x", ""),
            ("x", "custom."),
            ("x", "custom.other"),
            ("x", "custom.risk"),
            ("x", "password"),
            ("x", "photo"),
            ("x", "extended_fields"),
            ("x", "sub"),
            ("x", "identity_number"),
        ] {
            let scope = serde_json::json!([{ "name": "a", "claims": { claim: source } }]).to_string();
            assert_eq!(problems(&scope, fields), [format!("0.claims.{claim}")], "{claim} {source}");
        }
        let twice = r#"[
            {"name":"a","claims":{"x":"name"}}, {"name":"a"}, {"name":"b","title":{"fr":"x"},"claims":{"x":"nickname"}}
        ]"#;
        assert_eq!(problems(twice, fields), ["1.name", "2.title.fr", "2.claims.x"]);
        let many: Vec<_> = (0..65).map(|n| serde_json::json!({ "name": format!("s{n}") })).collect();
        assert_eq!(problems(&serde_json::json!(many).to_string(), fields), [""]);
    }

    #[test]
    fn a_title_is_read_in_the_language_of_the_reader() {
        let mut scope = PoolScope { name: "loyalty".to_owned(), ..PoolScope::default() };
        assert_eq!(scope.shown_in(Language::English), "loyalty");
        scope.title =
            [("zh-CN", "会员等级"), ("en", "Your level")].map(|(tag, text)| (tag.into(), text.into())).into();
        assert_eq!(scope.shown_in(Language::SimplifiedChinese), "会员等级");
        assert_eq!(scope.shown_in(Language::Japanese), "Your level");
    }
}
