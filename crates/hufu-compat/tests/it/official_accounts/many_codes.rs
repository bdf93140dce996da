//! Many browsers that show QR codes of one account.

use std::time::Duration;

use futures::StreamExt as _;

use super::*;
use crate::world::Node;

const FETCH: &str = "/cgi-bin/stable_token";
const CREATE: &str = "/cgi-bin/qrcode/create";
/// So many requests are under way at once.
const AT_ONCE: usize = 9;

/// Shows so many codes, on each node in turn.
async fn show(world: &World, nodes: &[&Node], count: usize) {
    let connection = world.connection(ACCOUNT);
    let order = &json!({ "scene": "WECHATMP_AUTH", "extIdpConnId": connection });
    let codes = (0..count).map(|index| {
        let client = Client::of(world, nodes[index % nodes.len()]).app(SHOP_TILL);
        async move { client.post("/api/v2/qrcode/gene", order.clone()).await.data() }
    });
    assert_eq!(futures::stream::iter(codes).buffer_unordered(AT_ONCE).count().await, count);
}

on_both_engines! {
    /// Lesson 6: a QR code is no reason for another app token. One fetch serves all nodes while the token lives; and when
    /// another service of the account has replaced it, all nodes heal by one more, and no browser is refused.
    async fn ten_thousand_codes_on_three_nodes_cost_one_fetch_of_the_app_token(database) {
        let plan = Plan::new()
            .limits(|limits| (limits.qr_codes_per_ip, limits.qr_wechat_codes_per_ip) = (100_000, 100_000))
            .sandbox(|sandbox| sandbox.log_capacity = 50_000);
        let world = world_of(plan, database, "").await;
        let others = [world.another_node().await, world.another_node().await];
        let nodes = [&world.node, &others[0], &others[1]];
        for _ in 0..10 {
            show(&world, &nodes, 1_000).await;
            world.advance(Duration::from_secs(10 * 60));
        }
        assert_eq!((world.calls(CREATE), world.calls(FETCH)), (10_000, 1));

        world.sandbox.discard_tokens(ACCOUNT).unwrap();
        show(&world, &nodes, 300).await;
        assert_eq!(world.calls(FETCH), 2);
        // Each request that met the old token was made once more.
        let made = world.calls(CREATE) - 10_300;
        assert!((1..=AT_ONCE * 2).contains(&made), "{made}");
    }
}
