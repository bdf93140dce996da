//! The same WeChat code again: within its minute it is the same login, from the same network only.

use std::net::IpAddr;

use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use crate::client::{BIND, Mode};
use crate::login_flows::{asking, bind_anna, shop_with};
use crate::world::{MINI, TWO, World};

const HOME: [u8; 4] = [203, 0, 113, 7];
const ELSEWHERE: [u8; 4] = [198, 51, 100, 9];

fn v6(host: u16) -> IpAddr {
    IpAddr::from([0x2001, 0xdb8, 1, 2, 0, 0, 0, host])
}

on_both_engines! {
    /// Lesson 9: whoever has seen a code gets nothing for it from elsewhere, whichever call it comes with, and on whichever
    /// node.
    async fn a_code_from_another_network_is_used(database) {
        let world = World::new(database).await;
        world.person("bob");
        let other_node = world.another_node().await;
        for mode in [Mode::V2Code, Mode::Code] {
            let code = world.code(MINI, "bob");
            let (path, body) = mode.request_with(&world, MINI, "bob", &code);
            let client = world.client().referer(MINI);
            let first = client.post(path, body.clone()).await.logged_in();
            for client in [client.clone(), world.client_of(&other_node).referer(MINI)] {
                let thief = client.clone().from(ELSEWHERE);
                world.stores_nothing(thief.post(path, body.clone())).await.refused(2206);
                assert_eq!(client.from(HOME).post(path, body.clone()).await.logged_in(), first, "a retry");
            }
        }
        // Hosts of one IPv6 network are one.
        let code = world.code(MINI, "bob");
        let client = world.client().referer(MINI);
        client.clone().from(v6(1)).send_code(&code).await.user();
        client.from(v6(2)).send_code(&code).await.user();
        // A code that bound something, too.
        let bob = world.client().log_in(MINI, "bob").await;
        let code = world.code(TWO, "bob");
        let bind = json!({ "code": code, "extIdpConnidentifier": "shop-two" });
        world.client().bearer(&bob.token).post(BIND, bind.clone()).await.data_or_nothing();
        world.client().bearer(&bob.token).from(ELSEWHERE).post(BIND, bind).await.refused(2206);
    }

    /// A code that comes again while its login waits is that login, with a new handle, and its failed steps count.
    async fn a_waiting_login_is_written_once(database) {
        let world = World::new(database).await;
        world.person("eve");
        world.reconfigure(&shop_with(&asking(""), "")).await;
        let client = world.client().referer(MINI);
        let code = world.code(MINI, "eve");
        let waiting = async || {
            let answer = client.send_code(&code).await;
            answer.refused(1641);
            answer.json()["data"].clone()
        };
        let step = async |data: &Value, mut body: Value| {
            body["key"] = data["key"].clone();
            client.post(&format!("/api/v3/login-flows/{}", data["flowId"].as_str().unwrap()), body).await
        };
        let first = waiting().await;
        for _ in 0..3 {
            let again = waiting().await;
            assert_eq!(again["flowId"], first["flowId"]);
            assert_ne!(again["key"], first["key"]);
        }
        assert_eq!(world.rows("login_flows").await, 1);
        step(&first, bind_anna()).await.refused(2206);
        let wrong = json!({ "action": "bind", "method": "username-password", "account": "anna", "password": "wrong" });
        for _ in 0..9 {
            step(&waiting().await, wrong.clone()).await.refused(2333);
        }
        let last = waiting().await;
        step(&last, wrong).await;
        assert_eq!(world.rows("login_flows").await, 0, "ten failed steps are ten, however often the code came");
        client.send_code(&code).await.refused(2206);

        // Once such a login is done, its code is used.
        let code = world.code(MINI, "eve");
        let answer = client.send_code(&code).await.json()["data"].clone();
        step(&answer, json!({ "action": "create" })).await.user();
        world.stores_nothing(client.send_code(&code)).await.refused(2206);
        assert_eq!(world.rows("sessions").await, 1);
    }

    /// A code gives one refresh token at a time, and none once that one was used.
    async fn a_code_gives_one_refresh_token(database) {
        let world = World::new(database).await;
        world.person("bob");
        let client = world.client().referer(MINI);
        let (path, body) = Mode::Code.request(&world, MINI, "bob");
        let lost = client.post(path, body.clone()).await.tokens();
        let kept = client.post(path, body.clone()).await.tokens();
        assert_eq!(lost.user(), kept.user());
        let kept = client.refresh(&kept.refresh).await.tokens();
        world.stores_nothing(client.post(path, body)).await.refused(2206);
        // What was replaced was never the client's: nobody is believed.
        client.refresh(&lost.refresh).await.oauth_error("invalid_grant");
        client.refresh(&kept.refresh).await.oauth_error("invalid_grant");
        assert_eq!(world.rows("sessions").await, 0);
    }
}
