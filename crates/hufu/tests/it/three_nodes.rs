//! Three nodes on one database. A QR code is issued by one, WeChat tells another that it was scanned, and the browser waits
//! at the third. Nodes that die take no login with them, and nobody logs in twice by it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use hufu_sandbox::{AppKind, Delivery, NewApp, NewUser};
use hufu_testkit::{on_both_engines, raw};
use hufu_types::{Clock as _, SystemClock};
use hufu_wechat::crypto::message::EncodingAesKey;
use hufu_wechat::message::signed_push;
use serde_json::{Value, json};

use crate::support::{Instance, POOL, SECRET, Server, TIMEOUT, WORLD, claims};

/// The official account, and what it agreed on with WeChat.
const ACCOUNT: &str = "wx00000000000000d1";
const ORIGINAL_ID: &str = "gh_000000000001";
const TOKEN: &str = "tokenOfTheShop";
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
/// The application whose browsers show its QR codes.
const TILL: &str = "6560c0ffee00000000000003";
/// How many people log in.
const PEOPLE: usize = 24;
/// A ticket that cannot be used any more.
const TICKET_INVALID: u64 = 2574;

/// The instance with the account, which everybody follows. Returns their OpenIDs.
async fn prepare(instance: &Instance) -> Vec<String> {
    let app = NewApp {
        app_id: Some(ACCOUNT.to_owned()),
        secret: Some(SECRET.into()),
        open_platform: Some("shop".to_owned()),
        kind: AppKind::ServiceAccount,
        original_id: Some(ORIGINAL_ID.to_owned()),
        ..NewApp::default()
    };
    instance.sandbox.add_app(app).unwrap();
    let added = format!(
        r#"
  [[user_pool.connection]]
  identifier = "shop-account"
  type = "wechatmp-qrcode"
  open_platform = "shop"
  fields = {{ app_id = "{ACCOUNT}", app_secret = {{ env = "SHOP_SECRET" }}, original_id = "{ORIGINAL_ID}", token = "{TOKEN}", aes_key = "{AES_KEY}" }}
  [[user_pool.application]]
  id = "{TILL}"
  name = "Till"
  type = "web"
  connections = ["shop-account"]
"#
    );
    instance.write("world.toml", &format!("{WORLD}{added}"));
    instance.run(&["apply", "world.toml"]).await.succeeded();
    let mut followers = Vec::new();
    for number in 0..PEOPLE {
        let name = format!("follower-{number}");
        let person = NewUser { name: Some(name.clone()), ..NewUser::default() };
        let view = instance.sandbox.add_user(person).unwrap();
        instance.sandbox.follow(ACCOUNT, &name, &Delivery::default()).await.unwrap();
        let ids = view.ids.into_iter().find(|ids| ids.app_id == ACCOUNT).unwrap();
        followers.push(ids.openid);
    }
    followers
}

/// The nodes behind a proxy that gives each request to another one.
struct Nodes {
    http: reqwest::Client,
    addresses: Vec<SocketAddr>,
    nonce: AtomicUsize,
}

impl Nodes {
    fn of(servers: &[Server]) -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(TIMEOUT).build().unwrap();
        let addresses = servers.iter().map(|server| server.address).collect();
        Self { http, addresses, nonce: AtomicUsize::new(0) }
    }

    /// Sends a request to this node, and to the next ones until one answers it: as browsers and WeChat do, by way of a
    /// proxy that passes over a node to which it cannot connect.
    async fn send(
        &self,
        node: usize,
        request: impl Fn(&reqwest::Client, &str) -> reqwest::RequestBuilder,
    ) -> reqwest::Response {
        let begin = Instant::now();
        for turn in node.. {
            let address = self.addresses[turn % self.addresses.len()];
            match request(&self.http, &format!("http://{address}")).send().await {
                Ok(answer) if answer.status().is_success() => return answer,
                Ok(answer) => panic!("{}: {}", answer.status(), answer.text().await.unwrap()),
                Err(error) => assert!(begin.elapsed() < TIMEOUT, "no node answers: {error}"),
            }
        }
        unreachable!("there are always more turns")
    }

    async fn post(&self, node: usize, path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
        let mut node = node;
        let begin = Instant::now();
        loop {
            let answer = self.send(node, |http, base| {
                let request = http.post(format!("{base}{path}")).header("x-authing-app-id", TILL);
                request.header("content-type", kind).body(body.to_vec())
            });
            match answer.await.bytes().await {
                Ok(bytes) => return bytes.to_vec(),
                Err(error) => assert!(begin.elapsed() < TIMEOUT, "no answer is whole: {error}"),
            }
            node += 1;
        }
    }

    async fn call(&self, node: usize, path: &str, body: Value) -> Value {
        serde_json::from_slice(&self.post(node, path, "application/json", body.to_string().as_bytes()).await)
            .unwrap()
    }

    /// A follower scans: WeChat pushes the event until it is acknowledged.
    async fn scan(&self, node: usize, openid: &str, scene: &str) {
        let nonce = (1_000_000_000 + self.nonce.fetch_add(1, Ordering::Relaxed)).to_string();
        let now = SystemClock.now().seconds();
        let xml = format!(
            "<xml><ToUserName>{ORIGINAL_ID}</ToUserName><FromUserName>{openid}</FromUserName><CreateTime>{now}</CreateTime>\
             <MsgType>event</MsgType><Event>SCAN</Event><EventKey>{scene}</EventKey></xml>"
        );
        let key = EncodingAesKey::parse(AES_KEY).unwrap();
        let key = Some((&key, ACCOUNT));
        let push = signed_push(TOKEN, key, ORIGINAL_ID, openid, xml.as_bytes(), &[7; 16], now, &nonce);
        let query: Vec<String> = push.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = format!("/connections/social/shop-account/{POOL}/events?{}", query.join("&"));
        assert_eq!(self.post(node, &path, push.content_type, &push.body).await, b"success");
    }
}

/// A browser that shows a QR code.
struct Browser {
    number: usize,
    secret: String,
    scene: String,
    /// The stream of events, and what was read of it.
    stream: Option<(reqwest::Response, String)>,
}

impl Browser {
    async fn open(nodes: &Nodes, number: usize) -> Self {
        let code = nodes.call(number, "/api/v2/qrcode/gene", json!({ "scene": "WECHATMP_AUTH" })).await;
        let text = |name: &str| code["data"][name].as_str().unwrap_or_else(|| panic!("{code}")).to_owned();
        let scene = text("url").rsplit('/').next().unwrap().strip_suffix(".png").unwrap().to_owned();
        let mut browser = Self { number, secret: text("random"), scene, stream: None };
        assert_eq!(browser.event(nodes).await["status"], 0);
        browser
    }

    /// The next event. The stream is opened again when it breaks, at whichever node there is.
    async fn event(&mut self, nodes: &Nodes) -> Value {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < TIMEOUT, "a browser is not told anything");
            let (stream, read) = match &mut self.stream {
                Some(open) => open,
                none => {
                    let path = format!("/api/v2/qrcode/events?random={}", self.secret);
                    let stream =
                        nodes.send(self.number + 2, |http, base| http.get(format!("{base}{path}"))).await;
                    none.insert((stream, String::new()))
                }
            };
            while let Some((event, rest)) = read.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                *read = rest.to_owned();
                if let Some(data) = data {
                    return serde_json::from_str(&data).unwrap();
                }
            }
            match stream.chunk().await {
                Ok(Some(piece)) => read.push_str(std::str::from_utf8(&piece).unwrap()),
                Ok(None) | Err(_) => self.stream = None,
            }
        }
    }

    /// Waits until its person may log in, and does. `None` if the answer was lost with a node.
    async fn log_in(&mut self, nodes: &Nodes) -> Option<String> {
        let seen = loop {
            let seen = self.event(nodes).await;
            if seen["status"] == 2 {
                break seen;
            }
        };
        let body = json!({ "ticket": seen["ticket"] });
        let answer = nodes.call(self.number + 2, "/api/v2/qrcode/userinfo", body).await;
        if answer["code"] == TICKET_INVALID {
            return None;
        }
        let token = answer["data"]["token"].as_str().unwrap_or_else(|| panic!("{answer}"));
        Some(claims(token)["sub"].as_str().unwrap().to_owned())
    }
}

on_both_engines! {
    async fn nodes_that_die_take_no_login_with_them_and_double_none(database) {
        let instance = Instance::ready(database).await;
        let followers = prepare(&instance).await;
        let mut servers = vec![instance.serve().await, instance.serve().await, instance.serve().await];
        let nodes = Nodes::of(&servers);

        // Each browser waits at another node than the one that issued its code, and the third hears of the scan.
        let mut browsers = join_all((0..PEOPLE).map(|number| Browser::open(&nodes, number))).await;
        let scenes: Vec<String> = browsers.iter().map(|browser| browser.scene.clone()).collect();
        let scan = |number: usize| nodes.scan(number + 1, &followers[number], &scenes[number]);
        // One dies while half of the people scan. It has issued codes, browsers wait there, and WeChat pushes to it.
        let killed = servers.pop().unwrap();
        let half = async { join_all((0..PEOPLE / 2).map(scan)).await };
        let kill = tokio::task::spawn_blocking(move || {
            let mut killed = killed;
            killed.process.kill();
        });
        let (_, killed) = futures::join!(half, kill);
        killed.unwrap();
        join_all((PEOPLE / 2..PEOPLE).map(scan)).await;

        // Another one dies once somebody is logged in.
        let done = AtomicUsize::new(0);
        let logins = browsers.iter_mut().map(async |browser| {
            let user = browser.log_in(&nodes).await;
            done.fetch_add(1, Ordering::SeqCst);
            user
        });
        let mut killed = servers.pop().unwrap();
        let kill = async {
            while done.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            killed.process.kill();
        };
        let (users, ()) = futures::join!(join_all(logins), kill);

        // Whose answer was lost scans another code, and is the same person.
        let answered = users.iter().flatten().count();
        let mut people: HashSet<String> = users.iter().flatten().cloned().collect();
        assert_eq!(people.len(), answered, "everybody is somebody else");
        for (number, user) in users.iter().enumerate() {
            if user.is_none() {
                let mut browser = Browser::open(&nodes, number).await;
                nodes.scan(number, &followers[number], &browser.scene).await;
                people.insert(browser.log_in(&nodes).await.unwrap());
            }
        }
        assert_eq!(people.len(), PEOPLE, "somebody did not get in");
        let count = async |sql| usize::try_from(raw::number(instance.database(), sql).await).unwrap();
        assert_eq!(count("SELECT COUNT(*) FROM users").await, PEOPLE);
        assert_eq!(count("SELECT COUNT(*) FROM identities WHERE kind = 'openid'").await, PEOPLE);
        // A ticket is used up with its login: for each answer that was lost there is one.
        let logins = PEOPLE + (PEOPLE - answered);
        assert_eq!(count("SELECT COUNT(*) FROM sessions").await, logins);
        assert_eq!(count("SELECT CAST(SUM(logins_count) AS BIGINT) FROM users").await, logins);
    }
}
