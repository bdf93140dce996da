//! The texts of messages.

use hufu_connect::{
    TemplateKind, Templates,
    templates::{AddedWay, Notice, Values},
};
use hufu_types::Language;

const VALUES: Values<'_> = Values { app: "<Shop> & Co", code: "012345", minutes: 5 };

#[test]
fn every_purpose_is_said_in_every_language() {
    let templates = Templates::default();
    let mut subjects = std::collections::BTreeSet::new();
    for kind in TemplateKind::ALL.into_iter().filter(|kind| kind.has_code()) {
        for language in Language::ALL {
            let mail = templates.mail(kind, language, &VALUES);
            let sms = templates.sms(kind, language, &VALUES);
            for text in [&mail.text, &mail.html, &sms] {
                assert!(text.contains("012345") && text.contains('5'), "{kind:?} {language:?}: {text}");
            }
            for text in [&mail.subject, &mail.text, &mail.html, &sms] {
                assert!(!text.contains(['{', '}']), "{kind:?} {language:?}: {text}");
            }
            assert!(mail.subject.contains("<Shop> & Co") && mail.text.contains("<Shop> & Co"));
            assert!(mail.html.contains("&lt;Shop&gt; &amp; Co") && !mail.html.contains("<Shop>"));
            assert!(mail.html.contains(&format!("lang=\"{}\"", language.tag())));
            // A Chinese SMS of up to 70 characters is charged as one.
            let longest = if language == Language::English { 140 } else { 70 };
            assert!(sms.chars().count() <= longest, "{kind:?} {language:?}: {sms}");
            // The code is a 验证码, and what it is for is not called 验证 once more.
            for text in [&mail.subject, &mail.text, &sms] {
                assert!(!text.contains("验证验证") && !text.contains("驗證驗證"), "{kind:?}: {text}");
            }
            subjects.insert(mail.subject);
        }
    }
    // No two purposes, and no two languages, have the same subject.
    assert_eq!(subjects.len(), (TemplateKind::ALL.len() - 1) * Language::ALL.len());
}

/// A notice of a new way to log in says what was added, and has no code.
#[test]
fn a_notice_is_said_in_every_language() {
    let ways = [
        AddedWay::Identity,
        AddedWay::Phone,
        AddedWay::Email,
        AddedWay::Username,
        AddedWay::Password,
        AddedWay::Account,
    ];
    let templates = Templates::default();
    let mut told = std::collections::BTreeSet::new();
    for way in ways {
        for language in Language::ALL {
            let notice = Notice { app: "<Shop>", way };
            let mail = templates.notice_mail(language, notice);
            let sms = templates.notice_sms(language, notice);
            for text in [&mail.subject, &mail.text, &mail.html, &sms] {
                assert!(!text.contains(['{', '}']), "{way:?} {language:?}: {text}");
            }
            assert!(mail.subject.contains("<Shop>") && mail.html.contains("&lt;Shop&gt;"));
            let longest = if language == Language::English { 140 } else { 70 };
            assert!(sms.chars().count() <= longest, "{way:?} {language:?}: {sms}");
            told.insert(mail.text);
        }
    }
    assert_eq!(told.len(), ways.len() * Language::ALL.len());
    let own: Templates =
        toml::from_str("[new_way_in.en]\nsubject = \"News\"\ntext = \"{app}: {way}\"\nsms = \"{way}\"")
            .unwrap();
    let notice = Notice { app: "Shop", way: AddedWay::Phone };
    assert_eq!(own.notice_mail(Language::English, notice).text, "Shop: a phone number");
    assert_eq!(own.notice_sms(Language::English, notice), "a phone number");
}

#[test]
fn one_text_of_each_language() {
    let values = Values { app: "Shop", code: "123456", minutes: 10 };
    let templates = Templates::default();
    let say = |kind, language| templates.sms(kind, language, &values);
    assert_eq!(
        say(TemplateKind::Login, Language::SimplifiedChinese),
        "【Shop】登录验证码：123456，10 分钟内有效。请勿告诉他人；非本人操作请忽略。"
    );
    assert_eq!(
        say(TemplateKind::DeleteAccount, Language::English),
        "Shop: 123456 is your code to delete your account. It expires in 10 min. Never share it."
    );
    let mail = templates.mail(TemplateKind::ResetPassword, Language::English, &values);
    assert_eq!(mail.subject, "Shop: your code to reset your password");
    assert!(mail.text.starts_with("Use this code to reset your password at Shop:\n\n    123456\n\n"));
}

#[test]
fn a_pool_can_replace_the_texts() {
    let templates: Templates = toml::from_str(
        r#"
        [login.en]
        subject = "Welcome to {app}"
        text = "Hi <you>,\n{code} for {minutes} minutes"
        [login.ja]
        html = "<style>b { color: red }</style><b>{code}</b> {app}"
        sms = "{code}{code} {not a placeholder}"
        "#,
    )
    .unwrap();
    let mail = templates.mail(TemplateKind::Login, Language::English, &VALUES);
    assert_eq!(mail.subject, "Welcome to <Shop> & Co");
    assert_eq!(mail.text, "Hi <you>,\n012345 for 5 minutes");
    assert!(mail.html.contains("<p>Hi &lt;you&gt;,<br>012345 for 5 minutes</p>"), "{}", mail.html);

    let built_in = Templates::default();
    assert_eq!(
        templates.sms(TemplateKind::Login, Language::English, &VALUES),
        built_in.sms(TemplateKind::Login, Language::English, &VALUES)
    );
    let mail = templates.mail(TemplateKind::Login, Language::Japanese, &VALUES);
    assert_eq!(mail.html, "<style>b { color: red }</style><b>012345</b> &lt;Shop&gt; &amp; Co");
    assert_eq!(mail.text, built_in.mail(TemplateKind::Login, Language::Japanese, &VALUES).text);
    assert_eq!(
        templates.sms(TemplateKind::Login, Language::Japanese, &VALUES),
        "012345012345 {not a placeholder}"
    );
    let stored = serde_json::to_string(&templates).unwrap();
    assert_eq!(serde_json::from_str::<Templates>(&stored).unwrap(), templates);
}

#[test]
fn values_bring_in_no_placeholders_and_no_lines() {
    let values = Values { app: "{code}\r\nBcc: eve@example.com", code: "123456", minutes: 5 };
    let mail = Templates::default().mail(TemplateKind::Login, Language::English, &values);
    assert!(mail.subject.starts_with("{code}  Bcc:") && !mail.subject.contains(['\r', '\n']));
}

#[test]
fn texts_that_cannot_be_right_are_refused() {
    for (text, words) in [
        ("[login.en]\ntext = \"{cod}\"", "the text of the template Login in en has {cod}"),
        ("[login.en]\nsubject = \"{Code}\"", "the subject of the template Login in en has {Code}"),
        ("[bind_phone.zh-CN]\nsms = \"{验证码}\"", "{验证码}"),
        ("[login.en]\nhtml = \"<b>hello</b>\"", "the html of the template Login in en lacks {code}"),
        ("[login.en]\nsms = \"{ code }\"", "lacks {code}"),
        ("[new_way_in.en]\nsms = \"{code}\"", "{code}, which is not one of {app}, {way}"),
        ("[login.fr]\nsms = \"{code}\"", "fr"),
        ("[log_in.en]\nsms = \"{code}\"", "log_in"),
        ("[login.en]\nbody = \"{code}\"", "body"),
    ] {
        let error = toml::from_str::<Templates>(text).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}
