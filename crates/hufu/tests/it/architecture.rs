//! The crates depend on each other in one direction only, and each kind of library is used in one place.
//! ARCHITECTURE.md documents both. Development dependencies are unrestricted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each crate, and the crates of this workspace that it may depend on. A new crate must be added here and in
/// ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("hufu-types", &[]),
    // The design language: styles, icons and text escaping. It has no product code, so the sandbox may depend
    // on it.
    ("hufu-html", &[]),
    ("hufu-protocol", &["hufu-types"]),
    ("hufu-store", &["hufu-types", "hufu-protocol"]),
    ("hufu-wechat", &["hufu-types", "hufu-protocol"]),
    ("hufu-connect", &["hufu-types", "hufu-protocol"]),
    ("hufu-app", &["hufu-types", "hufu-protocol", "hufu-store", "hufu-wechat", "hufu-connect"]),
    ("hufu-web", &["hufu-types", "hufu-html", "hufu-protocol", "hufu-app"]),
    ("hufu-compat", &["hufu-types", "hufu-protocol", "hufu-app", "hufu-web"]),
    ("hufu-admin", &["hufu-html", "hufu-types", "hufu-protocol", "hufu-app", "hufu-web"]),
    ("hufu-pages", &["hufu-types", "hufu-html", "hufu-protocol", "hufu-app", "hufu-web"]),
    ("hufu-sandbox", &["hufu-html", "hufu-wechat"]),
    (
        "hufu",
        &[
            "hufu-types",
            "hufu-protocol",
            "hufu-store",
            "hufu-wechat",
            "hufu-connect",
            "hufu-app",
            "hufu-web",
            "hufu-compat",
            "hufu-admin",
            "hufu-pages",
            "hufu-sandbox",
        ],
    ),
];

/// Crates that never reach a user: they may depend on anything, and no other crate may depend on them.
const DEVELOPMENT_ONLY: &[&str] = &["hufu-testkit", "hufu-bench"];

/// Libraries that only these crates may use.
const PLACES: &[(&str, &[&str])] = &[
    ("sqlx", &["hufu-store"]),
    ("rusqlite", &["hufu-store"]),
    ("axum", &["hufu-web", "hufu-compat", "hufu-admin", "hufu-pages", "hufu-sandbox"]),
    ("tokio-rustls", &["hufu-web"]),
    ("rustls", &["hufu-connect"]),
    ("instant-acme", &["hufu-web"]),
    ("rcgen", &["hufu-web"]),
    ("async-graphql", &["hufu-compat"]),
    ("utoipa", &["hufu-admin"]),
    ("askama", &["hufu-web", "hufu-admin", "hufu-pages"]),
    ("fluent-bundle", &["hufu-types"]),
    ("reqwest", &["hufu-wechat", "hufu-connect", "hufu-sandbox"]),
    ("clap", &["hufu"]),
    // All other crates use typed errors.
    ("anyhow", &["hufu"]),
];

/// Calls that run SQL statements. Only hufu-store may make them; the other crates call its functions.
const STATEMENTS: &[&str] =
    &["tx.execute(", "tx.optional(", "tx.all(", "tx.all_with_custom_plan(", "statements!"];

/// Files and folders of hufu-app, and the modules above them that they must not name.
const NEVER: &[(&str, &[&str])] = &[
    ("events.rs", &["people", "credentials", "login", "sources"]),
    ("people/accounts.rs", &["credentials", "login", "sources"]),
    ("people/holders.rs", &["credentials", "login", "sources"]),
    ("people/ways_in.rs", &["credentials", "login", "sources"]),
    ("credentials", &["login", "sources"]),
];

/// Libraries that crates without I/O must not use.
const IO: &[&str] = &["tokio", "futures", "hyper", "reqwest", "axum"];
const WITHOUT_IO: &[&str] = &["hufu-types", "hufu-html", "hufu-protocol"];

/// Each crate of the workspace that reaches users, with the names of its dependencies.
fn shipped_crates() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let shipped =
        metadata.workspace_packages().into_iter().filter(|package| !is_development_only(&package.name));
    let shipped: BTreeMap<String, BTreeSet<String>> = shipped
        .map(|package| {
            let reaching_users = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development);
            let names = reaching_users.map(|dependency| dependency.name.clone()).collect();
            (package.name.to_string(), names)
        })
        .collect();
    assert!(shipped.contains_key("hufu-store"), "the workspace is not seen: {shipped:?}");
    shipped
}

fn is_development_only(name: &str) -> bool {
    DEVELOPMENT_ONLY.contains(&name)
}

#[test]
fn arrows_go_one_way() {
    for (name, dependencies) in shipped_crates() {
        let allowed = ARROWS.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_else(|| panic!("{name} has no line in ARROWS"));
        for dependency in dependencies.iter().filter(|dependency| dependency.starts_with("hufu")) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_table_of_arrows_has_no_circle() {
    for (place, (name, allowed)) in ARROWS.iter().enumerate() {
        for dependency in *allowed {
            let below = ARROWS.iter().position(|(other, _)| other == dependency);
            assert!(below.is_some_and(|below| below < place), "{name} may only name what stands above it");
        }
    }
}

#[test]
fn each_kind_of_library_has_its_place() {
    for (name, dependencies) in shipped_crates() {
        for (library, places) in PLACES {
            let misplaced = dependencies.contains(*library) && !places.contains(&name.as_str());
            assert!(!misplaced, "{name} names {library}, whose place is {}", places.join(" and "));
        }
        if WITHOUT_IO.contains(&name.as_str()) {
            let io = IO.iter().find(|library| dependencies.contains(**library));
            assert_eq!(io, None, "{name} does no I/O");
        }
    }
}

#[test]
fn versions_stand_in_the_workspace_alone() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in std::fs::read_dir(crates).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else { continue };
        let table: toml::Table = text.parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (library, value) in table.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
                let inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherited, "{} gives {library} a version of its own", manifest.display());
            }
        }
    }
}

/// All Rust files under a path, or the file at the path, as pairs of path and text.
fn sources(path: &Path) -> Vec<(String, String)> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.flat_map(|entry| sources(&entry.unwrap().path())).collect();
    }
    if path.extension().is_none_or(|extension| extension != "rs") {
        return Vec::new();
    }
    vec![(path.display().to_string(), std::fs::read_to_string(path).unwrap())]
}

#[test]
fn statements_are_run_in_the_store_alone() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in shipped_crates().into_keys().filter(|name| name != "hufu-store") {
        for (file, text) in sources(&crates.join(name).join("src")) {
            let found = STATEMENTS.iter().find(|mark| text.contains(**mark));
            assert_eq!(found, None, "{file} runs a statement: make it a function of hufu-store");
        }
    }
}

#[test]
fn what_others_stand_on_does_not_know_them() {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hufu-app/src");
    for (below, above) in NEVER {
        let files = sources(&app.join(below));
        assert!(!files.is_empty(), "{below} is not there");
        for (file, text) in files {
            for name in *above {
                assert!(!text.contains(&format!("crate::{name}")), "{file} must not name {name}");
            }
        }
    }
}

/// Lesson 2. What a comparison takes cannot be measured in a test, so its text is looked at: whatever checks a signature of
/// WeChat's calls the one function that compares in constant time, and nothing compares one in another way.
#[test]
fn signatures_of_wechat_are_compared_in_constant_time() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let all = |folder: &str| sources(&crates.join(folder));
    let text: String = all("hufu-wechat/src").into_iter().map(|(_, text)| text).collect();
    let body = |text: &str| text.split("\n}").next().unwrap_or_default().to_owned();
    let checks: Vec<_> = text.split("pub fn verify_").skip(1).map(body).collect();
    assert!(checks.len() >= 4 && checks.iter().all(|check| check.contains("    same(&")), "{checks:#?}");
    assert!(body(text.split("fn same(").nth(1).unwrap()).contains(".ct_eq("));
    for folder in ["hufu-wechat/src", "hufu-app/src/official_account", "hufu-compat/src"] {
        for (path, text) in all(folder) {
            let compares =
                |line: &&str| line.contains("signature") && (line.contains(" == ") || line.contains(" != "));
            assert_eq!(text.lines().find(compares), None, "{path}");
        }
    }
}
