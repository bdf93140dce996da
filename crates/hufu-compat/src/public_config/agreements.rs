//! The agreements of the login and registration pages.

use hufu_types::{Agreement, Application, Language, PoolSettings};
use serde_json::{Value, json};

use super::client_tag;

/// The clients' number for both the login and the registration page.
const EVERYWHERE: u8 = 2;

/// The agreements that a login may ask for, and those that the application shows. The clients show those of their
/// language, so each of them is there once for each.
pub(super) fn of(application: &Application, settings: &PoolSettings) -> Vec<Value> {
    let is_shown =
        |agreement: &&Agreement| agreement.required || application.login.agreements.contains(&agreement.id);
    let shown = settings.agreements.iter().filter(is_shown);
    shown.flat_map(|agreement| Language::ALL.map(|language| describe(agreement, language))).collect()
}

fn describe(agreement: &Agreement, language: Language) -> Value {
    json!({
        "id": agreement.id,
        "title": title(agreement, language),
        "lang": client_tag(language),
        "required": agreement.required,
        "availableAt": EVERYWHERE,
    })
}

/// The title as the clients show it: HTML, with a link to the text.
fn title(agreement: &Agreement, language: Language) -> String {
    let (text, url) = (escaped(agreement.title.in_language(language)), agreement.url.in_language(language));
    if url.is_empty() {
        return text;
    }
    format!("<a href=\"{}\" target=\"_blank\" rel=\"noopener\">{text}</a>", escaped(url))
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_html_with_nothing_of_its_own() {
        let agreement = Agreement {
            id: "terms".to_owned(),
            version: 1,
            title: "<b>A & B</b>".into(),
            url: "https://shop.example.com/\"><script>".into(),
            required: true,
        };
        let expected = "<a href=\"https://shop.example.com/&quot;&gt;&lt;script&gt;\" target=\"_blank\" \
                        rel=\"noopener\">&lt;b&gt;A &amp; B&lt;/b&gt;</a>";
        assert_eq!(title(&agreement, Language::English), expected);
    }
}
