//! The table of refusals and its sentences: every row has every sentence, in every language, with the same
//! placeholders.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fluent_bundle::FluentResource;
use hufu_types::refusal::{Code, FOR_INTEGRATORS, FOR_PEOPLE, Reason, Refusal};
use hufu_types::{Language, NameError};

/// The texts of a file, by key or by `key.attribute`.
fn messages(file: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut last = "";
    for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, text) = line.split_once(" = ").unwrap_or_else(|| panic!("not a message: {line}"));
        let name = if let Some(attribute) = key.strip_prefix("    .") {
            format!("{last}.{attribute}")
        } else {
            last = key;
            key.to_owned()
        };
        assert!(found.insert(name, text.to_owned()).is_none(), "{key} stands twice");
    }
    found
}

fn placeholders(text: &str) -> BTreeSet<String> {
    text.split("{ $").skip(1).map(|rest| rest.split(" }").next().unwrap().to_owned()).collect()
}

fn keys_for_integrators() -> BTreeSet<String> {
    let codes = Code::ALL.iter().map(|code| code.integrator_key());
    codes.chain(Reason::ROWS.iter().map(|(key, _, _)| *key)).map(str::to_owned).collect()
}

fn keys_for_people() -> BTreeSet<String> {
    let titles = ["forbidden", "not-found", "later", "go-on", "not-done"];
    let mut keys: BTreeSet<_> = titles.iter().map(|title| format!("title-{title}")).collect();
    for code in Code::ALL {
        keys.insert(code.person_key().to_owned());
        keys.insert(format!("{}.action", code.person_key()));
    }
    keys.extend(Reason::ROWS.iter().map(|(_, key, _)| (*key).to_owned()));
    keys
}

#[test]
fn every_row_has_its_sentences_in_every_language() {
    for (files, wanted) in [(FOR_INTEGRATORS, keys_for_integrators()), (FOR_PEOPLE, keys_for_people())] {
        let (_, model) = files[0];
        let model = messages(model);
        for (language, file) in files {
            assert!(FluentResource::try_new((*file).to_owned()).is_ok(), "{language}: not Fluent");
            let said = messages(file);
            assert!(said.keys().eq(model.keys()), "{language}");
            // Only some rows have their own title or a second action.
            let optional =
                |key: &&String| key.split_once('.').is_some_and(|(_, attribute)| attribute != "action");
            assert_eq!(
                said.keys().filter(|key| !optional(key)).cloned().collect::<BTreeSet<_>>(),
                wanted,
                "{language}"
            );
            for (key, text) in said {
                assert_eq!(placeholders(&text), placeholders(&model[&key]), "{language}: {key}");
            }
        }
    }
    let languages =
        |files: &[(Language, &str)]| files.iter().map(|(language, _)| *language).collect::<Vec<_>>();
    assert_eq!(languages(FOR_INTEGRATORS), Language::FOR_INTEGRATORS);
    assert_eq!(languages(FOR_PEOPLE), Language::ALL);
}

#[test]
fn sentences_have_no_placeholder_that_nothing_takes_the_place_of() {
    for (reader, (_, file)) in [("integrator", FOR_INTEGRATORS[0]), ("person", FOR_PEOPLE[0])] {
        let said = messages(file);
        // Several rows may share a sentence, which then may only use placeholders that all of them have.
        for code in Code::ALL {
            let key = if reader == "person" { code.person_key() } else { code.integrator_key() };
            for name in
                [key.to_owned(), format!("{key}.title"), format!("{key}.action"), format!("{key}.action-2")]
            {
                for placeholder in said.get(&name).map(|text| placeholders(text)).unwrap_or_default() {
                    assert!(code.arguments().contains(&placeholder.as_str()), "{code:?}: {placeholder}");
                }
            }
        }
        for (integrator, person, values) in Reason::ROWS {
            let key = if reader == "person" { person } else { integrator };
            for placeholder in placeholders(&said[*key]) {
                let taken = values.contains(&placeholder.as_str());
                assert!(taken || (placeholder == "field" && reader == "integrator"), "{key}: {placeholder}");
            }
        }
    }
}

#[test]
fn keys_are_the_rows_own() {
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.integrator_key()).collect();
    assert_eq!(codes.len(), Code::ALL.len());
    let reasons: BTreeSet<_> = Reason::ROWS.iter().map(|(key, _, _)| *key).collect();
    assert_eq!(reasons.len(), Reason::ROWS.len());
    assert!(codes.is_disjoint(&reasons));
    let advice: BTreeSet<_> = Code::ALL.iter().map(|code| code.person_key()).collect();
    assert!(Reason::ROWS.iter().all(|(_, key, _)| !advice.contains(key)));
}

#[test]
fn texts_for_people_have_no_words_of_developers() {
    let words = [
        "sdk",
        "appid",
        "header",
        "token",
        "code 格式",
        "userpool",
        "requestid",
        "wx.login",
        "json",
        "http",
        "errcode",
        "openid",
        "unionid",
        "connection",
        "parameter",
        "您",
        "帐号",
    ];
    for (language, file) in FOR_PEOPLE {
        for (key, text) in messages(file) {
            let text = text.to_lowercase();
            for word in words {
                assert!(!text.contains(word), "{language}: {key}: {word}");
            }
        }
    }
}

#[test]
fn a_chinese_sentence_has_no_english_words() {
    let invalid = Refusal::invalid("gender", Reason::NotOneOf { choices: "M, F, U".into() });
    assert_eq!(
        invalid.for_integrator(Language::SimplifiedChinese),
        "请求参数有误：gender 必须是以下之一：M, F, U。"
    );
    assert_eq!(
        invalid.for_integrator(Language::English),
        "The request is not valid: gender must be one of M, F, U."
    );
    let field = invalid.field_for_person(Language::Japanese);
    assert_eq!(field, Some(("gender", "選択肢から選んでください".to_owned())));

    let unfit = Refusal::faulty(Code::ImportInvalid, "file", Reason::EmptyFile);
    assert_eq!(unfit.for_integrator(Language::TraditionalChinese), "文件无法导入：文件为空。");
}

#[test]
fn values_take_the_places_of_placeholders() {
    let large = Code::BodyTooLarge.with("limit", 262_144_usize);
    assert_eq!(large.to_string(), "The body is too large: send at most 262144 bytes");
    let old = Code::LoginTooOld.with("minutes", 15_u64).for_person(Language::TraditionalChinese);
    assert_eq!(old.title, "無法進行此操作");
    assert_eq!(old.sentence, "為了帳號安全，此操作需要在 15 分鐘內登入過。");
    assert_eq!(old.actions, ["請重新登入後再試一次。"]);
}

#[test]
fn whoever_is_too_often_is_told_how_long_to_wait() {
    for (millis, seconds, minutes) in
        [(0, 1, 1), (1, 1, 1), (1000, 1, 1), (1001, 2, 1), (60_001, 61, 2), (3_600_000, 3600, 60)]
    {
        for code in [Code::TooOften, Code::WechatLimit] {
            let refusal = code.retry_after(Duration::from_millis(millis));
            assert_eq!(refusal.seconds_to_wait(), Some(seconds));
            assert_eq!(refusal.data().unwrap()["retryAfter"], seconds);
            for language in Language::FOR_INTEGRATORS {
                let sentence = refusal.for_integrator(language);
                assert!(sentence.contains(&format!(" {seconds} ")), "{sentence}");
            }
            for language in Language::ALL {
                let [action] = refusal.for_person(language).actions.try_into().unwrap();
                assert!(action.contains(&format!("{minutes} ")), "{action}");
            }
        }
    }
    // A refusal that forgets to say it is rendered all the same, and no other one speaks of waiting.
    assert_eq!(Refusal::new(Code::TooOften).seconds_to_wait(), Some(1));
    assert_eq!(Refusal::new(Code::Locked).seconds_to_wait(), None);
}

#[test]
fn a_link_that_is_over_is_no_qr_code() {
    let told = Refusal::from(Code::LinkInvalid).for_person(Language::English);
    assert_eq!(told.actions, ["Go back to the app and start linking WeChat again."]);
}

#[test]
fn operators_read_the_reason_too() {
    let refusal =
        Code::TooOften.retry_after(Duration::from_secs(60)).because("wrong codes from this address");
    assert_eq!(
        hufu_types::chain(&refusal),
        "Too many requests: wait 60 seconds and try again: wrong codes from this address"
    );
    let refusal = Refusal::internal(NameError::Email);
    assert!(refusal.is(Code::Internal) && refusal.code().is_internal());
    assert_eq!(refusal.source_as::<NameError>(), Some(&NameError::Email));
    assert_eq!(format!("{:?}", Refusal::new(Code::WrongCode)), "WrongCode");
}
