//! Pools that are switched off and on, removed, restored, and deleted with everything in them.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hufu_protocol::signature_of;
use hufu_testkit::administration::{call, call_if, create, key, users};
use hufu_testkit::receiver::Receiver;
use hufu_testkit::routes::ROUTES;
use hufu_testkit::{on_both_engines, raw};
use hufu_types::AdminRole;
use serde_json::{Value, json};

use crate::client::{Answer, Client, GET_PROFILE, Mode};
use crate::roles::administrator;
use crate::world::{CAFE, MINI, Plan, SHOP, SHOP_APP, SHOP_WEB, World};

const SHOP_POOL: &str = "/admin/v1/pools/6560c0ffee00000000000001";
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Routes that answer without a pool: keys and descriptions of the instance, and its operation.
const OF_NO_POOL: &[&str] = &[
    "/api/v2/.well-known",
    "/api/v3/system",
    "/oidc/.well-known/jwks.json",
    "/oidc/.well-known/openid-configuration",
    "/.well-known/openid-configuration",
    // Ends what there is, and says so whatever that was.
    "/api/v2/logout",
    "/api/v3/wechat-miniprogram/logout",
    "/logout",
    "/healthz",
    "/readyz",
    "/metrics",
    "/preferences/theme",
    // A picture that is the same for everybody.
    "/svg-string/{component}",
    "/dev/outbox",
    "/dev/outbox.json",
    // Says who is logged in to the browser, if anybody is.
    "/cas/session",
    // Says that a token does not hold.
    "/api/v2/oidc/validate_token",
];

/// Whether a call served somebody.
fn served(answer: &Answer) -> bool {
    if !answer.status.is_success() {
        return false;
    }
    match serde_json::from_slice::<Value>(&answer.bytes) {
        Ok(body) => body.get("errors").is_none() && body.get("code").is_none_or(|code| code == 200),
        Err(_) => true,
    }
}

/// Calls every route as a client of the shop with this token. Returns those that serve, and how many say that the pool is
/// switched off.
async fn serving(client: &Client<'_>, token: &str) -> (Vec<String>, usize) {
    let (mut served_by, mut said) = (Vec::new(), 0);
    for (method, path) in ROUTES.iter().filter(|(_, path)| !OF_NO_POOL.contains(path)) {
        let names = [
            ("{id}", SHOP_APP),
            ("{client}", SHOP_APP),
            ("{pool}", SHOP),
            ("{identifier}", "shop-mini"),
            ("{source}", "x"),
            ("{name}", "x"),
            ("{file}", "x"),
            ("{application}", SHOP_APP),
        ];
        let to = names.iter().fold((*path).to_owned(), |path, (name, value)| path.replace(name, value));
        let to = match *path {
            "/oidc/auth" => format!(
                "{to}?client_id={SHOP_WEB}&response_type=code&redirect_uri=https%3A%2F%2Fshop.example.com"
            ),
            _ => to,
        };
        let answer = client
            .clone()
            .bearer(token)
            .send(method.parse::<Method>().unwrap(), &to, "application/json", b"{}".to_vec())
            .await;
        if served(&answer) {
            served_by.push(format!("{method} {to}: {answer}"));
        }
        // As a word: ids have such digits as well.
        let text = String::from_utf8_lossy(&answer.bytes);
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        said += usize::from(words.any(|word| word == "2740"));
    }
    (served_by, said)
}

/// The time of the world, as a header.
const DATE: &str = "Sun, 15 Jun 2025 15:06:40 GMT";

/// Calls of a back end with the management key of the shop: one that is signed, one with this token, and one with a new one.
async fn calls_of_management(
    client: &Client<'_>,
    secret: &str,
    token: &str,
    nonce: &str,
) -> [(&'static str, Answer); 4] {
    let path = "/api/v3/list-users?page=1";
    let head = format!("date:{DATE}\nx-authing-lang:en-US\nx-authing-signature-nonce:{nonce}");
    let signature = signature_of(secret.as_bytes(), format!("GET\n{head}\n{path}").as_bytes());
    let signed = client
        .clone()
        .header("authorization", &format!("authing {SHOP}:{}", STANDARD.encode(signature)))
        .header("date", DATE)
        .header("x-authing-signature-nonce", nonce);
    let body = json!({ "accessKeyId": SHOP, "accessKeySecret": secret });
    let given = client.post("/api/v3/get-management-token", body).await;
    let with_new = match given.json()["data"]["access_token"].as_str() {
        Some(token) => {
            client.world.secret(token);
            client.clone().bearer(token).get(path).await
        }
        None => given.clone(),
    };
    [
        ("for a token", given),
        ("signed", signed.get(path).await),
        ("with its token", client.clone().bearer(token).get(path).await),
        ("with a new token", with_new),
    ]
}

on_both_engines! {
    /// A pool that is switched off serves nobody, on any surface and any node, and comes back as it was.
    async fn a_pool_that_is_off_serves_nobody(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let other = world.another_node().await;
        world.person("bob");
        world.person("eve");
        let eve = world.client().log_in_v3(MINI, "eve").await;
        let (before, said) = serving(&world.client(), &eve.access).await;
        assert!(before.len() > 8 && said == 0, "{said}: {before:?}");
        let bob = world.client().log_in_v3(MINI, "bob").await;

        let off = format!("{SHOP_POOL}/switch-off");
        let shown = call(&world, Some(&owner), "POST", &off, None).await.is(200);
        assert_eq!((&shown["state"], &shown["goesAt"]), (&json!("off"), &Value::Null));
        call(&world, Some(&owner), "POST", &off, None).await.is(200);
        other.app.refresh_config().await.unwrap();
        for client in [world.client(), world.client_of(&other)] {
            let (served_by, said) = serving(&client, &bob.access).await;
            assert_eq!(served_by, Vec::<String>::new());
            assert!(said > 30, "{said} say why");
            client.clone().bearer(&bob.access).get(GET_PROFILE).await.refused(2740);
            for mode in Mode::ALL {
                client.try_log_in(mode, MINI, "bob").await.refused(2740);
            }
            assert_eq!(client.refresh(&bob.refresh).await.status, 403);
        }
        assert!(!world.cafe().log_in(crate::world::CAFE_MINI, "bob").await.token.is_empty(), "others go on");
        // Its administrators go on with it, and the file of `hufu apply` does not switch it on.
        call(&world, Some(&owner), "GET", &users(SHOP), None).await.is(200);
        call(&world, Some(&owner), "POST", &users(SHOP), Some(json!({ "username": "kim" }))).await.is(201);
        let pools = call(&world, Some(&owner), "GET", "/admin/v1/pools", None).await.is(200);
        let states: Vec<_> = pools["pools"].as_array().unwrap().iter().map(|pool| &pool["state"]).collect();
        assert_eq!(states, ["off", "on", "on", "on"]);

        let shown = call(&world, Some(&owner), "POST", &format!("{SHOP_POOL}/switch-on"), None).await.is(200);
        assert_eq!(shown["state"], "on");
        other.app.refresh_config().await.unwrap();
        for client in [world.client(), world.client_of(&other)] {
            client.bearer(&bob.access).get(GET_PROFILE).await.data();
        }
        assert_eq!(world.client().refresh(&bob.refresh).await.status, 200);
    }

    /// A removed pool serves nobody, comes back until its time is over, and nothing else can be done with it.
    async fn a_removed_pool_comes_back(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        world.person("bob");
        let bob = world.client().log_in(MINI, "bob").await;
        let remove = async |name: &str, dry_run: bool| {
            let body = json!({ "name": name, "dryRun": dry_run });
            call(&world, Some(&owner), "DELETE", SHOP_POOL, Some(body)).await
        };
        let told = remove("Cafe", false).await.is(422);
        assert!(told["message"].as_str().unwrap().contains("name"), "{told}");
        let would = remove("Shop", true).await.is(200);
        let report = &would["report"];
        assert_eq!((&report["users"], &report["sessions"], &report["applications"]), (&json!(2), &json!(1), &json!(3)));
        world.client().bearer(&bob.token).get(GET_PROFILE).await.data();

        let removed = remove("Shop", false).await.is(200);
        let goes_at = hufu_types::Timestamp(crate::world::NOW.0 + 30 * 86_400_000).to_iso();
        assert_eq!((&removed["goesAt"], &removed["report"]["users"]), (&json!(goes_at), &json!(2)));
        let (served_by, _) = serving(&world.client(), &bob.token).await;
        assert_eq!(served_by, Vec::<String>::new());
        assert_eq!(remove("Shop", false).await.is(409)["code"], 2741);
        for (method, path) in [("GET", users(SHOP)), ("POST", format!("{SHOP_POOL}/switch-on"))] {
            assert_eq!(call(&world, Some(&owner), method, &path, None).await.is(409)["code"], 2741, "{path}");
        }
        let shown = call(&world, Some(&owner), "GET", SHOP_POOL, None).await.is(200);
        assert_eq!((&shown["state"], &shown["goesAt"]), (&json!("removed"), &json!(goes_at)));

        world.advance(Duration::from_secs(30 * 24 * 60 * 60 - 60));
        world.node.app.run_due_jobs().await;
        let restore = format!("{SHOP_POOL}/restore");
        call(&world, Some(&owner), "POST", &restore, None).await.is(200);
        assert_eq!(call(&world, Some(&owner), "POST", &restore, None).await.is(409)["code"], 2742);
        world.advance(Duration::from_secs(120));
        world.node.app.run_due_jobs().await;
        assert_eq!(world.client().log_in(MINI, "bob").await.id, bob.id, "the job of a removal that was undone does nothing");
    }

    /// With its management key, a pool that is switched off is administered on. That of a removed one opens nothing, on any
    /// node, nor do its tokens, until the pool is back.
    async fn the_management_key_of_a_removed_pool_opens_nothing(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let other = world.another_node().await;
        let path = format!("{SHOP_POOL}/management-keys");
        let made = call(&world, Some(&owner), "POST", &path, Some(json!({}))).await.is(201);
        let secret = made["secret"].as_str().unwrap();
        world.secret(secret);
        let body = json!({ "accessKeyId": SHOP, "accessKeySecret": secret });
        let token = world.nobody().post("/api/v3/get-management-token", body).await.data();
        let token = token["access_token"].as_str().unwrap();
        world.secret(token);
        for (index, (method, rest, body, expected)) in [
            ("GET", "", None, 200),
            ("POST", "/switch-off", None, 200),
            ("POST", "/switch-on", None, 200),
            ("DELETE", "", Some(json!({ "name": "Shop" })), 2741),
            ("POST", "/restore", None, 200),
        ]
        .into_iter()
        .enumerate()
        {
            let path = format!("{SHOP_POOL}{rest}");
            call(&world, Some(&owner), method, &path, body).await.is(200);
            other.app.refresh_config().await.unwrap();
            for (node, client) in [world.nobody(), Client::of(&world, &other)].into_iter().enumerate() {
                let nonce = format!("{index}{node}");
                for (what, answer) in calls_of_management(&client, secret, token, &nonce).await {
                    assert_eq!(answer.code(), expected, "{what} after {method} {path}: {answer}");
                }
            }
        }
    }

    /// Deliveries to the webhooks of a pool that is switched off wait, also those of what is done meanwhile, and go out once when
    /// it is on again.
    async fn deliveries_of_a_pool_that_is_off_wait(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let other = world.another_node().await;
        let receiver = Receiver::start().await;
        let hook = json!({ "name": "x", "url": receiver.uri, "events": ["user.created"] });
        let made = call(&world, Some(&owner), "POST", &format!("{SHOP_POOL}/webhooks"), Some(hook)).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        let path = format!("{SHOP_POOL}/webhooks/{}/deliveries", made["id"].as_str().unwrap());
        let deliveries = async || {
            let told = call(&world, Some(&owner), "GET", &path, None).await.is(200);
            let deliveries = told["deliveries"].as_array().unwrap().iter();
            let shown = deliveries.map(|it| (it["state"].as_str().unwrap().to_owned(), it["attempts"].as_i64().unwrap()));
            shown.collect::<Vec<_>>()
        };
        let later = async || {
            world.advance(Duration::from_secs(61));
            for node in [&world.node, &other] {
                node.app.refresh_config().await.unwrap();
                node.app.run_due_jobs().await;
            }
            receiver.take().len()
        };
        create(&world, &owner, json!({ "username": "kim" })).await;
        create(&world, &owner, json!({ "username": "lee" })).await;
        call(&world, Some(&owner), "POST", &format!("{SHOP_POOL}/switch-off"), None).await.is(200);
        assert_eq!(later().await, 0);
        create(&world, &owner, json!({ "username": "mia" })).await;
        for _ in 0..3 {
            assert_eq!(later().await, 0);
        }
        let pending = || ("pending".to_owned(), 0);
        assert_eq!(deliveries().await, [pending(), pending(), pending()]);
        call(&world, Some(&owner), "POST", &format!("{SHOP_POOL}/switch-on"), None).await.is(200);
        assert_eq!(later().await, 3);
        let delivered = || ("delivered".to_owned(), 1);
        assert_eq!(deliveries().await, [delivered(), delivered(), delivered()]);
        assert_eq!(later().await, 0);
    }

    /// Of two who change the pool, the one who has not seen the other's change is refused.
    async fn two_owners_change_one_pool(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let seen = call(&world, Some(&owner), "GET", SHOP_POOL, None).await;
        let tag = seen.tag.clone().unwrap();
        let off = format!("{SHOP_POOL}/switch-off");
        call_if(&world, Some(&owner), "POST", &off, None, Some(&tag)).await.is(200);
        let body = || Some(json!({ "name": "Shop" }));
        let stale = call_if(&world, Some(&owner), "DELETE", SHOP_POOL, body(), Some(&tag)).await.is(409);
        assert_eq!((&stale["code"], &stale["present"]["name"]), (&json!(2444), &json!("Shop")));
        // What was shown can be sent back.
        let shown = call(&world, Some(&owner), "GET", SHOP_POOL, None).await.is(200);
        call(&world, Some(&owner), "PATCH", SHOP_POOL, Some(shown)).await.is(200);
    }

    /// Whoever logs in while the pool is removed is logged in, whole, or told that it is off.
    async fn logins_during_a_removal(database) {
        let world = World::new(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let names: Vec<String> = (0..24).map(|number| format!("person{number}")).collect();
        for name in &names {
            world.person(name);
        }
        let logins = names.iter().map(|name| async { world.client().try_log_in(Mode::V2Code, MINI, name).await });
        let removal = call(&world, Some(&owner), "DELETE", SHOP_POOL, Some(json!({ "name": "Shop" })));
        let (answers, removed) = futures::join!(futures::future::join_all(logins), removal);
        removed.is(200);
        let done = answers.iter().filter(|answer| answer.code() == 200).count();
        assert!(answers.iter().all(|answer| [200, 2740].contains(&answer.code())), "{answers:?}");
        assert_eq!(world.rows("sessions").await, i64::try_from(done).unwrap());
        let users = raw::number(world.database(), "SELECT COUNT(*) FROM users WHERE username IS NULL").await;
        assert_eq!(users, i64::try_from(done).unwrap());
        for answer in answers.iter().filter(|answer| answer.code() == 200) {
            let token = answer.user().token;
            world.nobody().bearer(&token).get(GET_PROFILE).await.refused(2740);
        }
    }

    /// After its time, nothing of the pool is left in any table, and the log of the instance says what went.
    async fn nothing_is_left_of_a_removed_pool(database) {
        // The invitation is good for longer than the pool can come back.
        let world = Plan::new().limits(|limits| limits.invitation_life = MONTH * 2).build(database).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let other = world.another_node().await;
        let (_, mei) = administrator(&world, &owner, "mei", json!([{ "role": "owner", "pool": SHOP }])).await;
        world.person("bob");
        world.client().log_in_v3(MINI, "bob").await;
        let wish = json!({ "name": "x", "role": "auditor", "pool": SHOP });
        let made = call(&world, Some(&mei), "POST", "/admin/v1/keys", Some(wish)).await.is(201);
        world.secret(made["key"].as_str().unwrap());
        let path = format!("{SHOP_POOL}/management-keys");
        let made = call(&world, Some(&mei), "POST", &path, Some(json!({}))).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        let hook = json!({ "name": "x", "url": "https://shop.example.com/hook" });
        let made = call(&world, Some(&mei), "POST", &format!("{SHOP_POOL}/webhooks"), Some(hook)).await.is(201);
        world.secret(made["secret"].as_str().unwrap());
        for pool in [SHOP, CAFE] {
            let new = json!({ "email": "kim@example.com", "role": "auditor", "pool": pool });
            call(&world, Some(&owner), "POST", "/admin/v1/invitations", Some(new)).await.is(201);
        }
        let invitations = async |pool: &str| {
            let sql = format!("SELECT COUNT(*) FROM invitations WHERE scope_pool = '{pool}'");
            raw::number(world.database(), &sql).await
        };
        // A row of the pool in every table that has any.
        let filled = fill(&world).await;
        call(&world, Some(&mei), "DELETE", SHOP_POOL, Some(json!({ "name": "Shop" }))).await.is(200);
        world.advance(MONTH);
        assert_eq!(invitations(SHOP).await, 1, "it goes with the pool, and not before");
        world.node.app.run_due_jobs().await;
        for node in [&world.node, &other] {
            node.app.refresh_config().await.unwrap();
            assert!(!node.app.config().has_pool(&hufu_types::PoolId::parse(SHOP).unwrap()));
        }
        call(&world, Some(&owner), "GET", SHOP_POOL, None).await.is(404);
        call(&world, Some(&owner), "POST", &format!("{SHOP_POOL}/restore"), None).await.is(404);
        for _ in 0..3 {
            world.advance(Duration::from_secs(300));
            world.node.app.run_due_jobs().await;
        }
        for table in &filled {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE pool_id = '{SHOP}'");
            assert_eq!(raw::number(world.database(), &sql).await, 0, "{table}");
        }
        for (table, column) in [("access_keys", "scope_pool"), ("administrators", "scope_pool"), ("pools", "id")] {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} = '{SHOP}'");
            assert_eq!(raw::number(world.database(), &sql).await, 0, "{table}");
        }
        assert_eq!((invitations(SHOP).await, invitations(CAFE).await), (0, 1));
        assert_eq!(raw::number(world.database(), "SELECT COUNT(*) FROM jobs WHERE kind = 'pool_removal'").await, 0);
        let owner = key(&world, AdminRole::Owner, None).await;
        let log = "/admin/v1/pools/system/audit?action=pool.erased";
        let log = call(&world, Some(&owner), "GET", log, None).await.is(200);
        let details = &log["events"][0]["details"];
        assert_eq!((&details["pool"], &details["name"]), (&json!(SHOP), &json!("Shop")));
        assert!(details["report"]["users"].as_i64() >= Some(2), "{details}");
        call(&world, Some(&owner), "GET", &users(CAFE), None).await.is(200);
        // The id is free again.
        let again = json!({ "id": SHOP, "name": "Shop again" });
        call(&world, Some(&owner), "POST", "/admin/v1/pools", Some(again)).await.is(201);
        let users = call(&world, Some(&owner), "GET", &users(SHOP), None).await.is(200);
        assert_eq!(users["users"], json!([]));
    }
}

/// Puts a row of the shop into every table that has rows of pools and none of the shop. Returns all such tables.
async fn fill(world: &World) -> BTreeSet<String> {
    let sqlite = world.database().file().is_some();
    let tables = if sqlite {
        "SELECT t.name, c.name, c.type, '' || c.\"notnull\", '' || (c.dflt_value IS NOT NULL)
         FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'
         AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) p WHERE p.name = 'pool_id') ORDER BY t.name, c.cid"
    } else {
        "SELECT c.table_name::TEXT, c.column_name::TEXT, c.data_type::TEXT,
            CASE c.is_nullable WHEN 'NO' THEN '1' ELSE '0' END,
            CASE WHEN c.column_default IS NULL AND c.is_identity = 'NO' THEN '0' ELSE '1' END
         FROM information_schema.columns c
         WHERE c.table_schema = current_schema() AND EXISTS (
            SELECT 1 FROM information_schema.columns p
            WHERE p.table_schema = c.table_schema AND p.table_name = c.table_name AND p.column_name = 'pool_id')
            AND EXISTS (SELECT 1 FROM information_schema.tables t WHERE t.table_schema = c.table_schema
                AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE')
         ORDER BY c.table_name, c.ordinal_position"
    };
    let columns = raw::texts(world.database(), tables).await;
    let names: BTreeSet<String> = columns.iter().map(|row| row[0].clone()).collect();
    assert!(names.len() > 35, "{names:?}");
    for table in &names {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE pool_id = '{SHOP}'");
        if raw::number(world.database(), &sql).await > 0 {
            continue;
        }
        let is_needed = |row: &&Vec<String>| row[1] == "pool_id" || (row[3] == "1" && row[4] == "0");
        let needed: Vec<_> = columns.iter().filter(|row| row[0] == *table).filter(is_needed).collect();
        let value = |row: &Vec<String>| match (row[1].as_str(), row[2].to_lowercase().as_str()) {
            ("pool_id", _) => format!("'{SHOP}'"),
            (_, "text") => "'filled'".to_owned(),
            (_, "boolean") => "TRUE".to_owned(),
            (_, "blob" | "bytea") if sqlite => "x'0102'".to_owned(),
            (_, "blob" | "bytea") => "'\\x0102'::bytea".to_owned(),
            // Far ahead, so that nothing sweeps it.
            _ => "9000000000000".to_owned(),
        };
        let of = |part: &dyn Fn(&Vec<String>) -> String| {
            needed.iter().map(|row| part(row)).collect::<Vec<_>>().join(", ")
        };
        let sql = format!("INSERT INTO {table} ({}) VALUES ({})", of(&|row| row[1].clone()), of(&value));
        raw::execute(world.database(), &sql).await;
    }
    for table in &names {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE pool_id = '{SHOP}'");
        assert!(raw::number(world.database(), &sql).await > 0, "{table}");
        assert!(hufu_store::pool_removal::knows(table), "{table} keeps its rows when a pool is removed");
    }
    names
}
