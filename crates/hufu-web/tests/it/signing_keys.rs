//! Which key signs, which keys are published, and when.

use std::time::Duration;

use hufu_app::UserToken;
use hufu_testkit::on_both_engines;
use hufu_types::SigningAlgorithm;

use crate::client::{Client, GET_PROFILE, JWKS, header_of};
use crate::world::{FILE, MINI, SHOP_APP, SHOP_WEB, TWO, World};

/// The `kid` and `alg` of the published keys.
async fn published(client: Client<'_>) -> Vec<(String, String)> {
    let answer = client.get(JWKS).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["cache-control"]),
        (200, &"public, max-age=300".parse().unwrap())
    );
    let json = answer.json();
    for private in ["\"d\"", "\"p\"", "\"q\"", "\"k\""] {
        assert!(!answer.to_string().contains(private), "{answer}");
    }
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    json["keys"].as_array().unwrap().iter().map(|key| (text(&key["kid"]), text(&key["alg"]))).collect()
}

fn kid(token: &str) -> String {
    header_of(token)["kid"].as_str().unwrap().to_owned()
}

/// The standard configuration file with other algorithms for two of the shop's applications.
fn with_algorithms() -> String {
    let rsa = format!("  id = \"{SHOP_APP}\"\n  signing_algorithm = \"RS256\"\n");
    let ed = format!("  id = \"{SHOP_WEB}\"\n  signing_algorithm = \"EdDSA\"\n");
    FILE.replace(&format!("  id = \"{SHOP_APP}\"\n"), &rsa).replace(&format!("  id = \"{SHOP_WEB}\"\n"), &ed)
}

on_both_engines! {
    async fn each_application_signs_with_its_own_algorithm(database) {
        let world = World::new(database).await;
        world.person("bob");
        let before = world.client().log_in(MINI, "bob").await.token;
        assert_eq!(published(world.nobody()).await.len(), 1);
        world.reconfigure(&with_algorithms()).await;
        for (app, algorithm) in [(SHOP_APP, "RS256"), (SHOP_WEB, "EdDSA")] {
            let client = world.nobody().app(app);
            let tokens = client.log_in_v3(TWO, "bob").await;
            let user = client.log_in(TWO, "bob").await;
            let keys = published(world.nobody()).await;
            for token in [&tokens.access, &tokens.id, &user.token] {
                assert_eq!(header_of(token)["alg"], algorithm);
                assert!(keys.contains(&(kid(token), algorithm.to_owned())), "{keys:?}");
            }
            world.nobody().bearer(&tokens.access).get(GET_PROFILE).await.data();
            world.nobody().bearer(&user.token).get(GET_PROFILE).await.data();
        }
        assert_eq!(published(world.nobody()).await.len(), 3);
        world.nobody().bearer(&before).get(GET_PROFILE).await.data();
        let other_node = world.another_node().await;
        world.client_of(&other_node).bearer(&before).get(GET_PROFILE).await.data();
    }

    async fn a_new_key_is_published_at_once_and_signs_an_hour_later(database) {
        let world = World::new(database).await;
        let other_node = world.another_node().await;
        world.person("bob");
        let old = world.client().log_in(MINI, "bob").await.token;
        let successor = world.node.app.rotate_signing_key(SigningAlgorithm::Es256, false).await.unwrap();
        for node in [&world.node, &other_node] {
            node.app.refresh_config().await.unwrap();
            let keys: Vec<String> =
                published(world.client_of(node)).await.into_iter().map(|(kid, _)| kid).collect();
            assert!(keys.len() == 2 && keys.contains(&successor) && keys.contains(&kid(&old)), "{keys:?}");
            assert_eq!(
                kid(&world.client_of(node).log_in(MINI, "bob").await.token),
                kid(&old),
                "it does not sign yet"
            );
        }
        world.advance(Duration::from_millis(3_599_999));
        let last = world.client().log_in(MINI, "bob").await.token;
        assert_eq!(kid(&last), kid(&old));
        world.advance(Duration::from_millis(1));
        for node in [&world.node, &other_node] {
            let new = world.client_of(node).log_in(MINI, "bob").await.token;
            assert_eq!(kid(&new), successor);
            for token in [&old, &new] {
                world.client_of(node).bearer(token).get(GET_PROFILE).await.data();
            }
        }

        // The old key is kept until the last token that it signed has expired.
        world.advance(Duration::from_secs(14 * 86_400 - 1));
        world.node.app.sweep().await.unwrap();
        let started_later = world.another_node().await;
        world.client_of(&started_later).bearer(&last).get(GET_PROFILE).await.data();
        world.advance(Duration::from_secs(2));
        world.node.app.sweep().await.unwrap();
        let started_later = world.another_node().await;
        assert_eq!(published(world.client_of(&started_later)).await, [(successor, "ES256".to_owned())]);
    }

    async fn two_nodes_that_start_at_once_agree_on_the_first_key(database) {
        let world = World::new(database).await;
        let nodes = futures::future::join_all((0..4).map(|_| world.another_node())).await;
        world.apply(&with_algorithms()).await;
        futures::future::join_all(nodes.iter().map(|node| node.app.refresh_config())).await;
        futures::future::join_all(nodes.iter().map(|node| node.app.refresh_config())).await;
        let keys = published(world.client_of(&nodes[0])).await;
        assert_eq!(keys.len(), 3);
        for node in &nodes {
            assert_eq!(published(world.client_of(node)).await, keys);
        }
    }
}

/// Debug output does not contain the token.
#[test]
fn tokens_do_not_print() {
    let token = UserToken {
        token: "eyJ.secret.x".to_owned(),
        issued_at: hufu_types::Timestamp(0),
        expires_at: hufu_types::Timestamp(0),
    };
    assert!(!format!("{token:?}").contains("secret"), "{token:?}");
}
