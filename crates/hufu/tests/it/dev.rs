//! `hufu dev`, `hufu sandbox` and `hufu try`: everything runs on one machine, and is reachable only there.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, Ran, Server, hufu};

/// `hufu dev` in a folder.
struct Dev {
    process: Process,
    server: String,
    sandbox: String,
    /// The command it prints to copy and paste.
    command: String,
}

impl Dev {
    async fn start(folder: &TempDir) -> Self {
        Self::start_at(folder, "127.0.0.1:0").await
    }

    async fn start_at(folder: &TempDir, server: &str) -> Self {
        let anywhere =
            [["--listen", server], ["--sandbox-listen", "127.0.0.1:0"], ["--metrics-listen", "127.0.0.1:0"]];
        let process = Process::start(hufu().current_dir(folder).arg("dev").args(anywhere.as_flattened()));
        let word = async |mark: &str| {
            let line = process.out.line_with(mark).await;
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let (server, sandbox) = (word("  Server ").await, word("  Sandbox ").await);
        let command = process.out.line_with("hufu try").await;
        Self { process, server, sandbox, command: command.trim().to_owned() }
    }

    /// Runs the printed command, with more arguments.
    async fn try_it(&self, more: &str) -> Ran {
        let mut shell = Command::new("sh");
        Process::start(shell.args(["-c", &format!("{} {more}", self.command)])).finish().await
    }

    async fn stop(self) {
        self.process.terminate();
        let ran = self.process.finish().await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.err, "", "nothing to warn of");
    }
}

/// The value after a label of `hufu try`.
fn shown<'o>(output: &'o str, label: &str) -> &'o str {
    let line = output.lines().find(|line| line.trim_start().starts_with(label));
    let line = line.unwrap_or_else(|| panic!("no {label}: {output}"));
    line.trim_start()[label.len()..].trim()
}

#[tokio::test]
async fn the_printed_command_logs_in_and_the_data_stays() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder).await;
    let ran = dev.try_it("").await;
    let first = ran.succeeded();
    for step in
        ["1. wx.login()", "2. loginByCode(code)", "3. The account", "4. The token", "5. The token in use"]
    {
        assert!(first.contains(step), "{step}: {first}");
    }
    assert_eq!(shown(first, "3. The account"), "created now: this is login number 1");
    assert!(shown(first, "exchange").contains("/sns/jscode2session"), "{first}");
    let decoded: Value = serde_json::from_str(shown(first, "claims")).unwrap();
    assert_eq!(decoded["sub"], shown(first, "id"));
    assert_eq!(decoded["iss"], format!("{}/oidc", dev.server));
    let status: Value = serde_json::from_str(shown(first, "answer")).unwrap();
    assert_eq!((&status["code"], &status["status"]), (&200.into(), &true.into()));
    dev.stop().await;

    // Another process with the same folder finds the same account.
    let dev = Dev::start(&folder).await;
    let ran = dev.try_it("").await;
    let second = ran.succeeded();
    assert_eq!(shown(second, "3. The account"), "found: this is login number 2");
    assert_eq!(shown(second, "id"), shown(first, "id"));
    let ran = dev.try_it("--person new").await;
    let stranger = ran.succeeded();
    assert_eq!(shown(stranger, "3. The account"), "created now: this is login number 1");
    assert_ne!(shown(stranger, "id"), shown(first, "id"));

    // The mini program that asks new users: the login waits, then continues.
    let asking = "--app-id 6560c0ffee00000000000007 --wechat-app-id wx0de30de30de30002 --person new";
    let ran = dev.try_it(asking).await;
    let asked = ran.succeeded();
    assert!(
        shown(asked, "waits").ends_with("(code 1641)")
            && shown(asked, "create").contains("/api/v3/login-flows/")
    );
    assert_eq!(shown(asked, "3. The account"), "created now: this is login number 1");
    dev.stop().await;
}

/// Each start applies the demonstration's file.
#[tokio::test]
async fn the_clients_of_the_demonstration_keep_their_secrets() {
    let folder = tempfile::tempdir().unwrap();
    // Its website returns to the server's address.
    let address = crate::support::free_address().to_string();
    let applications = async || {
        let dev = Dev::start_at(&folder, &address).await;
        dev.stop().await;
        let url = format!("sqlite://{}", folder.path().join("hufu-data/hufu.db").display());
        let store = hufu_store::Store::open(&url.parse().unwrap()).await.unwrap();
        let config = store.read(hufu_store::config::ReadConfig).await.unwrap();
        store.close().await;
        (config.version, config.applications)
    };
    let first = applications().await;
    let (_, demo) = &first;
    assert_eq!(demo.len(), 6);
    for application in demo {
        let is_confidential = ["6560c0ffee00000000000003", "6560c0ffee00000000000006"];
        let is_confidential = is_confidential.contains(&application.id.as_str());
        assert_eq!(application.is_public(), !is_confidential, "{application:?}");
        assert_eq!(application.secrets.len(), usize::from(is_confidential), "{application:?}");
    }
    assert!(demo.iter().any(|application| application.has_redirect_uri("http://localhost:3000/callback")));
    let back = format!("http://{address}/dev/callback");
    assert!(demo.iter().any(|application| application.has_redirect_uri(&back)), "{back}");
    assert_eq!(applications().await, first, "another start changes nothing");
}

#[tokio::test]
async fn what_is_for_development_answers_to_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder).await;
    let (server, sandbox) = (Client::of(&dev.server), Client::of(&dev.sandbox));
    let port = dev.server.rsplit(':').next().unwrap();
    for path in ["/healthz", "/oidc/.well-known/jwks.json", "/api/v3/system", "/nothing"] {
        for host in ["attacker.example", &format!("127.0.0.1.attacker.example:{port}"), "192.0.2.1"] {
            assert_eq!(server.get_as(host, path).await.status, 403, "{host} {path}");
        }
    }
    for path in ["/__sandbox/users", "/__sandbox/log", "/"] {
        assert_eq!(sandbox.get_as("attacker.example", path).await.status, 403, "{path}");
        assert_eq!(sandbox.get(path).await.status, 200, "{path}");
    }
    for host in ["localhost", &format!("127.0.0.1:{port}"), "[::1]"] {
        assert_eq!(server.get_as(host, "/healthz").await.status, 200, "{host}");
    }
    assert_eq!(server.get("/__sandbox/users").await.status, 404, "the server itself has no sandbox");
    assert_eq!(server.get("/dev/outbox.json").await.text, "[]", "nobody was sent anything");
    assert!(server.get("/dev/outbox").await.text.contains("<h1>Outbox</h1>"));
    for path in ["/dev/outbox", "/dev/outbox.json"] {
        assert_eq!(server.get_as("attacker.example", path).await.status, 403, "{path}");
    }
    let readiness = server.get("/readyz").await.json();
    assert_eq!(readiness, json!({ "status": "ready", "warnings": ["development: WeChat is the sandbox"] }));
    dev.stop().await;
}

#[tokio::test]
async fn a_code_is_shown_in_the_terminal_and_in_the_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder).await;
    let told = dev.process.out.line_with("  Outbox ").await;
    assert!(told.contains(&format!("{}/dev/outbox ", dev.server)), "{told}");
    let server = Client::of(&dev.server);
    let asked = json!({ "phoneNumber": "13800000001", "channel": "CHANNEL_LOGIN" });
    server.post("/api/v3/send-sms", &asked).await.data();
    let shown = dev.process.out.line_with("SMS to ").await;
    assert!(shown.ends_with("+8613800000001"), "{shown}");
    let line = dev.process.out.line_with("    code ").await;
    let list = server.get("/dev/outbox.json").await.json();
    assert_eq!(list[0]["code"].as_str(), line.split_whitespace().nth(1), "{list}");
    assert_eq!((list[0]["channel"].as_str(), list[0]["to"].as_str()), (Some("sms"), Some("+8613800000001")));
    dev.stop().await;
}

/// A browser with cookies, for the start page and the phone.
struct Browser {
    http: reqwest::Client,
    cookies: std::cell::RefCell<std::collections::BTreeMap<String, String>>,
}

impl Browser {
    fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, cookies: std::cell::RefCell::default() }
    }

    /// Opens an address and whatever it redirects to, or submits a form. Returns the last address and its page.
    async fn send(&self, url: &str, mut form: Option<String>) -> (String, String) {
        let mut url = reqwest::Url::parse(url).unwrap();
        for _ in 0..12 {
            let request = match form.take() {
                Some(form) => self.http.post(url.clone()).body(form),
                None => self.http.get(url.clone()),
            };
            let cookies: Vec<_> =
                self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = request.header("accept", "text/html").header("accept-language", "en");
            let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
            for set in answer.headers().get_all("set-cookie") {
                let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
            let Some(next) = answer.headers().get("location") else {
                assert!(!answer.status().is_server_error(), "{url}: {}", answer.status());
                return (url.to_string(), answer.text().await.unwrap());
            };
            url = url.join(next.to_str().unwrap()).unwrap();
        }
        panic!("too many redirects: {url}");
    }
}

/// The value of the first hidden field of this name.
fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&mark).unwrap_or_else(|| panic!("no {name}: {page}"));
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://x/").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

/// All seven modes of the start page, each by its two clicks.
#[tokio::test]
async fn the_start_page_leads_through_every_mode() {
    const MINI: &str = "wx0de30de30de30001";
    const PHONE_APP: &str = "wx0de30de30de30003";
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder).await;
    let told = dev.process.out.line_with("  Start ").await;
    assert!(told.ends_with(&format!("{}/", dev.server)), "{told}");
    let browser = Browser::new();
    let phone = async |path: &str, form: Option<&[(&str, &str)]>| {
        browser.send(&format!("{}{path}", dev.sandbox), form.map(encoded)).await
    };
    let ticked = async |count: usize, mode: &str| {
        let (_, page) = browser.send(&format!("{}/?mode={mode}", dev.server), None).await;
        assert_eq!(page.matches("<li class=\"done\"><a ").count(), count, "{mode}: {page}");
        page
    };
    // Where the page of a code goes when something has become of it.
    let next = |page: &str| {
        let (_, rest) = page.split_once("data-next=\"").unwrap_or_else(|| panic!("no code: {page}"));
        format!("{}{}", dev.server, rest.split('"').next().unwrap().replace("&amp;", "&"))
    };
    let page = ticked(0, "mini-program").await;
    assert!(page.contains("Seven WeChat logins") && page.contains("One half is here"), "{page}");

    // The mini program: it is opened, and the number is given.
    phone(&format!("/phone/mini/{MINI}"), None).await;
    ticked(1, "mini-program").await;
    phone(&format!("/phone/mini/{MINI}"), Some(&[("answer", "allow"), ("phone", "allow")])).await;
    let page = ticked(1, "mini-program").await;
    assert!(page.contains("+8613900000008") && page.contains("林晓"), "{page}");

    // The official account: its code is on the login page.
    let (_, login) = browser.send(&format!("{}/dev/try/official-account", dev.server), None).await;
    let (_, scanner) = phone("/phone/scan", None).await;
    let ticket = hidden(&scanner, "ticket");
    let (_, asked) = phone("/phone/ticket", Some(&[("ticket", &ticket)])).await;
    assert!(asked.contains("value=\"follow\""), "{asked}");
    phone("/phone/ticket", Some(&[("ticket", &ticket), ("answer", "follow")])).await;
    let (end, _) = browser.send(&next(&login), None).await;
    assert!(end.contains("/?mode=official-account"), "{end}");
    let page = ticked(2, "official-account").await;
    assert!(page.contains("The halves fit."), "{page}");

    // The website's code, refused first, which is no tick.
    let control = Client::of(&dev.sandbox);
    for (consent, count) in [(false, 2), (true, 3)] {
        let (url, _) = browser.send(&format!("{}/dev/try/pc-scan", dev.server), None).await;
        assert!(url.contains("/open/connect/qrconnect?"), "{url}");
        let decided = json!({ "url": url, "user": "lin", "consent": consent });
        let decided = control.post("/__sandbox/authorize", &decided).await.json();
        let (_, page) = browser.send(decided["location"].as_str().unwrap(), None).await;
        // After a refusal the login page says so, and offers its other ways.
        assert_eq!(page.contains("name=\"password\""), !consent, "{page}");
        ticked(count, "pc-scan").await;
    }

    // The mini program's code: the login mini program is opened by its scene.
    let (_, login) = browser.send(&format!("{}/dev/try/mini-program-scan", dev.server), None).await;
    let (_, scanner) = phone("/phone/scan", None).await;
    let (_, rest) = scanner.split_once(&format!("/phone/mini/{MINI}?scene=")).expect("a code that waits");
    let scene = rest.split('"').next().unwrap();
    let run = json!({ "app_id": MINI, "user": "lin", "scene": scene });
    let run = control.post("/__sandbox/mini-login", &run).await.json();
    assert_eq!(run["ok"], true, "{run}");
    browser.send(&next(&login), None).await;
    ticked(4, "mini-program-scan").await;

    // A page in WeChat: the phone opens it, and comes back.
    let link = format!("{}/dev/try/web-page", dev.server);
    let (_, asked) = phone(&format!("/phone/browser/go?{}", encoded(&[("url", &link)])), None).await;
    let query = hidden(&asked, "query");
    let answer = [("query", query.as_str()), ("user", "lin"), ("consent", "allow")];
    let (end, _) = phone("/open/connect/oauth2/authorize", Some(&answer)).await;
    assert!(end.starts_with(&dev.sandbox) && end.ends_with("ended=ok"), "{end}");
    ticked(5, "web-page").await;

    // The native app, and the mini program that it launches.
    phone(&format!("/phone/app/{PHONE_APP}"), Some(&[("act", "login")])).await;
    phone(&format!("/phone/app/{PHONE_APP}"), Some(&[("act", "deny")])).await;
    assert!(ticked(5, "native-app").await.contains("The person refused."));
    phone(&format!("/phone/app/{PHONE_APP}"), Some(&[("act", "allow")])).await;
    ticked(6, "native-app").await;
    phone(&format!("/phone/mini/{MINI}?from={PHONE_APP}"), None).await;
    let answered: &[_] = &[("answer", "allow"), ("phone", "allow"), ("from", PHONE_APP)];
    phone(&format!("/phone/mini/{MINI}"), Some(answered)).await;
    ticked(7, "app-launch").await;
    dev.stop().await;
}

#[tokio::test]
async fn what_is_for_development_does_not_listen_beyond_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        ["dev", "--listen", "0.0.0.0:0"],
        ["dev", "--sandbox-listen", "192.0.2.1:3100"],
        ["dev", "--metrics-listen", "[::]:0"],
        ["sandbox", "--listen", "0.0.0.0:0"],
    ] {
        let ran = Process::start(hufu().current_dir(&folder).args(arguments)).finish().await;
        let error = ran.failed();
        assert!(error.contains(arguments[2]) && error.contains("--allow-remote"), "{error}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing was made");
}

#[tokio::test]
async fn development_data_is_not_served_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder).await;
    dev.stop().await;

    let serve = |more: &[&str]| {
        let mut command = hufu();
        command.current_dir(&folder).arg("serve").args(more).env("HUFU_LISTEN", "127.0.0.1:0");
        command.env("HUFU_DATABASE_URL", "sqlite://hufu-data/hufu.db");
        command.env("HUFU_ENCRYPTION_KEY_FILE", "hufu-data/hufu.key");
        command
    };
    let ran = Process::start(&mut serve(&[])).finish().await;
    assert!(ran.failed().contains("--accept-dev-data"), "{ran:?}");

    let server = Server::start(&mut serve(&["--accept-dev-data"])).await;
    assert_eq!(server.client.get_as("id.example.com", "/healthz").await.status, 200, "any name will do");
    assert_eq!(server.client.get("/__sandbox/users").await.status, 404);
    for path in ["/", "/dev/outbox.json", "/dev/state.json", "/dev/try/pc-scan", "/dev/callback"] {
        assert_eq!(server.client.get(path).await.status, 404, "{path}: neither outbox nor start page");
    }
    assert_eq!(server.client.post("/dev/received", &json!({})).await.status, 404);
    server.stop().await.succeeded();
}

#[tokio::test]
async fn the_sandbox_alone_is_a_wechat_to_log_in_with() {
    let process = Process::start(hufu().args(["sandbox", "--listen", "127.0.0.1:0"]));
    let line = process.out.line_with("WeChat sandbox at ").await;
    let base = line.split_whitespace().nth(3).unwrap().trim_end_matches('/');
    let sandbox = Client::of(base);
    assert!(line.contains(&format!("{base}/api")), "{line}");
    let drawn =
        sandbox.post("/__sandbox/codes", &json!({ "app_id": "wx0de30de30de30001", "user": "bob" })).await;
    let code = drawn.json()["code"].as_str().unwrap().to_owned();
    let exchange = format!(
        "/api/sns/jscode2session?appid=wx0de30de30de30001&secret=0de30de30de30de30de30de30de30001\
         &js_code={code}&grant_type=authorization_code"
    );
    assert!(sandbox.get(&exchange).await.json()["openid"].is_string());
    assert_eq!(sandbox.get_as("attacker.example", "/__sandbox/users").await.status, 403);
    process.terminate();
    assert_eq!(process.finish().await.code, Some(0));
}

#[tokio::test]
async fn without_a_server_trying_says_what_is_missing() {
    let nobody = format!("http://{}", crate::support::free_address());
    let ran = Process::start(hufu().args(["try", "--host", &nobody, "--sandbox", &nobody])).finish().await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("is `hufu dev` running?"), "{ran:?}");
}
