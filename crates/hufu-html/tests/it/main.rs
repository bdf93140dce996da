//! The styles keep what the design promises of them.
#![cfg(test)]

use hufu_html::{Escaped, HALVES, ICONS, LOGO, SCRIPT, fingerprint, styles};

/// The declarations between the braces that follow `start`, one per line, without indentation.
fn block<'t>(css: &'t str, start: &str) -> Vec<&'t str> {
    let (_, rest) = css.split_once(start).unwrap();
    let (inside, _) = rest.split_once('}').unwrap();
    let lines = inside.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("/*"));
    lines.filter(|line| !line.starts_with("color-scheme")).collect()
}

#[test]
fn the_two_dark_blocks_are_equal() {
    let chosen = block(styles::TOKENS, "[data-theme=\"dark\"] {");
    let by_the_system = block(styles::TOKENS, ":root:not([data-theme=\"light\"]) {");
    assert!(chosen.len() > 30);
    assert_eq!(chosen, by_the_system);
}

#[test]
fn every_colour_of_the_light_theme_has_a_dark_twin() {
    let names = |lines: Vec<&'static str>| -> Vec<&'static str> {
        lines.into_iter().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect()
    };
    let light = names(block(styles::TOKENS, ":root,\n[data-theme=\"light\"] {"));
    let dark = names(block(styles::TOKENS, "[data-theme=\"dark\"] {"));
    assert_eq!(light, dark);
}

#[test]
fn every_variable_that_is_used_exists() {
    let sheets = [styles::TOKENS, styles::BASE, styles::HOSTED, styles::DEV];
    for sheet in sheets {
        for (at, mark) in sheet.match_indices("var(--") {
            let name = sheet[at + mark.len()..].split([')', ',', ' ']).next().unwrap();
            // Tenants may set these; they have fallbacks.
            let of_tenants = name.starts_with("hufu-");
            let defined = sheets.iter().any(|sheet| sheet.contains(&format!("--{name}:")));
            assert!(of_tenants || defined, "--{name} is used and defined nowhere");
        }
    }
}

#[test]
fn nothing_comes_from_elsewhere() {
    for text in [styles::TOKENS, styles::BASE, styles::HOSTED, styles::DEV, ICONS, LOGO, HALVES, SCRIPT] {
        let own = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains("://") && !own.contains("@import") && !own.contains("url("));
    }
}

#[test]
fn text_is_escaped_for_content_and_attributes() {
    assert_eq!(
        Escaped("<a href='x'>\"&\"</a>").to_string(),
        "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;"
    );
}

#[test]
fn a_fingerprint_follows_the_content() {
    assert_eq!(fingerprint(&[]).to_string(), "cbf29ce484222325");
    assert_eq!(fingerprint(&["a"]).to_string(), "af63dc4c8601ec8c");
    assert_eq!(fingerprint(&["a", "", "b"]), fingerprint(&["ab"]));
    assert_ne!(fingerprint(&["ab"]), fingerprint(&["ba"]));
}
