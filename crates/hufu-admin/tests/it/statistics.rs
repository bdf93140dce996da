//! Statistics: what is counted, on which day, and that nothing is lost or counted twice.

use std::sync::Arc;
use std::time::Duration;

use hufu_app::events::{Event, Trace};
use hufu_store::StoreError;
use hufu_testkit::administration::{call, create, key};
use hufu_testkit::store::Held;
use hufu_testkit::{TestDatabase, on_both_engines, raw, unit};
use hufu_types::{Action, AdminRole, PoolId, SystemRandom, Timestamp, UserId};
use serde_json::{Value, json};

use crate::client::Mode;
use crate::world::{FILE, MEMBERS, MINI, NOW, SHOP, SHOP_APP, SHOP_WEB, TWO, World};

/// The username belongs to another account.
const USERNAME_TAKEN: u64 = 2034;
/// The username or the password is wrong.
const WRONG_PASSWORD: u64 = 2333;
/// The application does not list the account.
const NOT_LISTED: u64 = 2540;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

unit! { Write LogIn { user: String, at: Timestamp } -> (),
    |this, tx| {
        let user = UserId::parse(&this.user).unwrap();
        let event = Event::of(Action::Login, &user).with(json!({ "by": "password" }));
        let mut trace = Trace::of_command(this.at, &SystemRandom);
        trace.subscribers = Arc::default();
        trace.recorder().record(tx, &PoolId::parse(SHOP).unwrap(), event).await?;
        Ok::<(), StoreError>(())
    }
}

fn login(user: &str, at: Timestamp) -> LogIn {
    LogIn { user: user.to_owned(), at }
}

async fn write(world: &World, user: &str, at: Timestamp) {
    world.node.app.store().write(login(user, at)).await.unwrap();
}

/// Counts, and returns what an owner is told of the shop.
async fn get(world: &World, path: &str) -> Value {
    world.node.app.count_statistics().await.unwrap();
    let owner = key(world, AdminRole::Owner, None).await;
    let path = format!("/admin/v1/pools/{SHOP}/statistics{path}");
    call(world, Some(&owner), "GET", &path, None).await.is(200)
}

/// The figures of a day: logins, refused, new users, and users active on it, in seven and in thirty days.
async fn day(world: &World, day: &str) -> [i64; 6] {
    let days = get(world, &format!("?from={day}&to={day}")).await["days"].clone();
    let day = &days[0];
    ["logins", "refused", "newUsers", "activeUsers", "activeUsers7", "activeUsers30"]
        .map(|name| day[name].as_i64().unwrap())
}

/// All logins, by the end of July.
async fn all_logins(world: &World) -> i64 {
    let days = get(world, "?from=2025-06-01&to=2025-07-31").await;
    days["days"].as_array().unwrap().iter().map(|day| day["logins"].as_i64().unwrap()).sum()
}

on_both_engines! {
    async fn a_day_says_how_many_logged_in_and_how(database) {
        let world = World::new(database).await;
        for name in ["bob", "carol", "dave"] {
            world.person(name);
        }
        let client = world.client();
        client.log_in(MINI, "bob").await;
        client.log_in(MINI, "carol").await;
        client.log_in(TWO, "bob").await;
        client.try_log_in(Mode::V2Code, MEMBERS, "dave").await.refused(2004);
        // It is seven past eleven in the evening in Shanghai. Alice was made there too.
        assert_eq!(day(&world, "2025-06-15").await, [3, 1, 3, 2, 2, 2]);
        let by = async |by: &str| get(&world, &format!("/logins?by={by}")).await["logins"].clone();
        let row = |value: &str, done: i64, refused: i64| json!({ "day": "2025-06-15", "value": value, "done": done, "refused": refused });
        assert_eq!(by("method").await, json!([row("wechat:miniprogram:default", 3, 1)]));
        assert_eq!(by("application").await, json!([row(SHOP_APP, 3, 1)]));
        assert_eq!(by("outcome").await, json!([row("0", 3, 0), row("2004", 0, 1)]));
        let (mini, members) = (world.connection(MINI), world.connection(MEMBERS));
        let through = by("connection").await;
        assert_eq!(through.as_array().unwrap().len(), 3);
        assert!(through.as_array().unwrap().contains(&row(&mini, 2, 0)), "{through}");
        let some = |filter: &str| format!("/logins?{filter}");
        for (filter, done) in [
            (format!("connectionId={mini}"), 2),
            (format!("applicationId={SHOP_APP}&method=wechat:miniprogram:default"), 3),
            (format!("applicationId={SHOP_WEB}"), 0),
            ("method=password".to_owned(), 0),
        ] {
            let logins = get(&world, &some(&filter)).await["logins"].clone();
            assert_eq!(logins[0]["done"].as_i64().unwrap_or_default(), done, "{filter}: {logins}");
        }
        let failing = get(&world, "/connections").await["connections"][0].clone();
        assert_eq!(failing, json!({
            "connectionId": members, "done": 0, "refused": 1, "codes": [{ "code": 2004, "count": 1 }]
        }));

        world.advance(HOUR);
        client.log_in(MINI, "bob").await;
        assert_eq!(day(&world, "2025-06-16").await, [1, 0, 0, 1, 2, 2], "the next day has begun");
        world.advance(DAY * 6);
        client.log_in(MINI, "carol").await;
        assert_eq!(day(&world, "2025-06-22").await, [1, 0, 0, 1, 2, 2]);
        world.advance(DAY);
        assert_eq!(day(&world, "2025-06-23").await, [0, 0, 0, 0, 1, 2]);
        world.advance(DAY * 24);
        assert_eq!(day(&world, "2025-07-17").await, [0, 0, 0, 0, 0, 1]);
        let usual = get(&world, "").await;
        assert_eq!(usual["timeZone"], "Asia/Shanghai");
        let days = usual["days"].as_array().unwrap();
        assert_eq!((days.len(), &days[0]["day"], &days[29]["day"]), (30, &json!("2025-06-18"), &json!("2025-07-17")));
        // Another pool has figures of its own.
        let owner = key(&world, AdminRole::Owner, None).await;
        let cafe = format!("/admin/v1/pools/{}/statistics/logins", crate::world::CAFE);
        assert_eq!(call(&world, Some(&owner), "GET", &cafe, None).await.is(200)["logins"], json!([]));
    }

    /// Figures are split by method, by application and by outcome, on the days of the pool's own time zone.
    async fn two_days_are_split_by_method_application_and_outcome(database) {
        const PASSWORD: &str = "a good long password";
        const MINI_PROGRAM: &str = "wechat:miniprogram:default";
        let world = World::new(database).await;
        world.secret(PASSWORD);
        // It is seven past five in the morning in Honolulu.
        world.reconfigure_with("name = \"Shop\"", "name = \"Shop\"\n  [user_pool.settings]\n  time_zone = \"Pacific/Honolulu\"").await;
        let owner = key(&world, AdminRole::Owner, None).await;
        create(&world, &owner, json!({ "username": "eve", "password": PASSWORD })).await;
        for name in ["bob", "carol"] {
            world.person(name);
        }
        let by_password = async |application: &str, password: &str| {
            let payload = json!({ "username": "eve", "password": password });
            let body = json!({ "connection": "PASSWORD", "passwordPayload": payload });
            world.client().app(application).post("/api/v3/signin", body).await
        };
        let by_wechat = async |application: &str, person: &str| world.client().app(application).log_in(MINI, person).await;
        // The first day: five by WeChat, two by password, one refused.
        for application in [SHOP_APP, SHOP_APP, SHOP_APP, SHOP_WEB, SHOP_WEB] {
            by_wechat(application, "bob").await;
        }
        by_password(SHOP_APP, PASSWORD).await.data();
        by_password(SHOP_WEB, PASSWORD).await.data();
        by_password(SHOP_WEB, "another password").await.code_is(WRONG_PASSWORD);
        // Eighteen hours later it is still that day there, and the next one in Shanghai.
        world.advance(HOUR * 18);
        by_wechat(SHOP_APP, "carol").await;
        world.advance(HOUR * 2);
        by_wechat(SHOP_WEB, "carol").await;
        for _ in 0..3 {
            by_password(SHOP_APP, PASSWORD).await.data();
        }
        for application in [SHOP_APP, SHOP_APP, SHOP_WEB] {
            by_password(application, "another password").await.code_is(WRONG_PASSWORD);
        }
        let (one, two) = ("2025-06-15", "2025-06-16");
        assert_eq!(day(&world, one).await[..2], [8, 1]);
        assert_eq!(day(&world, two).await[..2], [4, 3]);
        let split = async |question: &str| {
            let logins = get(&world, &format!("/logins?{question}")).await["logins"].clone();
            let row = |row: &Value| {
                let text = |name: &str| row[name].as_str().unwrap().to_owned();
                (text("day"), text("value"), row["done"].as_i64().unwrap(), row["refused"].as_i64().unwrap())
            };
            let mut rows: Vec<_> = logins.as_array().unwrap().iter().map(row).collect();
            rows.sort();
            rows
        };
        let rows = |rows: &[(&str, &str, i64, i64)]| -> Vec<_> {
            let mut rows: Vec<_> =
                rows.iter().map(|(day, value, done, refused)| ((*day).to_owned(), (*value).to_owned(), *done, *refused)).collect();
            rows.sort();
            rows
        };
        assert_eq!(split("by=method").await, rows(&[
            (one, MINI_PROGRAM, 6, 0), (one, "password", 2, 1), (two, MINI_PROGRAM, 1, 0), (two, "password", 3, 3),
        ]));
        assert_eq!(split("by=application").await, rows(&[
            (one, SHOP_APP, 5, 0), (one, SHOP_WEB, 3, 1), (two, SHOP_APP, 3, 2), (two, SHOP_WEB, 1, 1),
        ]));
        let wrong = WRONG_PASSWORD.to_string();
        assert_eq!(split("by=outcome").await, rows(&[
            (one, "0", 8, 0), (one, &wrong, 0, 1), (two, "0", 4, 0), (two, &wrong, 0, 3),
        ]));
        // One of each alone.
        assert_eq!(split(&format!("by=application&method=password&from={one}&to={one}")).await, rows(&[
            (one, SHOP_APP, 1, 0), (one, SHOP_WEB, 1, 1),
        ]));
        assert_eq!(split(&format!("by=method&applicationId={SHOP_WEB}&from={two}&to={two}")).await, rows(&[
            (two, MINI_PROGRAM, 1, 0), (two, "password", 0, 1),
        ]));
        assert_eq!(split(&format!("by=outcome&applicationId={SHOP_APP}&method=password")).await, rows(&[
            (one, "0", 1, 0), (two, "0", 3, 0), (two, &wrong, 0, 2),
        ]));
    }

    async fn an_entry_that_appears_late_is_counted_once(database) {
        let is_postgres = database.engine() == "postgres";
        let world = World::new(database).await;
        let later = |seconds: u64| NOW.plus(Duration::from_secs(seconds));
        if is_postgres {
            // The transaction of the earlier login ends after the later one was counted.
            let (held, hold) = Held::new(login("early", NOW));
            let store = world.node.app.store().clone();
            let task = tokio::spawn(async move { store.write(held).await });
            hold.until_worked();
            write(&world, "late", later(1)).await;
            assert_eq!(all_logins(&world).await, 1);
            hold.release();
            task.await.unwrap().unwrap();
        } else {
            write(&world, "late", later(1)).await;
            assert_eq!(all_logins(&world).await, 1);
            write(&world, "early", NOW).await;
        }
        world.advance(Duration::from_secs(60));
        write(&world, "next", later(60)).await;
        assert_eq!(all_logins(&world).await, 3);

        // Hours later, as from a node whose clock is slow: older than what has been counted.
        world.advance(HOUR * 4);
        write(&world, "early", later(2)).await;
        assert_eq!(all_logins(&world).await, 3, "not yet");
        world.advance(HOUR * 3);
        for _ in 0..2 {
            assert_eq!(all_logins(&world).await, 4);
            let active = get(&world, "?from=2025-06-15&to=2025-06-15").await["days"][0]["activeUsers"].clone();
            assert_eq!(active, 3, "nobody is counted twice");
        }
        let slices = format!("SELECT COUNT(*) FROM statistics_slices WHERE pool_id = '{SHOP}'");
        assert_eq!(raw::number(world.database(), &slices).await, 0, "all are counted for good");
        // And newer than that.
        write(&world, "slow", later(2 * 3600)).await;
        assert_eq!(all_logins(&world).await, 5);
    }

    async fn nodes_that_count_at_once_count_everything_once(database) {
        let world = World::new(database).await;
        let other = world.another_node().await;
        let mut users = std::collections::BTreeSet::new();
        for round in 0..12_u64 {
            let at = NOW.plus(Duration::from_secs(round * 97));
            let count = async |app: &hufu_app::App| app.count_statistics().await.unwrap();
            let writes = async {
                for n in 0..10 {
                    write(&world, &format!("user-{}", (round + n) % 15), at).await;
                }
            };
            users.extend((0..10).map(|n| (round + n) % 15));
            tokio::join!(count(&world.node.app), count(&other.app), writes);
            world.advance(Duration::from_secs(97));
        }
        assert_eq!(day(&world, "2025-06-15").await[..4], [120, 0, 1, 15]);
        assert_eq!(users.len(), 15);
        world.advance(HOUR * 7);
        tokio::join!(async { world.node.app.count_statistics().await.unwrap() }, async { other.app.count_statistics().await.unwrap() });
        assert_eq!(day(&world, "2025-06-15").await[..4], [120, 0, 1, 15]);
    }

    async fn a_day_outlives_the_entries_it_was_counted_from(database) {
        let world = World::new(database).await;
        world.reconfigure_with("name = \"Shop\"", "name = \"Shop\"\n  [user_pool.settings]\n  audit_days = 1").await;
        for n in 0..250 {
            write(&world, &format!("user-{}", n % 9), NOW.plus(Duration::from_secs(n * 300))).await;
        }
        world.advance(DAY * 3);
        world.node.app.sweep().await.unwrap();
        let entries = "SELECT COUNT(*) FROM audit_events WHERE action = 'login'";
        assert_eq!(raw::number(world.database(), entries).await, 250, "nothing goes before it is counted");
        assert_eq!(all_logins(&world).await, 250);
        world.node.app.sweep().await.unwrap();
        assert_eq!(raw::number(world.database(), entries).await, 0);
        assert_eq!(all_logins(&world).await, 250);
    }

    async fn another_time_zone_counts_from_then_on(database) {
        let world = World::new(database).await;
        write(&world, "alice", NOW).await;
        assert_eq!(all_logins(&world).await, 1);
        world.reconfigure_with("name = \"Shop\"", "name = \"Shop\"\n  [user_pool.settings]\n  time_zone = \"UTC\"").await;
        // The slice that has begun stays on its day; in Shanghai the next one is on the 16th.
        write(&world, "bob", NOW.plus(Duration::from_secs(60))).await;
        world.advance(HOUR);
        write(&world, "carol", NOW.plus(HOUR)).await;
        assert_eq!(day(&world, "2025-06-15").await[..4], [3, 0, 1, 3]);
        world.advance(HOUR * 8);
        assert_eq!(all_logins(&world).await, 3);
        assert_eq!(get(&world, "").await["timeZone"], "UTC");
        let owner = key(&world, AdminRole::Owner, None).await;
        let (path, body) = (format!("/admin/v1/pools/{SHOP}"), json!({ "settings": { "timeZone": "Mars" } }));
        let refused = call(&world, Some(&owner), "PATCH", &path, Some(body)).await.is(422);
        assert_eq!(refused["problems"][0]["field"], "settings.timeZone", "{refused}");
    }

    async fn logins_that_wait_are_counted_by_where_they_end(database) {
        let world = World::new(database).await;
        let file = FILE
            .replacen("identifier = \"shop-mini\"", "identifier = \"shop-mini\"\n  association = { mode = \"ask\" }", 1)
            .replacen("name = \"Shop\"", "name = \"Shop\"\n  [user_pool.settings]\n  required_fields = [\"nickname\"]", 1);
        world.reconfigure(&file).await;
        let client = world.client();
        let step = async |data: &Value, body: Value| {
            let mut body = body;
            body["key"] = data["key"].clone();
            let path = format!("/api/v3/login-flows/{}", data["flowId"].as_str().unwrap());
            client.post(&path, body).await
        };
        for name in ["bob", "carol", "dave"] {
            world.person(name);
        }
        // Bob goes through both stages, carol cancels at the second, dave never comes back.
        for name in ["bob", "carol", "dave"] {
            let asked = client.try_log_in(Mode::V2Code, MINI, name).await;
            asked.refused(1641);
            if name == "dave" {
                continue;
            }
            let asked = step(&asked.json()["data"], json!({ "action": "create" })).await;
            let data = asked.json()["data"].clone();
            assert_eq!(data["stage"], "complete", "{data}");
            if name == "bob" {
                step(&data, json!({ "action": "fill_in", "profile": { "nickname": "Bob" } })).await.user();
            } else {
                step(&data, json!({ "action": "expire" })).await;
            }
        }
        world.advance(HOUR);
        world.node.app.sweep().await.unwrap();
        assert_eq!(world.rows("login_flows").await, 0);
        let waiting = get(&world, "/waiting").await;
        let stage = |stage: &str, reached: i64, passed: i64, cancelled: i64, expired: i64| json!({
            "stage": stage, "reached": reached, "passed": passed, "cancelled": cancelled, "outOfTries": 0,
            "refused": 0, "expired": expired, "restarted": 0,
        });
        assert_eq!(waiting["stages"], json!([stage("associate", 3, 2, 0, 1), stage("complete", 2, 1, 1, 0)]));
        let abandoned: Vec<Value> = world.audit().await.into_iter()
            .filter(|event| event.action == "login.abandoned").map(|event| event.details).collect();
        assert_eq!(abandoned, [
            json!({ "waited": ["associate"], "reason": "expired" }),
            json!({ "waited": ["associate", "complete"], "reason": "cancelled" }),
        ]);
    }

    /// A login that waited ends for five reasons beside that it is passed. Steps that failed are counted by themselves.
    async fn the_other_ends_of_logins_that_waited_are_counted(database) {
        let world = World::new(database).await;
        let file = FILE
            .replacen("identifier = \"shop-mini\"", "identifier = \"shop-mini\"\n  association = { mode = \"ask\" }", 1)
            .replacen("name = \"Shop\"", "name = \"Shop\"\n  [user_pool.settings]\n  required_fields = [\"username\"]", 1);
        world.reconfigure(&file).await;
        let owner = key(&world, AdminRole::Owner, None).await;
        let password = "a good long password";
        create(&world, &owner, json!({ "username": "anna", "password": password })).await;
        create(&world, &owner, json!({ "username": "newcomer", "password": password, "mustReset": true })).await;
        let client = world.client();
        let step = async |data: &Value, body: Value| {
            let mut body = body;
            body["key"] = data["key"].clone();
            client.post(&format!("/api/v3/login-flows/{}", data["flowId"].as_str().unwrap()), body).await
        };
        let stage = |name: &str, reached: i64, more: Value| {
            let mut stage = json!({
                "stage": name, "reached": reached, "passed": 0, "cancelled": 0, "outOfTries": 0, "refused": 0, "expired": 0,
                "restarted": 0,
            });
            stage.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            stage
        };

        // Bob wants a name that is taken, until he may try no more.
        world.person("bob");
        let asked = client.try_log_in(Mode::V2Code, MINI, "bob").await;
        let mut data = step(&asked.json()["data"], json!({ "action": "create" })).await.json()["data"].clone();
        let tries = hufu_app::Limits::default().flow_tries;
        for _ in 0..tries {
            let refused = step(&data, json!({ "action": "fill_in", "username": "anna" })).await;
            refused.refused(USERNAME_TAKEN);
            data = refused.json()["data"].clone();
        }
        let waiting = get(&world, "/waiting").await;
        assert_eq!(waiting["stages"], json!([
            stage("associate", 1, json!({ "passed": 1 })), stage("complete", 1, json!({ "outOfTries": 1 })),
        ]));
        assert_eq!(waiting["failedSteps"], json!([{ "step": "fill_in", "code": USERNAME_TAKEN, "count": tries }]));

        // Carol proves an account that may not use the application any more.
        world.person("carol");
        let asked = client.try_log_in(Mode::V2Code, MINI, "carol").await.json()["data"].clone();
        let access = async |who: &str| {
            let path = format!("/admin/v1/pools/{SHOP}/applications/{SHOP_APP}");
            call(&world, Some(&owner), "PATCH", &path, Some(json!({ "login": { "access": who } }))).await.is(200);
        };
        access("listed").await;
        let bind = json!({ "action": "bind", "method": "username-password", "account": "anna", "password": password });
        step(&asked, bind).await.refused(NOT_LISTED);
        access("everybody").await;
        let waiting = get(&world, "/waiting").await;
        assert_eq!(waiting["stages"][0], stage("associate", 2, json!({ "passed": 1, "refused": 1 })));

        // A client of the older kind sets the new password, and logs in again from the start.
        let login = "mutation ($i: LoginByUsernameInput!) { loginByUsername(input: $i) { id token } }";
        let by = json!({ "i": { "username": "newcomer", "password": password } });
        let asked = client.graphql(login, by).await.json()["errors"][0]["message"]["data"].clone();
        let set = "mutation ($token: String!, $password: String!) {
            resetPasswordByFirstLoginToken(token: $token, password: $password) { code } }";
        let again = json!({ "token": asked["token"], "password": "walnut harbour 12" });
        client.graphql(set, again).await.data();
        let waiting = get(&world, "/waiting").await;
        let stages = waiting["stages"].as_array().unwrap();
        assert!(stages.contains(&stage("new_password", 1, json!({ "restarted": 1 }))), "{waiting}");
        assert_eq!(waiting["failedSteps"].as_array().unwrap().len(), 1, "{waiting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_makes_no_sense_is_refused() {
    let world = World::new(TestDatabase::sqlite()).await;
    let owner = key(&world, AdminRole::Owner, None).await;
    for (query, field) in [
        ("?from=yesterday", "from"),
        ("?to=2025-02-30", "to"),
        ("?from=2025-06-16&to=2025-06-15", "from"),
        ("?from=2024-01-01&to=2025-06-15", "from"),
        ("?from=-009999-01-01&to=2025-06-15", "from"),
        ("/logins?by=weather", "by"),
        ("/logins?applicationId=a%20b", "applicationId"),
        ("/logins?connectionId=%00", "connectionId"),
        ("/logins?method=%00", "method"),
        ("/connections?from=1", "from"),
        ("/waiting?day=1", "day"),
    ] {
        let path = format!("/admin/v1/pools/{SHOP}/statistics{query}");
        let refused = call(&world, Some(&owner), "GET", &path, None).await.is(422);
        assert!(refused["message"].as_str().unwrap().contains(field), "{query}: {refused}");
    }
}
