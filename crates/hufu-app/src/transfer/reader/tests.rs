use std::io::BufReader;

use super::*;

fn rows(text: &str, format: Format, buffer: usize) -> Vec<Result<Fields, String>> {
    let mut rows = Rows::open(BufReader::with_capacity(buffer, text.as_bytes()), format).ok().unwrap();
    let mut all = Vec::new();
    while rows.advance().unwrap() {
        all.push(rows.fields());
    }
    all
}

/// The names in the valid rows, and `-` for the others.
fn names(text: &str, format: Format) -> String {
    let one = |row: &Result<Fields, String>| match row {
        Ok(row) => row["n"].as_str().unwrap().to_owned(),
        Err(_) => "-".to_owned(),
    };
    let mut shown = Vec::new();
    for buffer in [4, 5, 64, 8192] {
        shown.push(rows(text, format, buffer).iter().map(one).collect::<Vec<_>>().join(" "));
    }
    shown.dedup();
    assert_eq!(shown.len(), 1, "the size of the buffer changes nothing: {shown:?}");
    shown.remove(0)
}

#[test]
fn lists_are_read_element_by_element() {
    for (text, expected) in [
        ("[]", ""),
        (r#" [ {"n":"a"} , {"n":"b"} ] "#, "a b"),
        ("[{\"n\":\"a\",\"x\":{\"y\":[1,2,{}]}},\n{\"n\":\"],}\\\"\\\\\"}]", "a ],}\"\\"),
        // Elements that are not objects or not valid JSON are refused, and the next row is read.
        (r#"[1, "x", null, [{"n":"z"}], {"n":"a"}]"#, "- - - - a"),
        (r#"[{"n":}, {"n":"a"}, {n:1}, {"n":"b"}}, {"n":"c"}]"#, "- a - - c"),
        // The list is not closed, or something follows it.
        (r#"[{"n":"a"}"#, "a -"),
        (r#"[{"n":"a"},"#, "a -"),
        (r#"[{"n":"a"},{"n":"b"#, "a -"),
        (r#"[{"n":"a"}] [{"n":"b"}]"#, "a -"),
    ] {
        assert_eq!(names(text, Format::Json), expected, "{text}");
    }
    let marked = format!("\u{feff}{}", r#"[{"n":"a"}]"#);
    assert_eq!(rows(&marked, Format::Json, 64).len(), 1);
}

#[test]
fn lines_are_rows() {
    for (text, expected) in [
        ("", ""),
        ("\n \r\n", ""),
        ("{\"n\":\"a\"}\n\n{\"n\":\"b\"}", "a b"),
        ("{\"n\":\"a\"}\r\nnonsense\n[1]\n{\"n\":\"b\"}\r\n", "a - - b"),
        ("\u{feff}{\"n\":\"a\"}\n{\"n\":\n\"b\"}\n", "a - -"),
    ] {
        assert_eq!(names(text, Format::JsonLines), expected, "{text:?}");
    }
}

#[test]
fn what_is_too_long_is_a_refused_row() {
    let long = format!(r#"{{"n":"{}"}}"#, "x".repeat(LONGEST_ROW));
    assert_eq!(names(&format!("{{\"n\":\"a\"}}\n{long}\n{{\"n\":\"b\"}}"), Format::JsonLines), "a - b");
    assert_eq!(names(&format!("[{{\"n\":\"a\"}},{long},{{\"n\":\"b\"}}]"), Format::Json), "a - b");
    // The maximum length.
    let fits = format!(r#"{{"n":"{}"}}"#, "x".repeat(LONGEST_ROW - r#"{"n":""}"#.len()));
    assert_eq!(rows(&format!("[{fits}]"), Format::Json, 8192)[0].as_ref().map(Fields::len), Ok(1));
}

#[test]
fn what_is_no_list_is_refused_as_a_whole() {
    for text in ["", "  ", r#"{"list":[]}"#, "a,b"] {
        assert!(Rows::open(text.as_bytes(), Format::Json).is_err(), "{text:?}");
    }
}

#[test]
fn reasons_hold_no_values() {
    let rows = rows("{\"n\":\"secret\", secret}\n", Format::JsonLines, 64);
    assert!(!rows[0].as_ref().unwrap_err().contains("secret"));
}
