//! The login modes of WeChat, in the order in which they are tried. A row has everything that the page says about a
//! mode; how the demonstration is set up for it is in [`super::DemoMode`].

use super::samples::{self, Sample};

/// Where a login begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// On the login page of the website, where the connection's code is a tab.
    AtATab,
    /// On the login page of the website, where the connection's button leads to WeChat.
    AtAButton,
    /// On a page of the website that the phone has open: the same button, in WeChat's browser.
    InWechat,
    /// On a page of the website in the web-view of a mini program on the phone: the login page offers the way by itself.
    InWebView,
    /// In a mini program or an app on the phone.
    InAnApp,
}

/// A login mode as the page tells it.
#[derive(Debug)]
pub(super) struct Mode {
    /// Its name in addresses.
    pub(super) slug: &'static str,
    /// The kind of its connection.
    pub(super) kind: &'static str,
    pub(super) begins: Begins,
    /// The screen of the phone on which the first click is made. `APP_ID` stands for that of the mode, `PHONE_APP`
    /// for that of the native app, `PAGE` for where the login begins, `NOW` for the time at WeChat: codes that waited
    /// before are not those of this login.
    pub(super) screen: &'static str,
    /// The calls of WeChat behind it, in order.
    pub(super) calls: &'static [&'static str],
    /// How many of these calls come before the second click.
    pub(super) before_the_second: usize,
    pub(super) samples: &'static [&'static Sample],
    pub(super) texts: ModeTexts,
}

/// The keys of its texts.
#[derive(Debug)]
pub(super) struct ModeTexts {
    pub(super) name: &'static str,
    /// A few words for the list.
    pub(super) hint: &'static str,
    /// The kind of app of WeChat's that an OpenID of it belongs to.
    pub(super) app: &'static str,
    /// What it is for.
    pub(super) about: &'static str,
    /// The two clicks, and what comes of them.
    pub(super) clicks: [(&'static str, &'static str); 2],
    /// What the code has to do with it.
    pub(super) code: &'static str,
}

macro_rules! texts {
    ($slug:literal) => {
        ModeTexts {
            name: concat!("mode-", $slug),
            hint: concat!("mode-", $slug, "-hint"),
            app: concat!("mode-", $slug, "-app"),
            about: concat!("mode-", $slug, "-about"),
            clicks: [
                (concat!("mode-", $slug, "-first"), concat!("mode-", $slug, "-first-about")),
                (concat!("mode-", $slug, "-second"), concat!("mode-", $slug, "-second-about")),
            ],
            code: concat!("mode-", $slug, "-code"),
        }
    };
}

/// Every mode that there is.
pub(super) static ALL: [Mode; 7] = [
    Mode {
        slug: "mini-program",
        kind: "wechat:miniprogram:default",
        begins: Begins::InAnApp,
        screen: "/phone/minis",
        calls: &["/sns/jscode2session", "/wxa/business/getuserphonenumber"],
        before_the_second: 1,
        samples: samples::MINI_PROGRAM,
        texts: texts!("mini-program"),
    },
    Mode {
        slug: "official-account",
        kind: "wechatmp-qrcode",
        begins: Begins::AtATab,
        screen: "/phone/scan?since=NOW",
        calls: &["/cgi-bin/qrcode/create", "phone scan", "push subscribe", "/cgi-bin/user/info"],
        before_the_second: 2,
        samples: samples::WEBSITE,
        texts: texts!("official-account"),
    },
    Mode {
        slug: "pc-scan",
        kind: "wechat:pc",
        begins: Begins::AtAButton,
        screen: "/phone/scan?since=NOW",
        calls: &["/connect/qrconnect", "phone scan", "/sns/oauth2/access_token", "/sns/userinfo"],
        before_the_second: 2,
        samples: samples::WEBSITE,
        texts: texts!("pc-scan"),
    },
    Mode {
        slug: "mini-program-scan",
        kind: "wechat:miniprogram:qrconnect",
        begins: Begins::AtATab,
        screen: "/phone/scan?since=NOW",
        calls: &[
            "/wxa/getwxacodeunlimit",
            "phone open mini program",
            "/sns/jscode2session",
            "/wxa/business/getuserphonenumber",
        ],
        before_the_second: 2,
        samples: samples::WEBSITE,
        texts: texts!("mini-program-scan"),
    },
    Mode {
        slug: "web-page",
        kind: "wechat:webpage-authorization",
        begins: Begins::InWechat,
        screen: "/phone/browser?url=PAGE",
        calls: &["phone open link", "/connect/oauth2/authorize", "/sns/oauth2/access_token", "/sns/userinfo"],
        before_the_second: 2,
        samples: samples::WEBSITE,
        texts: texts!("web-page"),
    },
    Mode {
        slug: "native-app",
        kind: "wechat:mobile",
        begins: Begins::InAnApp,
        screen: "/phone/app/APP_ID",
        calls: &["phone open app", "/sns/oauth2/access_token", "/sns/userinfo"],
        before_the_second: 1,
        samples: samples::NATIVE_APP,
        texts: texts!("native-app"),
    },
    Mode {
        slug: "app-launch",
        kind: "wechat:miniprogram:app-launch",
        begins: Begins::InAnApp,
        screen: "/phone/app/PHONE_APP?launch",
        calls: &["phone open mini program", "/sns/jscode2session", "/wxa/business/getuserphonenumber"],
        before_the_second: 1,
        samples: samples::APP_LAUNCH,
        texts: texts!("app-launch"),
    },
];

/// What stands beside [`ALL`]: the first mode's connection, for a page that a mini program shows in its web-view.
pub(super) static WEB_VIEW: Mode = Mode {
    slug: "web-view",
    kind: "wechat:miniprogram:default",
    begins: Begins::InWebView,
    screen: "/phone/minis?web-view",
    calls: &["phone open web-view", "phone leave web-view", "/sns/jscode2session"],
    before_the_second: 1,
    samples: samples::WEBSITE,
    texts: texts!("web-view"),
};

/// The mode of this kind.
pub(super) fn of_kind(kind: &str) -> Option<&'static Mode> {
    ALL.iter().find(|mode| mode.kind == kind)
}
