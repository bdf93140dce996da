//! The documentation matches the code: it lists every code, metric, key and command, and has no broken links.

use hufu_types::refusal::Code;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files in a folder whose names end with `ending`.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// The names that follow each occurrence of `mark`.
fn names_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(mark).filter_map(move |(at, _)| {
        let rest = text[at + mark.len()..].trim_start().trim_start_matches('"');
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        Some(&rest[..end]).filter(|name| !name.is_empty())
    })
}

#[test]
fn every_code_is_on_the_page_of_errors() {
    let in_code: BTreeSet<_> =
        Code::ALL.iter().map(|code| (code.number(), u32::from(code.status()))).collect();

    let page = read("docs/errors.md");
    let on_page: BTreeSet<_> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split('|').map(|cell| cell.trim().parse::<u32>().ok());
            Some((cells.next()??, cells.next()??))
        })
        .collect();
    assert_eq!(in_code, on_page, "code and status: in the table, and in docs/errors.md");
}

#[test]
fn every_metric_is_on_the_page_of_operations() {
    let page = read("docs/operations.md");
    let mut metrics = BTreeSet::new();
    for crate_folder in std::fs::read_dir(root().join("crates")).unwrap() {
        for file in files(&crate_folder.unwrap().path().join("src"), ".rs") {
            let source = std::fs::read_to_string(file).unwrap();
            for mark in ["metrics::counter!(", "metrics::histogram!(", "metrics::gauge!("] {
                metrics.extend(names_after(&source, mark).map(str::to_owned));
            }
        }
    }
    assert!(metrics.contains("hufu_logins_total"), "{metrics:?}");
    for metric in metrics {
        assert!(page.contains(&format!("`{metric}")), "docs/operations.md does not mention {metric}");
    }
}

#[test]
fn every_key_is_on_the_page_of_configuration() {
    let source = read("crates/hufu/src/config.rs");
    let page = read("docs/configuration.md");
    let mut keys: BTreeSet<_> = names_after(&source, "\"HUFU_").collect();
    assert!(keys.contains("LISTEN") && keys.contains("WECHAT_API_BASE"), "{keys:?}");
    keys.insert("CONFIG");
    keys.retain(|key| !key.starts_with("LIMITS_"));
    for key in keys {
        assert!(page.contains(&format!("`HUFU_{key}`")), "docs/configuration.md does not mention HUFU_{key}");
    }
    assert!(page.contains("`HUFU_LIMITS_`"));
    for limit in hufu_app::Limits::NAMES {
        assert!(
            page.contains(&format!("\n| `{limit}` | ")),
            "docs/configuration.md does not mention {limit}"
        );
    }
}

#[test]
fn no_link_is_broken() {
    let mut documents = files(&root().join("docs"), ".md");
    let in_root = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(in_root.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for (at, mark) in text.match_indices("](") {
            let target = text[at + mark.len()..].split(')').next().unwrap_or_default();
            if target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            let leads = file.exists() && (heading.is_empty() || has_heading(&file, heading));
            assert!(leads, "{} links to {target}, which is not there", document.display());
        }
    }
}

/// Whether a page has a heading with this anchor: lower case, hyphens for spaces, no other punctuation.
fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(page).unwrap();
    let headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchors = headings.map(|heading| {
        let heading = heading.to_lowercase().replace(' ', "-");
        heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
    });
    anchors.into_iter().any(|of_heading| of_heading == anchor)
}

#[test]
fn the_page_of_the_login_engine_has_its_diagram() {
    let page = read("docs/login-flow.md");
    let diagram = format!("```mermaid\n{}```", hufu_types::flow::diagram());
    assert!(page.contains(&diagram), "docs/login-flow.md must contain:\n{diagram}");
    for step in hufu_types::flow::Step::ALL {
        let is_action = hufu_types::flow::Stage::ALL
            .iter()
            .any(|stage| *stage != hufu_types::flow::Stage::Identify && stage.after(*step).is_some());
        assert_eq!(page.contains(&format!("`{}`", step.as_str())), is_action, "{step:?}");
    }
}

/// Refusals have their numbers in the table only. All other code uses the names of the table.
#[test]
fn no_number_of_a_refusal_stands_elsewhere() {
    let numbers: BTreeSet<String> = Code::ALL.iter().map(|code| code.number().to_string()).collect();
    for name in ["hufu-store", "hufu-app", "hufu-web", "hufu-compat", "hufu-admin", "hufu-pages"] {
        let folder = root().join("crates").join(name).join("src");
        if !folder.exists() {
            continue;
        }
        for file in files(&folder, ".rs") {
            let source = std::fs::read_to_string(&file).unwrap();
            for (at, _) in source.match_indices("=> ").chain(source.match_indices("u32 = ")) {
                let rest = source[at..].trim_start_matches("=> ").trim_start_matches("u32 = ");
                let rest = rest.trim_start_matches("Some(");
                let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let is_code = number.len() == 4 && numbers.contains(&number);
                assert!(!is_code, "{}: {number}", file.display());
            }
        }
    }
}
#[test]
fn the_fields_of_connections_are_on_the_page_of_apply() {
    let (page, table) = (read("docs/apply.md"), hufu_app::sources::markdown());
    assert!(page.contains(&table), "put this into docs/apply.md:\n{table}");
    for kind in hufu_types::ConnectionKind::ALL {
        assert!(page.contains(&format!("`{}`", kind.as_str())), "docs/apply.md does not mention {kind:?}");
    }
}

#[test]
fn the_schema_of_connections_is_that_of_the_program() {
    let schema = serde_json::to_string_pretty(&hufu_app::sources::json_schema()).unwrap() + "\n";
    assert_eq!(
        read("docs/connection.schema.json"),
        schema,
        "put this into docs/connection.schema.json:\n{schema}"
    );
}

/// What Chinese texts say differently. Simplified texts say 你 and 账号, traditional ones 你 and 帳號.
const NOT_OURS: [&str; 3] = ["您", "帐", "賬"];

#[test]
fn chinese_texts_say_you_and_account_in_one_way() {
    let mut texts = vec![root().join("README.md")];
    texts.extend(files(&root().join("docs"), ".md"));
    for crate_folder in std::fs::read_dir(root().join("crates")).unwrap() {
        for folder in ["src", "texts", "templates", "assets"] {
            let folder = crate_folder.as_ref().unwrap().path().join(folder);
            if folder.is_dir() {
                texts.extend(
                    [".ftl", ".rs", ".html", ".js", ".toml"].iter().flat_map(|end| files(&folder, end)),
                );
            }
        }
    }
    assert!(texts.iter().filter(|path| path.ends_with("zh-TW.ftl")).count() >= 3, "{texts:?}");
    for path in texts {
        let text = read(&path);
        for word in NOT_OURS {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
        if path.ends_with("zh-TW.ftl") {
            assert!(!text.contains('账'), "{}: simplified", path.display());
        }
        if path.ends_with("zh-CN.ftl") {
            assert!(!text.contains('帳'), "{}: traditional", path.display());
        }
    }
}

#[test]
fn the_page_of_security_names_files_that_exist() {
    let page = read("SECURITY.md");
    let code = page.split('`').skip(1).step_by(2);
    let named: Vec<&str> = code
        .filter(|word| word.rsplit_once('.').is_some_and(|(_, end)| matches!(end, "rs" | "mjs")))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        let is_there = root().join(name).exists() || root().join("crates").join(name).exists();
        assert!(is_there, "SECURITY.md names {name}");
    }
}

/// The page of lessons is worth what its tests are: each that a row names is there.
#[test]
fn every_test_on_the_page_of_lessons_exists() {
    let page = read("docs/lessons.md");
    let mut numbers = Vec::new();
    for line in page.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, number, _, _, tests, _] = cells[..] else { continue };
        let Ok(number) = number.parse::<u32>() else { continue };
        numbers.push(number);
        let mut file = None;
        for name in tests.split('`').skip(1).step_by(2) {
            if let Some((_, "rs" | "mjs")) = name.rsplit_once('.') {
                let folder = if name.starts_with("tests/") { "" } else { "crates/" };
                file = Some(read(format!("{folder}{name}")));
            } else {
                let file = file.as_ref().unwrap_or_else(|| panic!("lesson {number}: {name} is in no file"));
                assert!(
                    file.contains(&format!("fn {name}(")),
                    "lesson {number} names {name}, which is not there"
                );
            }
        }
        assert!(file.is_some(), "lesson {number} has no test");
    }
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}
