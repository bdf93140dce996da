//! The seven ways, and the configuration that has them all.

use hufu_testkit::world::{FILE, MINI, SHOP_APP, SHOP_WEB};

use crate::hosted::BACK;

/// The website app.
pub(super) const WEBSITE: &str = "wx00000000000000d1";
/// The official account: of its web pages, and of its QR code.
pub(super) const ACCOUNT: &str = "wx00000000000000d2";
/// The mobile app.
pub(super) const MOBILE: &str = "wx00000000000000c1";
/// The mini program that the native app launches.
pub(super) const LAUNCHED: &str = "wx00000000000000c2";
/// The native app.
pub(super) const SHOP_PHONE: &str = "6560c0ffee00000000000005";
pub(super) const TOKEN: &str = "tokenOfTheShop";
pub(super) const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
pub(super) const IN_WECHAT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.50 Language/zh_CN";

/// The ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    MiniProgram,
    Mobile,
    AppLaunch,
    Pc,
    Webpage,
    Follow,
    Scan,
}

impl Mode {
    pub(super) const ALL: [Self; 7] =
        [Self::MiniProgram, Self::Mobile, Self::AppLaunch, Self::Pc, Self::Webpage, Self::Follow, Self::Scan];

    /// The AppID at WeChat. Two kinds of connections may share an app, which gives people the same OpenID then.
    pub(super) const fn app_id(self) -> &'static str {
        match self {
            Self::MiniProgram | Self::Scan => MINI,
            Self::Mobile => MOBILE,
            Self::AppLaunch => LAUNCHED,
            Self::Pc => WEBSITE,
            Self::Webpage | Self::Follow => ACCOUNT,
        }
    }

    pub(super) const fn connection(self) -> &'static str {
        match self {
            Self::MiniProgram => "shop-mini",
            Self::Mobile => "shop-phone",
            Self::AppLaunch => "shop-launch",
            Self::Pc => "shop-pc",
            Self::Webpage => "shop-h5",
            Self::Follow => "shop-oa",
            Self::Scan => "shop-scan",
        }
    }

    /// The application that people log in to in this way.
    pub(super) const fn application(self) -> &'static str {
        match self {
            Self::MiniProgram => SHOP_APP,
            Self::Mobile | Self::AppLaunch => SHOP_PHONE,
            Self::Pc | Self::Webpage | Self::Follow | Self::Scan => SHOP_WEB,
        }
    }

    /// Whether what is sent to WeChat at the login itself is a code.
    pub(super) const fn sends_a_code(self) -> bool {
        !matches!(self, Self::Follow | Self::Scan)
    }
}

/// The standard file with a connection of each kind. `more` are further lines of each.
pub(super) fn file(more: &str) -> String {
    let connection = |mode: Mode, kind: &str, fields: &str| {
        format!(
            "
  [[user_pool.connection]]
  identifier = \"{}\"
  type = \"{kind}\"
  open_platform = \"shop\"
  {more}
  fields = {{ {fields} }}",
            mode.connection()
        )
    };
    let own = |mode: Mode| format!("app_id = \"{0}\", app_secret = \"secret-of-{0}\"", mode.app_id());
    let with = |mode: Mode, fields: &str| format!("{}, {fields}", own(mode));
    let launch =
        with(Mode::AppLaunch, &format!("mobile_app_id = \"{MOBILE}\", original_id = \"gh_0123456789ab\""));
    let follow = with(
        Mode::Follow,
        &format!("original_id = \"gh_5h0p\", token = \"{TOKEN}\", aes_key = \"{AES_KEY}\""),
    );
    let added = [
        connection(Mode::Mobile, "wechat:mobile", &own(Mode::Mobile)),
        connection(Mode::AppLaunch, "wechat:miniprogram:app-launch", &launch),
        connection(Mode::Pc, "wechat:pc", &own(Mode::Pc)).replace("fields", "return_user = true\n  fields"),
        connection(Mode::Webpage, "wechat:webpage-authorization", &own(Mode::Webpage))
            .replace("fields", "return_user = true\n  fields"),
        connection(Mode::Follow, "wechatmp-qrcode", &follow),
        connection(Mode::Scan, "wechat:miniprogram:qrconnect", &own(Mode::Scan)),
        format!(
            "
  [[user_pool.application]]
  id = \"{SHOP_PHONE}\"
  name = \"Shop phone app\"
  type = \"native\"
  connections = [\"shop-phone\", \"shop-launch\"]"
        ),
    ];
    let first = "\n  [[user_pool.application]]\n  id = \"6560c0ffee00000000000003\"";
    let mini = "identifier = \"shop-mini\"";
    FILE.replacen(first, &format!("{}{first}", added.concat()), 1)
        .replacen(mini, &format!("{mini}\n  {more}"), 1)
        .replacen(
            "connections = [\"shop-two\", \"shop-mini\"]",
            &format!(
                "connections = [\"shop-pc\", \"shop-h5\", \"shop-oa\", \"shop-scan\"]\n  redirect_uris = [\"{BACK}\"]"
            ),
            1,
        )
}
