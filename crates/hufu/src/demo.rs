//! The demo: a pool, with matching apps and people in the sandbox.

use anyhow::Context as _;
use hufu_app::apply::file::{self, Desired};
use hufu_pages::dev::DemoMode;
use hufu_sandbox::{AppKind, MessageMode, Messages, NewApp, NewUser, Options, Sandbox};
use hufu_types::Random;
use secrecy::SecretString;

/// The pool.
pub(crate) const POOL: &str = "6560c0ffee00000000000001";
/// The mini program application.
pub(crate) const APPLICATION: &str = "6560c0ffee00000000000002";
/// The AppID of the mini program in the sandbox.
pub(crate) const APP_ID: &str = "wx0de30de30de30001";
/// The application whose connection asks new users whether they already have an account.
pub(crate) const ASK_APPLICATION: &str = "6560c0ffee00000000000007";
/// The AppID of its mini program in the sandbox.
pub(crate) const ASK_APP_ID: &str = "wx0de30de30de30002";
/// The client secret of the website.
pub(crate) const WEBSITE_SECRET: &str = "demonstration-secret-of-the-website-01";
/// Whose phone it is in the sandbox, until somebody else is chosen.
const PHONE_OWNER: &str = "lin";
/// The apps on the phone that run a program of the demonstration.
pub(crate) const PROGRAMS: [&str; 2] = [APP_ID, MOBILE_APP_ID];
/// The kind of the connection by which the phone app launches the mini program.
pub(crate) const LAUNCH: &str = "wechat:miniprogram:app-launch";
/// The id of the phone app.
const PHONE_APP: &str = "6560c0ffee00000000000005";
/// The id of the website.
const WEBSITE: &str = "6560c0ffee00000000000003";
/// The AppID of the website in the sandbox.
const WEBSITE_APP_ID: &str = "wx0de30de30de30004";
/// The AppID of the official account in the sandbox.
const ACCOUNT_APP_ID: &str = "wx0de30de30de30005";
/// The AppID of the phone app in the sandbox.
const MOBILE_APP_ID: &str = "wx0de30de30de30003";
/// How each mode of the start page is set up.
pub(crate) const MODES: [DemoMode; 7] = [
    DemoMode {
        kind: "wechat:miniprogram:default",
        connection: "demo-mini",
        application: APPLICATION,
        app_id: APP_ID,
    },
    DemoMode {
        kind: "wechatmp-qrcode",
        connection: "demo-official",
        application: WEBSITE,
        app_id: ACCOUNT_APP_ID,
    },
    DemoMode { kind: "wechat:pc", connection: "demo-pc", application: WEBSITE, app_id: WEBSITE_APP_ID },
    DemoMode {
        kind: "wechat:miniprogram:qrconnect",
        connection: "demo-scan",
        application: WEBSITE,
        app_id: APP_ID,
    },
    DemoMode {
        kind: "wechat:webpage-authorization",
        connection: "demo-page",
        application: WEBSITE,
        app_id: ACCOUNT_APP_ID,
    },
    DemoMode {
        kind: "wechat:mobile",
        connection: "demo-phone",
        application: PHONE_APP,
        app_id: MOBILE_APP_ID,
    },
    DemoMode { kind: LAUNCH, connection: "demo-launch", application: PHONE_APP, app_id: APP_ID },
];
/// How the website logs in within the web-view of the mini program.
pub(crate) const WEB_VIEW: DemoMode = DemoMode {
    kind: "wechat:miniprogram:default",
    connection: "demo-mini",
    application: WEBSITE,
    app_id: APP_ID,
};
/// The page of the mini program to which such a login leads, as the connection names it.
pub(crate) const WEB_VIEW_PAGE: &str = "pages/login/index";
/// The apps of the sandbox with their names and secrets.
const APPS: [(&str, &str, &str, AppKind); 5] = [
    (APP_ID, "青禾商城 Qinghe", "0de30de30de30de30de30de30de30001", AppKind::Miniprogram),
    (ASK_APP_ID, "青禾会员 Asks first", "0de30de30de30de30de30de30de30002", AppKind::Miniprogram),
    (MOBILE_APP_ID, "青禾 Qinghe App", "0de30de30de30de30de30de30de30003", AppKind::Mobile),
    (WEBSITE_APP_ID, "青禾生活 Qinghe", "0de30de30de30de30de30de30de30004", AppKind::Website),
    (ACCOUNT_APP_ID, "青禾生活 Qinghe", "0de30de30de30de30de30de30de30005", AppKind::ServiceAccount),
];
/// The server in [`TEXT`].
const SERVER: &str = "http://127.0.0.1:3000/";
const TEXT: &str = include_str!("demo.toml");

/// The demo pool of a server at this address, to which its website returns.
pub(crate) fn pool(server: &str) -> anyhow::Result<Desired> {
    let text = TEXT.replace(SERVER, &format!("{server}/"));
    file::read(&text, "demo.toml", &|_| None).context("the demonstration's own file")
}

/// What the demonstration's apps show to their back end: new in each process.
pub(crate) fn report_secret(random: &dyn Random) -> SecretString {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    hex::encode(bytes).into()
}

/// The sandbox of the demonstration: whose phone it is, and where its login mini program logs in.
pub(crate) fn sandbox_options(server: Option<String>) -> Options {
    Options {
        phone_owner: Some(PHONE_OWNER.to_owned()),
        login_mini_program_host: server,
        ..Options::default()
    }
}

/// The original ids that the pool's connections name.
fn original_id(app_id: &str) -> Option<String> {
    [(APP_ID, "gh_0de30de30001"), (ACCOUNT_APP_ID, "gh_0de30de30005")]
        .into_iter()
        .find_map(|(of, id)| (of == app_id).then(|| id.to_owned()))
}

/// Where and how WeChat pushes the messages of the official account.
fn messages(server: &str) -> Messages {
    Messages {
        url: format!("{server}/connections/social/demo-official/{POOL}/events"),
        token: "demonstrationToken".into(),
        encoding_aes_key: Some("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE".into()),
        mode: MessageMode::Safe,
    }
}

/// Registers the apps and creates a few people. WeChat pushes the messages of the official account to the server.
pub(crate) fn fill_sandbox(sandbox: &Sandbox, server: Option<&str>) -> anyhow::Result<()> {
    for (app_id, name, secret, kind) in APPS {
        sandbox.add_app(NewApp {
            app_id: Some(app_id.to_owned()),
            name: Some(name.to_owned()),
            secret: Some(secret.into()),
            open_platform: Some("demo".to_owned()),
            kind,
            original_id: original_id(app_id),
            messages: server.filter(|_| app_id == ACCOUNT_APP_ID).map(messages),
            ..NewApp::default()
        })?;
    }
    for (name, phone, nickname) in [
        (PHONE_OWNER, "13900000008", Some("林晓")),
        ("alice", "13800000001", Some("Alice")),
        ("bob", "13800000002", Some("小明")),
        ("carol", "13800000003", None),
    ] {
        sandbox.add_user(NewUser {
            name: Some(name.to_owned()),
            phone: Some(phone.to_owned()),
            nickname: nickname.map(str::to_owned),
            ..NewUser::default()
        })?;
    }
    Ok(())
}
