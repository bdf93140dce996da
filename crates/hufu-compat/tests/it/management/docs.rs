//! docs/clients.md has every management call.

use std::collections::BTreeSet;

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
