//! Limits on documents. The clients send small documents with one operation and one root field. Anything
//! larger is refused before it costs anything, and before it can get around a limit that is meant for one
//! request.

use hufu_types::refusal::Reason;
use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Pos, Positioned};
use hufu_app::Refusal;

/// The longest document in bytes. The clients' longest is about two thousand.
const LENGTH: usize = 16 * 1024;
/// Opening brackets in a document. The parser recurses once for each nested bracket and has no limit of its
/// own for values and types, so this limits its stack.
const BRACKETS: usize = 64;
/// Fields, fragments and their uses, each counted as often as it is used. The clients' largest document has
/// half of that.
const SELECTIONS: usize = 152;
/// The same for introspection queries, where these are enabled.
const INTROSPECTION_SELECTIONS: usize = 1024;
/// How often a field may be selected in one place, under any aliases. Otherwise a small document could turn
/// one long value into a large response. The clients use no aliases, but one of them repeats a field.
const REPEATS: usize = 2;
/// The depth of selections. The root field has depth 1.
const DEPTH: usize = 6;
/// The same for introspection queries, where these are enabled.
const INTROSPECTION_DEPTH: usize = 16;

/// Parses and checks a document.
pub(super) fn read(text: &str, introspection: bool) -> Result<ExecutableDocument, Refusal> {
    if text.len() > LENGTH {
        return Err(invalid(Reason::TooManyBytes { max: LENGTH }));
    }
    // Brackets in strings and comments count too, so there is no need to tokenize the document.
    if text.bytes().filter(|byte| matches!(byte, b'{' | b'[' | b'(')).count() > BRACKETS {
        return Err(invalid(Reason::TooManyBrackets { max: BRACKETS }));
    }
    let document = parse_query(text).map_err(|error| {
        let Pos { line, column } = error.positions().next().unwrap_or_default();
        invalid(Reason::NotGraphql { line, column })
    })?;
    check(&document, introspection)?;
    Ok(document)
}

fn invalid(reason: Reason) -> Refusal {
    Refusal::invalid("query", reason)
}

fn check(document: &ExecutableDocument, introspection: bool) -> Result<(), Refusal> {
    let mut operations = document.operations.iter();
    let (Some((_, operation)), None) = (operations.next(), operations.next()) else {
        return Err(invalid(Reason::SeveralOperations));
    };
    let (deepest, selections) =
        if introspection { (INTROSPECTION_DEPTH, INTROSPECTION_SELECTIONS) } else { (DEPTH, SELECTIONS) };
    let mut walk = Walk { fragments: &document.fragments, selections, left: selections, introspection };
    if walk.fields(&operation.node.selection_set.node, deepest)? > 1 {
        return Err(invalid(Reason::SeveralRootFields));
    }
    // Unused fragments are validated as well, so they must not cost more than used ones.
    for fragment in document.fragments.values() {
        walk.fields(&fragment.node.selection_set.node, deepest)?;
    }
    Ok(())
}

struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    selections: usize,
    /// How many more selections are allowed. This also stops fragments that use themselves.
    left: usize,
    introspection: bool,
}

impl<'a> Walk<'a> {
    /// Checks a selection set that may have this many more levels. Returns the number of its own fields,
    /// including those of fragments.
    fn fields(&mut self, set: &'a SelectionSet, depth: usize) -> Result<usize, Refusal> {
        let mut selected = HashMap::new();
        self.collect(set, depth, &mut selected)?;
        Ok(selected.values().sum())
    }

    /// The same for a part of a selection set. Counts its fields by name, except `__typename`.
    fn collect(
        &mut self,
        set: &'a SelectionSet,
        depth: usize,
        selected: &mut HashMap<&'a str, usize>,
    ) -> Result<(), Refusal> {
        for selection in &set.items {
            self.left = self
                .left
                .checked_sub(1)
                .ok_or_else(|| invalid(Reason::TooManyFields { max: self.selections }))?;
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    if !self.introspection && matches!(name, "__schema" | "__type") {
                        return Err(invalid(Reason::Introspection));
                    }
                    let Some(below) = depth.checked_sub(1) else {
                        return Err(invalid(Reason::TooManyLevels { max: DEPTH }));
                    };
                    if name != "__typename" {
                        let times = selected.entry(name).or_default();
                        *times += 1;
                        if *times > REPEATS {
                            return Err(invalid(Reason::TooManyRepeats { max: REPEATS }));
                        }
                    }
                    self.fields(&field.node.selection_set.node, below)?;
                }
                Selection::InlineFragment(fragment) => {
                    self.collect(&fragment.node.selection_set.node, depth, selected)?;
                }
                Selection::FragmentSpread(spread) => {
                    // Validation reports a fragment that does not exist.
                    if let Some(fragment) = self.fragments.get(&spread.node.fragment_name.node) {
                        self.collect(&fragment.node.selection_set.node, depth, selected)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hufu_types::refusal::Code;

    fn refused(text: &str) -> String {
        match read(text, false) {
            Err(refusal) if refusal.is(Code::Invalid) => refusal.to_string(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn one_root_field_however_it_is_written() {
        for one in [
            "{ user { id } }",
            "query { me: user { id email: id } __typename }",
            "{ ... on Query { user { id } } }",
            "{ ...A } fragment A on Query { user { ...B } } fragment B on User { id nickname }",
            "{ __typename }",
        ] {
            assert!(read(one, false).is_ok(), "{one}");
        }
        for several in [
            "{ user { id } user { id } }",
            "{ a: user { id } b: user { id } }",
            "{ user { id } ... { b: user { id } } }",
            "{ ...A ...A } fragment A on Query { user { id } }",
            "{ ...A b: user { id } } fragment A on Query { user { id } }",
            "mutation { a: refreshToken { token } b: refreshToken { token } }",
            "{ user @skip(if: true) { id } b: user { id } }",
        ] {
            assert!(refused(several).contains("several root fields"), "{several}");
        }
    }

    #[test]
    fn one_operation() {
        assert!(refused("query a { user { id } } query b { user { id } }").contains("several operations"));
        assert!(refused("{ user { id } } { user { id } }").contains("not valid GraphQL"));
    }

    #[test]
    fn six_fields_deep() {
        let nested = |depth| format!("{}{}", "{ a ".repeat(depth), "}".repeat(depth));
        assert!(read(&nested(6), false).is_ok());
        assert!(refused(&nested(7)).contains("more than 6 levels"));
        let through_fragments =
            "{ a { ...F } } fragment F on A { b { ...G } } fragment G on B { c { d { e { f { g } } } } }";
        assert!(refused(through_fragments).contains("more than 6 levels"));
        assert!(read(&nested(7), true).is_ok(), "introspection of the usual tools is deeper");
    }

    #[test]
    fn nothing_is_expensive() {
        let long = format!("{{ user {{ id }} }} #{}", "x".repeat(LENGTH));
        assert!(refused(&long).contains("longer than"));
        let names = |n: u32| (1..n).map(|i| format!("f{i}")).collect::<Vec<_>>().join(" ");
        assert!(read(&format!("{{ user {{ {} }} }}", names(152)), false).is_ok());
        assert!(refused(&format!("{{ user {{ {} }} }}", names(153))).contains("selects more than 152"));
        assert!(read(&format!("{{ user {{ {} }} }}", names(153)), true).is_ok());
        // Each fragment uses the next one ten times, which makes a billion fields.
        let fragment =
            |i: u32| format!("fragment F{i} on User {{ {} }}", format!("...F{} ", i + 1).repeat(10));
        let fragments: Vec<String> = (0..9).map(fragment).collect();
        let bomb =
            format!("{{ user {{ ...F0 }} }} fragment F9 on User {{ __typename }} {}", fragments.join(" "));
        assert!(refused(&bomb).contains("selects more than"));
        let unused = bomb.replace("{ user { ...F0 } }", "{ user { id } }");
        assert!(refused(&unused).contains("selects more than"));
        assert!(refused("{ ...A } fragment A on Query { ...A }").contains("selects more than"));
    }

    #[test]
    fn one_value_is_not_told_many_times() {
        for few in [
            "{ user { phoneCountryCode phoneCountryCode } }",
            "{ user { id name: nickname nickname } }",
            "{ user { customData { value } identities { value } } }",
            "{ user { a: __typename b: __typename c: __typename } }",
        ] {
            assert!(read(few, false).is_ok(), "{few}");
        }
        for many in [
            "{ user { a: token b: token c: token } }",
            "{ user { token token token } }",
            "{ user { customData { a: value b: value c: value } } }",
            "{ user { a: customData { value } b: customData { value } c: customData { value } } }",
            "{ user { a: token ... on User { b: token ... { c: token } } } }",
            "{ user { a: token ...A ...B } } fragment A on User { b: token } fragment B on User { c: token }",
            "{ user { ...A ...A ...A } } fragment A on User { token }",
            "{ user { id } } fragment A on User { a: token b: token c: token }",
        ] {
            assert!(refused(many).contains("repeats a field more than 2 times"), "{many}");
        }
    }

    #[test]
    fn brackets_never_reach_the_parser_s_stack() {
        for deep in [
            format!("{{ user(id: {} ) {{ id }} }}", "[".repeat(8000)),
            format!("{{ user(id: {} ) {{ id }} }}", "{a:".repeat(4000)),
            format!("query($a: {}) {{ user {{ id }} }}", "[".repeat(8000)),
            "{a".repeat(8000),
        ] {
            assert!(refused(&deep).contains("opening brackets"), "{}", &deep[..20]);
        }
        // The deepest nesting that the limit permits must fit on the stack of a server thread.
        for (open, close) in [("[", "]"), ("{a:", "}")] {
            let value = format!("{}1{}", open.repeat(60), close.repeat(60));
            assert!(read(&format!("{{ user(id: {value}) {{ id }} }}"), false).is_ok());
        }
    }

    #[test]
    fn the_schema_is_told_only_where_it_was_switched_on() {
        for question in ["{ __schema { types { name } } }", "{ __type(name: \"User\") { name } }"] {
            assert!(refused(question).contains("does not show its schema"), "{question}");
            assert!(read(question, true).is_ok(), "{question}");
        }
    }

    #[test]
    fn syntax_errors_say_where() {
        assert_eq!(
            refused("{"),
            "The request is not valid: the document is not valid GraphQL (line 1, column 2); check it"
        );
        assert!(refused("").contains("not valid GraphQL"));
        assert!(
            refused("{ user(id: \"\\ud83d\") { id } }").contains("not valid GraphQL"),
            "half a surrogate pair"
        );
    }
}
