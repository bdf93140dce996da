//! What a management client sends: the members of a JSON body, or the parameters of a query. Numbers and booleans may be
//! text, as they are in a query, and what is not known is ignored, as the clients' own server does.

use hufu_app::{Refusal, named};
use hufu_types::Timestamp;
use hufu_types::refusal::{Code, Reason};
use serde_json::{Map, Value};

use crate::request;

/// The most rows that a page of the published clients may have.
const MOST_ROWS: u32 = 50;
/// How many it has if they ask for no number.
const ROWS: u32 = 10;

/// The parameters of a query: those whose name ends in `[]`, or that are there more than once, are lists.
pub(super) fn parameters(query: &str) -> Result<Map<String, Value>, Refusal> {
    let mut sent = Map::new();
    for (name, value) in request::pairs(query)? {
        let list = name.strip_suffix("[]").map(str::to_owned);
        let is_list = list.is_some();
        let name = list.unwrap_or(name);
        match sent.get_mut(&name) {
            Some(Value::Array(list)) => list.push(value.into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
            None => {
                let value = Value::from(value);
                sent.insert(name, if is_list { Value::Array(vec![value]) } else { value });
            }
        }
    }
    Ok(sent)
}

/// What was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(pub(super) Map<String, Value>);

/// The requested page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// From 1.
    pub(super) number: u32,
    /// The rows of a page.
    pub(super) rows: u32,
}

impl Sent {
    fn present(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text. Empty ones, and the placeholders of JavaScript, count as missing. A number is taken as its text.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(named(text)),
            Some(_) => Err(Refusal::invalid(name, Reason::NotText)),
        }
    }

    /// A text that has to be there.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::invalid(name, Reason::Missing))
    }

    /// A boolean.
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Refusal> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(Refusal::invalid(name, Reason::NotABoolean)),
        }
    }

    /// Whether this is there and true.
    pub(super) fn is(&self, name: &'static str) -> Result<bool, Refusal> {
        Ok(self.flag(name)?.unwrap_or_default())
    }

    /// A whole number.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        let found = match self.present(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        found.map(Some).ok_or_else(|| Refusal::invalid(name, Reason::NotANumber))
    }

    /// A time in milliseconds.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        Ok(self.number(name)?.map(Timestamp))
    }

    /// An object. What is missing is an empty one.
    pub(super) fn object(&self, name: &'static str) -> Result<Sent, Refusal> {
        match self.present(name) {
            None => Ok(Sent::default()),
            Some(Value::Object(object)) => Ok(Sent(object.clone())),
            Some(_) => Err(Refusal::invalid(name, Reason::NotAnObject)),
        }
    }

    /// A list of texts, at most `most`. In a query, one may stand alone.
    pub(super) fn texts(&self, name: &'static str, most: usize) -> Result<Vec<String>, Refusal> {
        let list = match self.present(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
        };
        if list.len() > most {
            return Err(Refusal::invalid(name, Reason::TooManyItems { max: most }));
        }
        let text = |item: Value| match item {
            Value::String(text) => Ok(text),
            _ => Err(Refusal::invalid(name, Reason::NotText)),
        };
        list.into_iter().map(text).collect()
    }

    /// A list of objects, at most `most`.
    pub(super) fn objects(&self, name: &'static str, most: usize) -> Result<Vec<Sent>, Refusal> {
        let list = match self.present(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(Refusal::invalid(name, Reason::NotAList)),
        };
        if list.len() > most {
            return Err(Refusal::invalid(name, Reason::TooManyItems { max: most }));
        }
        let object = |item: &Value| match item {
            Value::Object(object) => Ok(Sent(object.clone())),
            _ => Err(Refusal::invalid(name, Reason::NotAnObject)),
        };
        list.iter().map(object).collect()
    }

    /// `page` and `limit`.
    pub(super) fn page(&self) -> Result<Page, Refusal> {
        let read = |name, usual: u32, most: u32| match self.number(name)? {
            None => Ok(usual),
            Some(number) => u32::try_from(number)
                .ok()
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| Refusal::invalid(name, Reason::OutOfRange { min: 1, max: most })),
        };
        Ok(Page { number: read("page", 1, u32::MAX)?, rows: read("limit", ROWS, MOST_ROWS)? })
    }

    /// Refuses fields about what Hufu does not have, unless they say nothing: null, false, an empty text, list or object.
    pub(super) fn without(&self, names: &[&'static str]) -> Result<(), Refusal> {
        let says_nothing = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(object) => object.is_empty(),
            _ => false,
        };
        let found = names.iter().find(|name| self.0.get(**name).is_some_and(|value| !says_nothing(value)));
        found.map_or(Ok(()), |name| Err(Code::FieldNotServed.with("field", *name)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(value: Value) -> Sent {
        match value {
            Value::Object(sent) => Sent(sent),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_query_is_read_like_a_body() {
        let query = Sent(parameters("a=1&b=true&c[]=x&d=y&d=z&e=&f=undefined").unwrap());
        assert_eq!((query.number("a").unwrap(), query.flag("b").unwrap()), (Some(1), Some(true)));
        assert_eq!(query.texts("c", 9).unwrap(), ["x"]);
        assert_eq!(query.texts("d", 9).unwrap(), ["y", "z"]);
        assert!(query.text("e").unwrap().is_none() && query.text("f").unwrap().is_none());
        let body = sent(json!({ "a": 1, "b": true, "c": ["x"] }));
        assert_eq!((body.number("a").unwrap(), body.flag("b").unwrap()), (Some(1), Some(true)));
        assert_eq!(body.texts("c", 9).unwrap(), ["x"]);
    }

    #[test]
    fn pages_are_bounded() {
        let page = sent(json!({})).page().unwrap();
        assert_eq!((page.number, page.rows), (1, 10));
        for wrong in
            [json!({ "page": 0 }), json!({ "limit": 51 }), json!({ "page": -1 }), json!({ "limit": "x" })]
        {
            assert!(sent(wrong).page().is_err());
        }
    }

    #[test]
    fn what_there_is_not_may_be_empty() {
        let names = ["otp", "tenantIds"];
        assert!(sent(json!({ "otp": null, "tenantIds": [] })).without(&names).is_ok());
        let refusal = sent(json!({ "tenantIds": ["1"] })).without(&names).unwrap_err();
        assert!(refusal.is(Code::FieldNotServed));
    }
}
