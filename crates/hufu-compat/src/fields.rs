//! Parsing of values that the clients send: phone numbers, e-mail addresses, passwords, custom data.

use hufu_app::Refusal;
use hufu_app::credentials::password::PasswordEncryption;
use hufu_types::refusal::Reason;
use hufu_types::{Email, Phone, Username};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::request::given;
use crate::server::Shared;

/// The country code of a number that is sent without one.
const COUNTRY: &str = "+86";

/// A required text field.
pub(crate) fn required<'a>(text: Option<&'a String>, name: &'static str) -> Result<&'a str, Refusal> {
    given(text).ok_or_else(|| Refusal::invalid(name, Reason::Missing))
}

/// A phone number in international form, or a national one with its country code. The default country code is
/// +86.
pub(crate) fn phone(number: &str, country_code: Option<&String>) -> Result<Phone, Refusal> {
    let number = number.trim();
    let read = if number.starts_with('+') {
        Phone::parse(number)
    } else {
        Phone::from_parts(given(country_code).unwrap_or(COUNTRY), number)
    };
    read.map_err(|error| Refusal::invalid("phone", error.into()))
}

/// An e-mail address.
pub(crate) fn email(text: &str) -> Result<Email, Refusal> {
    Email::parse(text).map_err(|error| Refusal::invalid("email", error.into()))
}

/// A username, if one is given.
pub(crate) fn username(text: Option<&String>) -> Result<Option<Username>, Refusal> {
    given(text).map(Username::parse).transpose().map_err(|error| Refusal::invalid("username", error.into()))
}

/// The password encryption that a client declares by name.
pub(crate) fn encryption(name: &str) -> Result<PasswordEncryption, Refusal> {
    let choices = "none, rsa, sm2".into();
    PasswordEncryption::parse(name)
        .ok_or_else(|| Refusal::invalid("passwordEncryptType", Reason::NotOneOf { choices }))
}

/// The password encryption that a v3 client declares. A missing value means none.
pub(crate) fn encryption_or_none(text: Option<&String>) -> Result<PasswordEncryption, Refusal> {
    given(text).map_or(Ok(PasswordEncryption::None), encryption)
}

/// A password as the v2 clients send it. An empty one counts as missing.
pub(crate) async fn password(shared: &Shared, text: &str) -> Result<SecretString, Refusal> {
    if text.is_empty() {
        return Err(Refusal::invalid("password", Reason::Missing));
    }
    shared.app.open_password(text, None).await
}

/// Custom data as the v2 clients send it with a login: a list of keys and values, as JSON text. Null values
/// are ignored.
pub(crate) fn params(text: Option<&String>) -> Result<Map<String, Value>, Refusal> {
    #[derive(serde::Deserialize)]
    struct Pair {
        key: String,
        #[serde(default)]
        value: Value,
    }
    let Some(text) = given(text) else { return Ok(Map::new()) };
    let pairs: Vec<Pair> =
        serde_json::from_str(text).map_err(|_| Refusal::invalid("params", Reason::NotPairs))?;
    Ok(without_nulls(pairs.into_iter().map(|Pair { key, value }| (key, value))))
}

/// Custom data as v3 clients send it. Null values are ignored.
pub(crate) fn custom_data(value: Option<Value>) -> Result<Map<String, Value>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(data)) => Ok(without_nulls(data)),
        Some(_) => Err(Refusal::invalid("customData", Reason::NotAnObject)),
    }
}

fn without_nulls(pairs: impl IntoIterator<Item = (String, Value)>) -> Map<String, Value> {
    pairs.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use hufu_types::refusal::Code;

    use super::*;

    #[test]
    fn numbers_have_a_country() {
        for (number, country, expected) in [
            ("13800000000", None, "+8613800000000"),
            ("13800000000", Some(""), "+8613800000000"),
            ("13800000000", Some("86"), "+8613800000000"),
            ("2025550123", Some("+1"), "+12025550123"),
            ("+12025550123", None, "+12025550123"),
            (" +1 202 555 0123", Some("+86"), "+12025550123"),
        ] {
            assert_eq!(
                phone(number, country.map(str::to_owned).as_ref()).unwrap().as_str(),
                expected,
                "{number} {country:?}"
            );
        }
        for number in ["", "abc", "12", "1380000000000000", "+"] {
            assert!(matches!(phone(number, None), Err(ref refusal) if refusal.is(Code::Invalid)), "{number}");
        }
    }

    #[test]
    fn custom_data_in_two_ways() {
        assert!(params(None).unwrap().is_empty());
        for nothing in ["", "null", "undefined", "[]"] {
            assert!(params(Some(&nothing.to_owned())).unwrap().is_empty(), "{nothing}");
        }
        let sent = r#"[{"key":"a","value":1},{"key":"b","value":"x"},{"key":"c","value":null},{"key":"d"}]"#
            .to_owned();
        assert_eq!(Value::from(params(Some(&sent)).unwrap()), json!({ "a": 1, "b": "x" }));
        for wrong in ["{}", "7", "[7]", "[{}]", "{\"a\":1}", "["] {
            assert!(
                matches!(params(Some(&wrong.to_owned())), Err(ref refusal) if refusal.is(Code::Invalid)),
                "{wrong}"
            );
        }
        assert_eq!(
            Value::from(custom_data(Some(json!({ "a": [1], "b": null }))).unwrap()),
            json!({ "a": [1] })
        );
        assert!(custom_data(Some(json!([]))).is_err() && custom_data(None).unwrap().is_empty());
    }

    #[test]
    fn an_encryption_is_named() {
        assert_eq!(encryption_or_none(None).unwrap(), PasswordEncryption::None);
        assert_eq!(encryption_or_none(Some(&"rsa".to_owned())).unwrap(), PasswordEncryption::Rsa);
        assert!(encryption_or_none(Some(&"rot13".to_owned())).is_err());
    }
}
