//! docs/clients.md has every management call.

use std::collections::BTreeSet;

use hufu_testkit::on_both_engines;
use serde_json::json;

use super::BackEnd;
use crate::world::{SHOP, World};

const DOCS: &str = include_str!("../../../../../docs/clients.md");
const LATER: &str = include_str!("../../../src/management/later.txt");

#[test]
fn the_table_has_every_call_that_is_served() {
    let (_, section) = DOCS.split_once("| v3 call | |\n|---|---|\n").expect("the table");
    let (table, _) = section.split_once("\n\n").unwrap();
    let name = |row: &'static str| row.split('`').nth(1).unwrap();
    let in_docs: BTreeSet<_> = table.lines().map(name).collect();
    assert_eq!(in_docs.len(), table.lines().count(), "a call is there twice");
    let served = super::pools::served().into_iter().map(|(name, _)| name);
    let in_code: BTreeSet<_> = served.chain(["get-user"]).collect();
    assert_eq!(in_docs, in_code);
}

#[test]
fn the_table_has_every_call_that_is_not() {
    let mut wanted = String::new();
    let served: BTreeSet<_> = super::pools::served().into_iter().map(|(name, _)| name).collect();
    for line in LATER.lines() {
        let (subject, names) = line.split_once(": ").expect("a subject and its calls");
        let (english, chinese) = subject.split_once('|').expect("the subject in two languages");
        assert!(!english.is_empty() && !chinese.is_ascii(), "{line}");
        let names: Vec<_> =
            names.split(' ').inspect(|name| assert!(!served.contains(name), "{name}")).collect();
        wanted.push_str(&["| ", english, " | `", &names.join("`, `"), "` |\n"].concat());
    }
    assert!(DOCS.contains(&wanted), "docs/clients.md should have:\n{wanted}");
}

/// What a sentence in Chinese has in Latin letters, beside Hufu's name, the name of the document, and names that are not translated.
fn latin(message: &str) -> Vec<String> {
    let mut rest = message.to_owned();
    for name in ["Hufu", "docs/clients.md", "ASA", "LDAP", "access_token"] {
        rest = rest.replace(name, " ");
    }
    rest.split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

on_both_engines! {
    /// What there is not has a Chinese name in a Chinese sentence, and an English one in an English sentence.
    async fn what_there_is_not_is_said_in_the_language_of_the_reader(database) {
        let world = World::new(database).await;
        let back_end = BackEnd::of(&world, SHOP).await;
        let token = back_end.token().await;
        let (mut wrong, mut count) = (Vec::new(), 0);
        let mut look = |what: &str, chinese: String, english: String| {
            count += 1;
            if !chinese.starts_with("Hufu 暂不支持 ") || chinese.is_ascii() || !latin(&chinese).is_empty() {
                wrong.push(format!("{what}: {chinese}"));
            }
            if !english.starts_with("Hufu has no ") || !english.is_ascii() {
                wrong.push(format!("{what}: {english}"));
            }
        };
        let in_two = |token: Option<&str>| {
            let client = token.map_or_else(|| world.nobody(), |token| world.nobody().bearer(token));
            [client.clone().header("x-authing-lang", "zh-CN"), client.header("x-authing-lang", "en-US")]
        };
        let message = |answer: crate::client::Answer| {
            answer.code_is(2723);
            let told = answer.json();
            let message = told.pointer("/errors/0/message/message").unwrap_or(&told["message"]);
            message.as_str().unwrap().to_owned()
        };
        let names = LATER.lines().flat_map(|line| line.split_once(": ").unwrap().1.split(' '));
        for name in names {
            let [chinese, english] = in_two(None);
            let path = format!("/api/v3/{name}");
            look(name, message(chinese.post(&path, json!({})).await), message(english.post(&path, json!({})).await));
        }
        for field in ["roles", "groups", "departments", "authorizedResources"] {
            let [chinese, english] = in_two(Some(&token));
            let query = format!("{{ user(id: \"x\") {{ {field} {{ totalCount }} }} }}");
            let chinese = message(chinese.graphql(&query, json!({})).await);
            look(field, chinese, message(english.graphql(&query, json!({})).await));
        }
        let [chinese, english] = in_two(Some(&token));
        let path = "/api/v2/extIdp?tenantId=x";
        look("tenantId", message(chinese.get(path).await), message(english.get(path).await));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(count > 400, "{count}");
    }
}
