//! What a source says about a person.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a source says about a person, in the source's own names: `nickname`, `headimgurl`. The published clients call it
/// `userInfoInIdp`. It proves nothing, and holds no tokens and no keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdpUserInfo(Map<String, Value>);

impl IdpUserInfo {
    /// Keeps what was said, without what is empty and what is a secret by its name. None if it is longer than `longest`
    /// bytes of JSON.
    pub fn of(said: Map<String, Value>, longest: usize) -> Option<Self> {
        let kept = Self(plain(said));
        let length = serde_json::to_string(&kept).ok()?.len();
        (length <= longest).then_some(kept)
    }

    /// Whether the source said nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A member that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The members.
    pub const fn members(&self) -> &Map<String, Value> {
        &self.0
    }
}

fn plain(said: Map<String, Value>) -> Map<String, Value> {
    let kept = said.into_iter().filter(|(name, _)| !is_secret(name));
    kept.filter_map(|(name, value)| Some((name, worth(value)?))).collect()
}

fn worth(value: Value) -> Option<Value> {
    let value = match value {
        Value::Object(members) => Value::Object(plain(members)),
        Value::Array(all) => Value::Array(all.into_iter().filter_map(worth).collect()),
        other => other,
    };
    let is_empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    (!is_empty).then_some(value)
}

/// Whether a member of this name opens something: imports bring what other systems kept.
fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    ["token", "sessionkey", "secret", "password", "ticket"].iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn secrets_and_empty_members_are_not_kept() {
        let kept = IdpUserInfo::of(
            said(json!({
                "nickname": "小明", "sex": 0, "city": "", "privilege": [], "unionid": null,
                "access_token": "A", "refreshToken": "R", "session_key": "S", "Session-Key": "S", "idToken": "I",
                "more": { "clientSecret": "S", "deep": [{ "access_token": "A" }, ""] },
            })),
            4096,
        );
        assert_eq!(kept.unwrap().0, said(json!({ "nickname": "小明", "sex": 0 })));
    }

    #[test]
    fn it_is_kept_whole_or_not_at_all() {
        let name = "n".repeat(20);
        let bytes = json!({ "nickname": name }).to_string().len();
        for (longest, is_kept) in [(bytes, true), (bytes - 1, false)] {
            assert_eq!(IdpUserInfo::of(said(json!({ "nickname": name })), longest).is_some(), is_kept);
        }
    }
}
