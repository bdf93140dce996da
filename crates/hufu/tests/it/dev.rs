//! `hufu dev`, `hufu sandbox` and `hufu try`: everything runs on one machine, and is reachable only there.

mod database;
mod walk;

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
        Self::start_with(folder, &["--listen", "127.0.0.1:0"]).await
    }

    /// With a database of this URL.
    async fn start_on(folder: &TempDir, database: &str) -> Self {
        Self::start_with(folder, &["--listen", "127.0.0.1:0", "--database-url", database]).await
    }

    async fn start_with(folder: &TempDir, arguments: &[&str]) -> Self {
        let anywhere = ["--sandbox-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
        let mut command = hufu();
        let process = Process::start(command.current_dir(folder).arg("dev").args(anywhere).args(arguments));
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
        let dev = Dev::start_with(&folder, &["--listen", &address]).await;
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
