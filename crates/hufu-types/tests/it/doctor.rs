//! What checks of connections say: every finding, and every error code of WeChat, has its sentences in Chinese and in English,
//! each in its own language, with the same placeholders and the same menus of WeChat.

use std::collections::BTreeSet;

use hufu_types::Language;
use hufu_types::doctor::{Explanation, FOR_ADMINISTRATORS, Says, WECHAT_ERRORS, explain, findings};
use hufu_types::refusal::Argument;

/// The placeholders that findings fill in. Whatever else a sentence asks for stays empty, and is found by its brace.
const PLACEHOLDERS: [&str; 14] = [
    "minutes",
    "reason",
    "host",
    "port",
    "errcode",
    "kind",
    "applications",
    "since",
    "origin",
    "url",
    "status",
    "mode",
    "menu",
    "ip",
];
/// The kinds of app, each of which has menus of its own. The last is said where the kind is not known.
const APPS: [&str; 5] = ["mini-program", "official-account", "website", "mobile", "any"];

/// Every key, with the sentences that it has.
fn keys() -> Vec<(&'static str, Says)> {
    let found = findings::ALL.iter().map(|key| (key.name, key.says));
    let errors = WECHAT_ERRORS.iter().map(|(key, _)| match *key {
        "fine" => ("fine", Says::WhatIsSo),
        key => (key, Says::WhatIsWrong),
    });
    found.chain(errors).collect()
}

fn say(key: &'static str, app: &'static str, language: Language) -> Explanation {
    let filled = PLACEHOLDERS.iter().map(|name| (*name, Argument::from(format!("«{name}»"))));
    let arguments: Vec<_> = filled.chain([("app", Argument::from(app))]).collect();
    explain(key, &arguments, language)
}

fn is_chinese(character: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&character)
}

/// The placeholders in a text.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('«').skip(1).map(|rest| rest.split('»').next().unwrap()).collect()
}

/// Whether two sentences lead through the same menus. Where a label ends in Chinese, only the English one tells.
fn have_the_same_menus(english: &str, chinese: &str) -> bool {
    let labels = |text: &str| text.split(" › ").skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (english, chinese) = (labels(english), labels(chinese));
    let label = |text: &str| text.split([' ', ',', '.', ';', ':']).next().unwrap().to_owned();
    english.len() == chinese.len()
        && english.iter().zip(&chinese).all(|(english, chinese)| chinese.starts_with(&label(english)))
}

/// Whether a sentence reads as English: its words are, and Chinese are only names on WeChat's pages.
fn is_english(text: &str) -> bool {
    let without_menus = text.contains(" › ") || text.chars().filter(char::is_ascii_alphabetic).count() > 6;
    without_menus && !text.contains(['，', '。', '：', '；', '、', '（', '）', '“', '”'])
}

/// Whether a sentence reads as Chinese: it has no four English words in a row.
fn is_chinese_sentence(text: &str) -> bool {
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let words: Vec<_> = text.split([' ', ',', '.']).collect();
    text.chars().any(is_chinese) && !words.windows(4).any(|four| four.iter().all(is_word))
}

#[test]
fn every_finding_says_what_is_wrong_what_it_breaks_and_where_to_mend_it_in_both_languages() {
    for (key, says) in keys() {
        for app in APPS {
            let english = say(key, app, Language::English);
            let chinese = say(key, app, Language::SimplifiedChinese);
            for (language, said) in [("English", &english), ("Chinese", &chinese)] {
                assert_ne!(said.message, key, "{key} says nothing in {language}");
                let parts = (said.breaks.is_some(), said.mend.is_some());
                match says {
                    Says::WhatIsSo => assert_eq!(parts, (false, false), "{key} in {language}"),
                    Says::WhatToDo => assert_eq!(parts, (false, true), "{key} in {language}"),
                    Says::WhatIsWrong => assert_eq!(parts, (true, true), "{key} in {language}"),
                }
            }
            let parts = |said: Explanation| [Some(said.message), said.breaks, said.mend];
            for (english, chinese) in parts(english).into_iter().zip(parts(chinese)) {
                let (Some(english), Some(chinese)) = (english, chinese) else { continue };
                assert!(!english.contains('{') && !chinese.contains('{'), "{key}: {english} {chinese}");
                assert!(is_english(&english), "{key} is not English: {english}");
                assert!(is_chinese_sentence(&chinese), "{key} is not Chinese: {chinese}");
                assert_eq!(placeholders(&english), placeholders(&chinese), "{key}: {english} {chinese}");
                assert!(have_the_same_menus(&english, &chinese), "{key}: {english} {chinese}");
            }
        }
    }
}

/// What is set on WeChat's platform is mended there: the finding says in which menu.
#[test]
fn what_is_mended_at_wechat_is_said_with_its_menu() {
    for (key, app, menu) in [
        ("secret-wrong", "mini-program", "微信公众平台 › 小程序 › 开发管理 › 开发设置"),
        ("secret-wrong", "official-account", "微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置"),
        ("secret-wrong", "website", "微信开放平台 › 管理中心 › 网站应用 › 查看"),
        ("app-unknown", "mobile", "微信开放平台 › 管理中心 › 移动应用 › 查看"),
        ("ip-not-listed", "mini-program", "微信公众平台 › 小程序 › 开发管理 › 开发设置"),
        ("ip-not-listed", "official-account", "微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置"),
        ("app-frozen", "official-account", "微信公众平台 › 通知中心"),
        ("app-frozen", "website", "微信开放平台 › 管理中心"),
        ("server-domain-set", "mini-program", "› 服务器域名 › request 合法域名"),
        ("business-domain-set", "mini-program", "› 业务域名"),
        ("business-domain-optional", "mini-program", "› 业务域名"),
        ("website-domain-set", "website", "› 授权回调域"),
        ("webpage-domain-set", "official-account", "› 网页授权域名"),
        ("message-url-set", "official-account", "› 服务器配置"),
        ("unionid-missing", "mini-program", "微信开放平台 › 管理中心"),
        ("published-not", "mini-program", "› 版本管理"),
        ("page-unpublished", "mini-program", "› 版本管理"),
        ("phone-not-permitted", "mini-program", "› 微信认证"),
        ("followers-not-permitted", "official-account", "› 微信认证"),
    ] {
        for language in Language::FOR_INTEGRATORS {
            let mend = say(key, app, language).mend.unwrap();
            assert!(mend.contains(menu), "{key} of {app}: {mend}");
        }
    }
}

/// The address is the one that WeChat saw. Where WeChat does not tell it, none is made up.
#[test]
fn an_address_that_wechat_did_not_tell_is_not_named() {
    for language in Language::FOR_INTEGRATORS {
        let known = explain("ip-not-listed", &[("ip", "203.0.113.9".into())], language);
        assert!(known.message.contains("203.0.113.9") && known.mend.unwrap().contains("203.0.113.9"));
        let unknown = explain("ip-not-listed", &[("ip", "unknown".into())], language);
        let said = format!("{} {}", unknown.message, unknown.mend.unwrap());
        assert!(!said.contains(['?', '{']) && !said.contains("unknown"), "{said}");
    }
}

#[test]
fn there_are_no_sentences_that_nothing_says() {
    let known: BTreeSet<_> = keys().into_iter().map(|(key, _)| key).collect();
    assert_eq!(known.len(), keys().len() - 1, "page-unpublished is found, and is what an error code means");
    // Parts of sentences, and what test messages say.
    let is_part = |key: &str| {
        ["mode-", "menu-", "sender-"].iter().any(|start| key.starts_with(start))
            || (key.starts_with("kind-") && !key.starts_with("kind-of-app-"))
    };
    for (language, file) in FOR_ADMINISTRATORS {
        let lines = file.lines().filter(|line| !line.starts_with([' ', '#', '}']));
        let said: BTreeSet<_> = lines.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
        let said: BTreeSet<_> = said.into_iter().filter(|key| !is_part(key)).collect();
        assert_eq!(said, known, "{language}");
    }
}
