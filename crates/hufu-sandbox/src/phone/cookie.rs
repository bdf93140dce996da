//! Who holds the phone, and in which language it is: two cookies. Cookies of a host are shared between its ports,
//! so their names say whose they are.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::page::text::Language;
use crate::state::State;
use crate::state::people::Person;

const PERSON: &str = "hufu-sandbox-person";
const LANGUAGE: &str = "hufu-sandbox-lang";

fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The person that was chosen on the phone in this browser, or whose phone it is from the start.
pub(crate) fn chosen(state: &State, headers: &HeaderMap) -> Option<Arc<Person>> {
    let name = value(headers, PERSON).and_then(|name| percent_decode_str(name).decode_utf8().ok());
    let named = |name: &str| state.people.named(name).ok();
    name.and_then(|name| named(&name)).or_else(|| named(state.options.phone_owner.as_deref()?))
}

/// The cookie that says for ten minutes that this browser shows pages as WeChat's.
pub(super) fn in_wechat() -> HeaderValue {
    HeaderValue::from_static("hufu-sandbox-wechat=1; Path=/open/; Max-Age=600; HttpOnly; SameSite=Lax")
}

/// Whether this browser shows pages as WeChat's.
pub(crate) fn is_in_wechat(headers: &HeaderMap) -> bool {
    value(headers, "hufu-sandbox-wechat").is_some()
}

/// The cookie that chooses a person.
pub(super) fn choose(person: &Person) -> HeaderValue {
    set(PERSON, &utf8_percent_encode(&person.name, NON_ALPHANUMERIC).to_string())
}

/// The language of the query, else the chosen one, else the browser's.
pub(crate) fn language(query: Option<&str>, headers: &HeaderMap) -> Language {
    let asked = query.unwrap_or_default().split('&').any(|pair| pair.starts_with("lang="));
    match value(headers, LANGUAGE) {
        Some("zh") if !asked => Language::Chinese,
        Some("en") if !asked => Language::English,
        _ => Language::choose(query, headers),
    }
}

/// The cookie that chooses a language.
pub(super) fn speak(language: Language) -> HeaderValue {
    set(LANGUAGE, language.of("zh", "en"))
}

fn set(name: &str, value: &str) -> HeaderValue {
    let text = format!("{name}={value}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}
