//! Every page with every sample in every language is complete and well-formed, and no text is missing.

use axum::routing::get;
use hufu_testkit::TestDatabase;
use hufu_types::refusal::Code;
use hufu_types::{Language, Refusal};
use hufu_web::server::Routes;
use hufu_web::surface::Refused;

use crate::server::{Plan, with_messages};

/// The refusals of the kernel, and one with a value that must be escaped.
fn samples() -> Vec<Refusal> {
    let of_kernel = [
        Code::PathUnknown,
        Code::WrongMethod,
        Code::Internal,
        Code::ForeignHost,
        Code::FormExpired,
        Code::FormTooLarge,
        Code::FormIncomplete,
    ];
    let with_value = Code::LoginTooOld.with("minutes", "<b>1");
    of_kernel.into_iter().map(Refusal::from).chain([with_value]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_with_every_sample_in_every_language() {
    let mut more = Routes::new();
    for (number, refusal) in samples().into_iter().enumerate() {
        let refused = Refused::from(refusal);
        more = more.route(&format!("/refused/{number}"), get(move || std::future::ready(refused)));
    }
    let empty = Plan { more, ..Plan::default() }.start(TestDatabase::sqlite()).await;
    let filled = with_messages(TestDatabase::sqlite()).await;
    let refused = (0..samples().len()).map(|number| (&empty, format!("/refused/{number}")));
    let outboxes = [(&empty, "/dev/outbox".to_owned()), (&filled, "/dev/outbox".to_owned())];
    for (server, path) in refused.chain(outboxes) {
        for language in Language::ALL {
            let text = server.open(&path, language.tag()).await.text();
            let place = format!("{path} in {}", language.tag());
            assert!(
                text.starts_with(&format!("<!DOCTYPE html>\n<html lang=\"{}\">", language.tag())),
                "{place}: {text}"
            );
            assert!(text.trim_end().ends_with("</html>"), "{place}");
            assert!(!text.contains('⟦') && !text.contains("{$") && !text.contains("{{"), "{place}: {text}");
            assert!(!text.contains("<b>1"), "{place} does not escape");
            assert_eq!(text.matches("<h1").count(), 1, "{place}");
            well_formed(&text, &place);
        }
    }
}

/// Asserts that every element is closed, in the right order.
pub(crate) fn well_formed(html: &str, place: &str) {
    const ALONE: [&str; 5] = ["meta", "link", "input", "br", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{place}: </{name}> closes something else");
        } else if !tag.ends_with('/') && !ALONE.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{place}: {open:?} stay open");
}
