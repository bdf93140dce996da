//! The tabs of the login and registration pages.

use hufu_types::{LoginMethod, LoginTab, RegistrationMethod};
use serde_json::{Value, json};

use super::{Source, connections};

/// The methods of the tabs for passwords.
const BY_PASSWORD: [&str; 3] = ["username-password", "email-password", "phone-password"];
/// The tab for codes.
const CODES: &str = "phone-code";

/// The fields of the forms, and their labels. The clients find the field of a method by what comes before its hyphen.
const FIELDS: [(&str, [&str; 4]); 3] = [
    ("username", ["用户名", "Username", "使用者名稱", "ユーザー名"]),
    ("email", ["邮箱", "Email", "電子信箱", "メールアドレス"]),
    ("phone", ["手机号", "Phone number", "手機號碼", "電話番号"]),
];

/// The members about tabs.
///
/// To these clients all codes are one tab, `phone-code`, and `verifyCodeTabConfig` says what it takes: Guard shows no tab
/// of the name `email-code`, and the SDK for Android puts the methods there in the place of `phone-code`. The SDK for iOS
/// shows every name that it finds.
pub(super) fn of(source: &Source<'_>) -> Value {
    let login = &source.application.login;
    let codes: Vec<&str> = login.methods.iter().filter_map(of_code).map(LoginMethod::as_str).collect();
    let mut tabs: Vec<&str> = Vec::new();
    for tab in login.methods.iter().filter_map(|tab| called(source, tab)) {
        // Several connections share a tab, and so do codes.
        if !tabs.contains(&tab) {
            tabs.push(tab);
        }
    }
    let first = login.default_method.as_ref().or(login.methods.first());
    let first = match first {
        // Guard has no such tab, and takes the first one of the list.
        Some(LoginTab::Form(method @ LoginMethod::EmailCode)) if !source.tells_codes_apart => {
            let of_codes = tabs.iter().position(|tab| *tab == CODES);
            if let Some(before) = of_codes.and_then(|at| tabs.get_mut(..=at)) {
                before.rotate_right(1);
            }
            Some(method.as_str())
        }
        first => first.and_then(|tab| called(source, tab)),
    };
    let ways = source.ways_to_register();
    let by_password = if has(source, LoginMethod::Password) { BY_PASSWORD.as_slice() } else { &[] };
    let registered = |among: &[RegistrationMethod]| -> Vec<&str> {
        ways.iter().filter(|way| among.contains(way)).map(|way| way.as_str()).collect()
    };
    json!({
        "loginTabs": { "list": tabs, "default": first.or(tabs.first().copied()), "title": {} },
        "registerTabs": {
            "list": ways.iter().map(|way| tab_to_register(*way)).collect::<Vec<_>>(),
            "default": ways.first().map(|way| tab_to_register(*way)),
            "title": {},
        },
        "registerDisabled": !source.registers(),
        "passwordTabConfig": {
            "validLoginMethods": BY_PASSWORD,
            "enabledLoginMethods": by_password,
            "validRegisterMethods": registered(&[RegistrationMethod::EmailPassword]),
        },
        "verifyCodeTabConfig": {
            "validLoginMethods": codes,
            "enabledLoginMethods": codes,
            "validRegisterMethods": registered(&[RegistrationMethod::PhoneCode, RegistrationMethod::EmailCode]),
        },
        "tabMethodsFields": FIELDS.map(|(key, [label, english, traditional, japanese])| json!({
            "key": key,
            "label": label,
            "labelEn": english,
            "i18n": { "zh-CN": label, "en-US": english, "zh-TW": traditional, "ja-JP": japanese },
        })),
        "ssoPageComponentDisplay": display(source),
    })
}

/// The clients' name of a tab of the login page. None for the QR code of a connection that the application does not have.
fn called<'a>(source: &Source<'_>, tab: &'a LoginTab) -> Option<&'a str> {
    match tab {
        LoginTab::Form(_) if of_code(tab).is_some() && !source.tells_codes_apart => Some(CODES),
        LoginTab::Form(method) => Some(method.as_str()),
        LoginTab::QrCode(identifier) => connections::qr_tab_of(source, identifier),
    }
}

/// The method of a tab that takes codes.
const fn of_code(tab: &LoginTab) -> Option<LoginMethod> {
    match tab {
        LoginTab::Form(method @ (LoginMethod::PhoneCode | LoginMethod::EmailCode)) => Some(*method),
        _ => None,
    }
}

fn has(source: &Source<'_>, method: LoginMethod) -> bool {
    source.application.login.methods.contains(&LoginTab::Form(method))
}

/// The clients' name of a tab of the registration page.
const fn tab_to_register(way: RegistrationMethod) -> &'static str {
    match way {
        RegistrationMethod::PhoneCode => "phone",
        RegistrationMethod::EmailCode => "emailCode",
        RegistrationMethod::EmailPassword => "email",
    }
}

/// Which parts of the pages are shown.
fn display(source: &Source<'_>) -> Value {
    let login = &source.application.login;
    let has = |method| has(source, method);
    let registers = |way| source.ways_to_register().contains(&way);
    let creates = login.merged && source.registers();
    json!({
        "autoRegisterThenLoginHintInfo": creates,
        "loginBtn": true,
        "loginMethodNav": true,
        "loginByUserPasswordTab": has(LoginMethod::Password),
        "loginByPhoneCodeTab": has(LoginMethod::PhoneCode),
        "loginByEmailCodeTab": has(LoginMethod::EmailCode),
        "forgetPasswordBtn": has(LoginMethod::Password),
        // Guard's form for it goes on only where it is told that nobody has the name.
        "registerBtn": source.registers() && !creates && source.settings.tell_existence,
        "registerMethodNav": true,
        "registerByEmailTab": registers(RegistrationMethod::EmailPassword),
        "registerByEmailCodeTab": registers(RegistrationMethod::EmailCode),
        "registerByPhoneTab": registers(RegistrationMethod::PhoneCode),
        "socialLoginBtns": !source.connections.is_empty(),
        "idpBtns": true,
        "wxMpScanTab": connections::shows_qr_codes(source),
        "userAgreement": true,
    })
}
