//! The fields of each kind of connection, as data. `hufu apply`, its messages, its documentation and the JSON
//! Schema all come from these tables. So will the administration API and its forms.

use serde_json::{Value, json};

/// A field of a kind of connection.
#[derive(Debug)]
pub struct Field {
    /// The key in files and forms.
    pub name: &'static str,
    /// The format of its values.
    pub form: Form,
    /// Whether the value is never shown again once it is set.
    pub secret: bool,
    /// Whether a connection must have it.
    pub required: bool,
    /// The label in forms.
    pub label: Text,
    /// Where to find the value.
    pub hint: Text,
}

/// A text in the languages of administrators.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// In Simplified Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
}

/// The format of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A WeChat AppID: `wx` and 16 hexadecimal digits.
    WechatAppId,
    /// A WeChat AppSecret. WeChat's are 32 hexadecimal digits; those of a WeChat stand-in may look different.
    WechatAppSecret,
}

impl Form {
    /// Checks a value.
    ///
    /// # Errors
    /// The rule that the value breaks. It does not quote the value, which may be a secret.
    pub fn check(self, text: &str) -> Result<(), &'static str> {
        let holds = match self {
            Self::WechatAppId => is_wechat_app_id(text),
            Self::WechatAppSecret => {
                (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
            }
        };
        if holds { Ok(()) } else { Err(self.rule()) }
    }

    /// The rule, as a sentence.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::WechatAppId => "a WeChat AppID is 'wx' and 16 characters of 0-9 and a-f",
            Self::WechatAppSecret => {
                "an AppSecret is 1 to 128 printable ASCII characters without spaces or line breaks"
            }
        }
    }

    /// The same rule as a regular expression (ECMA-262).
    const fn pattern(self) -> &'static str {
        match self {
            Self::WechatAppId => "^wx[0-9a-f]{16}$",
            Self::WechatAppSecret => "^[!-~]{1,128}$",
        }
    }
}

/// Whether a text has the form of a WeChat AppID.
pub(crate) fn is_wechat_app_id(text: &str) -> bool {
    text.strip_prefix("wx").is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// The JSON Schema (draft 2020-12) of a table of fields. A secret is a string, or `{ "env": "NAME" }` in a
/// file.
pub(super) fn json_schema(fields: &[Field]) -> Value {
    let of_field = |field: &Field| {
        let text = json!({ "type": "string", "pattern": field.form.pattern() });
        let mut schema = if field.secret {
            let variable = json!({
                "type": "object",
                "properties": { "env": { "type": "string" } },
                "required": ["env"],
                "additionalProperties": false,
            });
            json!({ "anyOf": [text, variable], "writeOnly": true })
        } else {
            text
        };
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("title".to_owned(), field.label.en.into());
            schema.insert("description".to_owned(), field.hint.en.into());
        }
        (field.name.to_owned(), schema)
    };
    let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({
        "type": "object",
        "properties": fields.iter().map(of_field).collect::<serde_json::Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_ids() {
        assert_eq!(Form::WechatAppId.check("wx0123456789abcdef"), Ok(()));
        for bad in
            ["", "wx", "wx0123456789ABCDEF", "wx0123456789abcde", "0123456789abcdef00", "wx0123456789abcdef0"]
        {
            assert_eq!(Form::WechatAppId.check(bad), Err(Form::WechatAppId.rule()), "{bad:?}");
        }
    }

    #[test]
    fn app_secrets() {
        for good in ["s", "5ec2e75ec2e75ec2e75ec2e75ec2e75e", &"x".repeat(128)] {
            assert_eq!(Form::WechatAppSecret.check(good), Ok(()));
        }
        for bad in ["", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert_eq!(Form::WechatAppSecret.check(bad), Err(Form::WechatAppSecret.rule()), "{bad:?}");
        }
    }
}
