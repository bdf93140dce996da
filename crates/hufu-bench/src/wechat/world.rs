//! The pool with its official accounts and its website, and the requests of browsers, followers and WeChat.

use crate::requests::Template;
use crate::world::World;

const POOL: &str = "6560c0ffee00000000000021";
pub(super) const APPLICATION: &str = "6560c0ffee00000000000022";
/// The AppID of the website.
const WEBSITE: &str = "wx6560c0ffee000021";
const REDIRECT: &str = "https://shop.example.com/callback";
/// What the accounts agreed on with WeChat. Both are worthless elsewhere.
pub(super) const TOKEN: &str = "tokenOfTheBench";
pub(super) const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// An official account.
#[derive(Clone, Copy)]
pub(super) struct Account {
    pub(super) app_id: &'static str,
    pub(super) original_id: &'static str,
    identifier: &'static str,
    /// Whether its messages are encrypted (安全模式).
    pub(super) is_safe: bool,
}

/// Followers of this one log in.
pub(super) const SAFE: Account = Account {
    app_id: "wx6560c0ffee000022",
    original_id: "gh_6560c0ffee22",
    identifier: "bench-safe",
    is_safe: true,
};

/// Its messages are plain.
pub(super) const PLAIN: Account = Account {
    app_id: "wx6560c0ffee000023",
    original_id: "gh_6560c0ffee23",
    identifier: "bench-plain",
    is_safe: false,
};

impl Account {
    /// Where WeChat pushes its messages.
    pub(super) fn events(&self) -> String {
        format!("/connections/social/{}/{POOL}/events", self.identifier)
    }

    /// The app at WeChat.
    pub(super) fn app(&self) -> World {
        app(self.app_id)
    }

    fn connection(&self) -> String {
        let Account { app_id, original_id, identifier, is_safe } = self;
        let encryption =
            if *is_safe { format!("aes_key = \"{AES_KEY}\"") } else { "encryption = \"plain\"".to_owned() };
        let fields = format!("original_id = \"{original_id}\", token = \"{TOKEN}\", {encryption}");
        connection(identifier, "wechatmp-qrcode", &app(app_id), &format!(", {fields}"), "")
    }
}

/// The website at WeChat. Its Open Platform account is another one, so that nobody who logs in there is known to the
/// official accounts.
pub(super) fn website() -> World {
    World { open_platform: "bench-web".to_owned(), ..app(WEBSITE) }
}

fn app(app_id: &str) -> World {
    World {
        pool: POOL.to_owned(),
        application: APPLICATION.to_owned(),
        app_id: app_id.to_owned(),
        ..World::default()
    }
}

fn connection(identifier: &str, kind: &str, app: &World, fields: &str, more: &str) -> String {
    let World { app_id, app_secret, open_platform, .. } = app;
    format!(
        r#"
  [[user_pool.connection]]
  identifier = "{identifier}"
  type = "{kind}"
  open_platform = "{open_platform}"
  fields = {{ app_id = "{app_id}", app_secret = "{app_secret}"{fields} }}
{more}"#
    )
}

/// The file for `hufu apply`.
pub(super) fn apply_file() -> String {
    let connections = [
        SAFE.connection(),
        PLAIN.connection(),
        connection("bench-pc", "wechat:pc", &website(), "", "  return_user = true\n"),
    ];
    format!(
        r#"[[user_pool]]
id = "{POOL}"
name = "Benchmark"
  [user_pool.settings]
  qr = {{ life = "30m", ticket = "30m" }}
{}
  [[user_pool.application]]
  id = "{APPLICATION}"
  name = "Benchmark"
  type = "web"
  redirect_uris = ["{REDIRECT}"]
  connections = ["{}", "bench-pc"]
"#,
        connections.concat(),
        SAFE.identifier
    )
}

/// Who scans a QR code.
#[derive(Clone, Copy)]
pub(super) enum Scanner {
    /// The pool's own app: WeChat is not asked for the code.
    App,
    /// A follower of the official account.
    Follower,
}

/// A browser asks for a QR code. The value is its address. Kept: the secret and the scene.
pub(super) fn issue(scanner: Scanner) -> Template {
    let scene = match scanner {
        Scanner::App => "APP_AUTH",
        Scanner::Follower => "WECHATMP_AUTH",
    };
    Template::post_as("application/json", "/api/v2/qrcode/gene", &format!(r#"{{"scene":"{scene}"}}"#))
        .header("x-authing-app-id", APPLICATION)
        .header("x-forwarded-for", "{0}")
        .answered(200, "\"random\":\"")
        .keeping(&["\"random\":\"", "/api/v2/qrcode/"])
}

/// A browser asks how far its code has come. The value is its secret.
pub(super) fn check() -> Template {
    Template::get("/api/v2/qrcode/check?random={0}").answered(200, "\"status\":0")
}

/// WeChat pushes an event. The values are the address and the body.
pub(super) fn push() -> Template {
    Template::post_as("text/xml", "{0}", "{1}").answered(200, "success")
}

/// A browser is sent to WeChat. The value is its address. Kept: the state and the cookie.
pub(super) fn depart() -> Template {
    let path = format!("/connections/social/bench-pc?app_id={APPLICATION}&redirect_url={REDIRECT}");
    Template::get(&path)
        .header("x-forwarded-for", "{0}")
        .answered(303, "state=")
        .keeping(&["&state=", "hufu-form="])
}

/// WeChat sends the browser back. The values are the state, the cookie, the code and the browser's address.
pub(super) fn callback() -> Template {
    Template::get(&format!("/connection/social/bench-pc/{POOL}/callback?code={{2}}&state={{0}}"))
        .header("cookie", "hufu-form={1}")
        .header("x-forwarded-for", "{3}")
        .answered(303, "?code=200&")
}
