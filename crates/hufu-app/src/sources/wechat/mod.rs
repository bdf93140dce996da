//! WeChat: what its login modes share.
//!
//! Reading order: `exchange` (turns a client's code into ids), `authorized` (the code of an app, a website or a web page),
//! one module per mode (`mini_program`, `mini_program_scan`, `mobile`, `pc`, `webpage`, `official_account`), and
//! `client_data` (what a client can query without
//! logging in).

pub(crate) mod app_launch;
pub(crate) mod app_tokens;
mod authorized;
pub(crate) mod client_data;
pub(crate) mod default;
pub(crate) mod exchange;
pub(crate) mod mini_program;
pub(crate) mod mini_program_scan;
pub(crate) mod mobile;
pub(crate) mod official_account;
pub(crate) mod pc;
pub(crate) mod webpage;

use hufu_types::refusal::Code;
use hufu_types::{
    Application, Connection, IdentityKind, IdpUserInfo, OpaqueToken, OpenPlatform, Profile, Proof, realm,
};
use hufu_wechat::AppCredentials;
use serde_json::Value;

use super::{Field, Form, Text, TextOf};
use crate::Refusal;

/// The name of the AppID field.
pub(crate) const APP_ID: &str = "app_id";
/// The name of the AppSecret field.
const APP_SECRET: &str = "app_secret";

/// The AppID of a connection.
pub(crate) fn app_id(connection: &Connection) -> &str {
    // `Config` ignores connections without an AppID.
    connection.settings.text(APP_ID).unwrap_or_default()
}

/// The credentials for calls to WeChat.
pub(crate) fn credentials(connection: &Connection) -> AppCredentials {
    AppCredentials {
        app_id: app_id(connection).to_owned(),
        app_secret: connection.settings.text(APP_SECRET).unwrap_or_default().into(),
    }
}

/// The state of a login, which WeChat brings back.
fn state(state: &OpaqueToken) -> Result<hufu_wechat::State, Refusal> {
    hufu_wechat::State::parse(state.expose()).map_err(Refusal::internal)
}

/// OpenIDs are unique within an app, UnionIDs within an Open Platform account.
fn realm(text_of: TextOf<'_>, platform: &OpenPlatform, of: IdentityKind) -> Option<String> {
    match of {
        IdentityKind::Openid => text_of(APP_ID).map(realm::wechat_app),
        IdentityKind::Unionid => Some(realm::wechat_open_platform(platform)),
    }
}

const fn app_id_field(hint: Text) -> Field {
    Field {
        name: APP_ID,
        form: Form::WechatAppId,
        secret: false,
        required: true,
        label: Text { zh: "AppID", en: "AppID" },
        hint,
    }
}

const fn app_secret_field(hint: Text) -> Field {
    Field {
        name: APP_SECRET,
        form: Form::WechatAppSecret,
        secret: true,
        required: true,
        label: Text { zh: "AppSecret", en: "AppSecret" },
        hint,
    }
}

/// A proof of the user's ids.
pub(crate) fn identity(connection: &Connection, openid: &str, unionid: Option<&str>) -> Proof {
    Proof {
        shared: unionid.map(|unionid| super::identity_key(connection, IdentityKind::Unionid, unionid)),
        ..Proof::of(super::identity_key(connection, IdentityKind::Openid, openid))
    }
}

/// What WeChat said about a person. More than anybody's real data is not kept.
fn user_info<const N: usize>(said: [(&str, Value); N], longest: usize) -> IdpUserInfo {
    let said = said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    IdpUserInfo::of(said, longest).unwrap_or_default()
}

/// The nickname that WeChat gives for users who do not share theirs (since October 2022).
const PLACEHOLDER_NICKNAME: &str = "微信用户";
/// Part of the URL of the grey picture that comes with it.
const PLACEHOLDER_PHOTO: &str =
    "/POgEwh4mIHO4nibH0KlMECNjjGxQUq24ZEaGT4poC6icRiccVGKSyXwibcPq4BWmiaIGuG1icwxaQX6grC9VemZoJ8rg/";

/// The nickname and photo from WeChat, without its placeholders for users who share neither.
fn profile(nickname: Option<&str>, photo: Option<&str>, longest_nickname: usize) -> Profile {
    if nickname.is_some_and(|name| name.trim() == PLACEHOLDER_NICKNAME) {
        return Profile::default();
    }
    Profile {
        nickname: nickname.and_then(|name| clean_nickname(name, longest_nickname)),
        photo: photo.and_then(wechat_photo),
        ..Profile::default()
    }
}

fn clean_nickname(name: &str, limit: usize) -> Option<String> {
    let clean: String = name.trim().chars().filter(|c| !c.is_control()).take(limit).collect();
    Some(clean).filter(|name| !name.is_empty())
}

/// The normalized URL of a photo hosted by WeChat (`https://*.qlogo.cn/`). It is never fetched.
fn wechat_photo(address: &str) -> Option<String> {
    let parsed = url::Url::parse(address).ok()?;
    let at_wechat = parsed.host_str().is_some_and(|host| host.ends_with(".qlogo.cn"));
    let plain = parsed.username().is_empty() && parsed.password().is_none() && parsed.port().is_none();
    let kept = parsed.scheme() == "https" && at_wechat && plain && !address.contains(PLACEHOLDER_PHOTO);
    let normal = String::from(parsed);
    (kept && normal.len() <= 512).then_some(normal)
}

/// Logs one line for the operator, with WeChat's request id if there is one.
pub(crate) fn log_refusal(application: &Application, connection: &Connection, refusal: &Refusal) {
    let wechat = wechat_error(refusal);
    let (rid, errcode, class) = (
        wechat.and_then(|e| e.rid()),
        wechat.and_then(hufu_wechat::Error::errcode),
        wechat.map(|e| e.class().as_str()),
    );
    let error = hufu_types::chain(refusal);
    let (pool, application, connection) = (&application.pool, &application.id, &connection.identifier);
    match refusal.code() {
        Code::AppDown => {
            metrics::counter!("hufu_wechat_app_down_total", "connection" => connection.to_string())
                .increment(1);
            tracing::error!(%pool, %application, %connection, rid, errcode, class, error, "app out of service: this connection's logins fail until WeChat restores it");
        }
        Code::Misconfigured => {
            tracing::error!(%pool, %application, %connection, rid, errcode, class, error, "connection misconfigured: check AppID and AppSecret");
        }
        // The surface that renders it logs it, as every internal error.
        Code::Internal | Code::Overloaded => {}
        _ => tracing::warn!(%pool, %application, %connection, rid, errcode, class, error, "refused"),
    }
}

pub(crate) fn wechat_error(refusal: &Refusal) -> Option<&hufu_wechat::Error> {
    refusal.source_as()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_only_from_where_wechat_keeps_them() {
        for (url, fine) in [
            ("https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132", true),
            ("http://thirdwx.qlogo.cn/mmopen/vi_32/abc/132", false),
            ("https://qlogo.cn.evil.example/x", false),
            ("https://evilqlogo.cn/x", false),
            ("https://user@thirdwx.qlogo.cn/x", false),
            ("https://thirdwx.qlogo.cn:8443/x", false),
            ("javascript:alert(1)//.qlogo.cn/", false),
            ("", false),
        ] {
            assert_eq!(wechat_photo(url).is_some(), fine, "{url}");
        }
    }

    #[test]
    fn photos_are_kept_in_normal_form() {
        let kept = wechat_photo("https://thirdwx.qlogo.cn/a b\u{0}\n").unwrap();
        assert_eq!(kept, "https://thirdwx.qlogo.cn/a%20b");
    }

    #[test]
    fn nicknames_of_every_script() {
        let emoji = "😀".repeat(64);
        for name in ["小明", "محمد", "\u{202e}rtl", &emoji, "O'Brien <b>"] {
            assert_eq!(clean_nickname(name, 256).as_deref(), Some(name));
        }
        assert_eq!(clean_nickname(" \u{0}\n ", 256), None);
        assert_eq!(clean_nickname("", 256), None);
        assert_eq!(clean_nickname(&"x".repeat(300), 256).map(|n| n.len()), Some(256));
    }
}
