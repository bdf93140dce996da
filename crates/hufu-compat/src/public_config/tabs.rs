//! The tabs of the login and registration pages.

use hufu_types::{LoginMethod, LoginTab, RegistrationMethod};
use serde_json::{Value, json};

use super::{Source, connections};

/// The methods of the tabs for passwords.
const BY_PASSWORD: [&str; 3] = ["username-password", "email-password", "phone-password"];
/// The methods of the tabs for codes.
const BY_CODE: [&str; 2] = ["phone-code", "email-code"];

/// The fields of the forms, and their labels.
const FIELDS: [(&str, &str, &str); 5] = [
    ("username-password", "用户名", "Username"),
    ("email-password", "邮箱", "Email"),
    ("phone-password", "手机号", "Phone number"),
    ("phone-code", "手机号", "Phone number"),
    ("email-code", "邮箱", "Email"),
];

/// The members about tabs.
pub(super) fn of(source: &Source<'_>) -> Value {
    let login = &source.application.login;
    let mut tabs: Vec<&str> = Vec::new();
    for tab in login.methods.iter().filter_map(|tab| called(source, tab)) {
        // Several connections share a tab.
        if !tabs.contains(&tab) {
            tabs.push(tab);
        }
    }
    let first = login.default_method.as_ref().and_then(|tab| called(source, tab));
    let ways = source.ways_to_register();
    let by_password = if has(source, LoginMethod::Password) { BY_PASSWORD.as_slice() } else { &[] };
    let by_code: Vec<_> = BY_CODE.into_iter().filter(|method| tabs.contains(method)).collect();
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
            "validLoginMethods": BY_CODE,
            "enabledLoginMethods": by_code,
            "validRegisterMethods": registered(&[RegistrationMethod::PhoneCode, RegistrationMethod::EmailCode]),
        },
        "tabMethodsFields": FIELDS.map(|(key, label, english)| json!({
            "key": key,
            "label": label,
            "labelEn": english,
            "i18n": { "zh-CN": label, "en-US": english },
        })),
        "ssoPageComponentDisplay": display(source),
    })
}

/// The clients' name of a tab of the login page. None for the QR code of a connection that the application does not have.
fn called<'a>(source: &Source<'_>, tab: &'a LoginTab) -> Option<&'a str> {
    match tab {
        LoginTab::Form(method) => Some(method.as_str()),
        LoginTab::QrCode(identifier) => connections::qr_tab_of(source, identifier),
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
        "registerBtn": source.registers() && !creates,
        "registerMethodNav": true,
        "registerByEmailTab": registers(RegistrationMethod::EmailPassword),
        "registerByEmailCodeTab": registers(RegistrationMethod::EmailCode),
        "registerByPhoneTab": registers(RegistrationMethod::PhoneCode),
        "socialLoginBtns": !source.connections.is_empty(),
        "idpBtns": true,
        "wxMpScanTab": !connections::qr_tab_names(source).is_empty(),
        "userAgreement": true,
    })
}
