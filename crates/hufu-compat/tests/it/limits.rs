//! Failures are limited per address. Successes never are, since carriers put thousands of users behind one
//! address.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt as _};
use hufu_sandbox::DataKind;
use hufu_testkit::on_both_engines;
use serde_json::json;

use crate::client::{AUTH_BY_PHONE, DECRYPT, GET_PHONE, Mode};
use crate::world::{CAFE_MINI, MINI, Plan, World};

on_both_engines! {
    async fn a_good_code_logs_in_after_a_thousand_failures_from_its_address(database) {
        let world = World::new(database).await;
        world.person("bob");
        let codes: Vec<u64> = stream::iter(0..1_000)
            .map(|index| {
                let client = world.client();
                async move { client.send_code(&format!("guess-{index}")).await.code() }
            })
            .buffer_unordered(16)
            .collect()
            .await;
        let told = |wanted| codes.iter().filter(|code| **code == wanted).count();
        assert_eq!((told(2207), told(1002)), (120, 880), "beyond the limit they learn nothing");
        for mode in Mode::ALL {
            world.client().try_log_in(mode, MINI, "bob").await.logged_in();
        }
        assert_eq!(world.rows("rate_buckets").await, 1, "successes touch no bucket");
    }

    async fn failures_count_by_address_pool_and_minute(database) {
        let world = Plan::new().limits(|limits| limits.login_failures_per_ip = 2).build(database).await;
        for refusal in [2207, 2207, 1002, 1002] {
            world.client().send_code("guess").await.refused(refusal);
        }
        world.client().from([198, 51, 100, 1]).send_code("guess").await.refused(2207);
        world.cafe().send_code("guess").await.refused(2207);
        world.advance(Duration::from_secs(60));
        world.client().send_code("guess").await.refused(2207);
        world.advance(Duration::from_secs(120));
        world.node.app.sweep().await.unwrap();
        assert_eq!(world.rows("rate_buckets").await, 0);
    }

    /// Data that does not decrypt is a guess like a code that is none.
    async fn data_that_does_not_decrypt_counts_as_a_failure(database) {
        let world = Plan::new().limits(|limits| limits.login_failures_per_ip = 3).build(database).await;
        world.person("bob");
        world.person("carol");
        let guess = async |path| {
            let (code, hers) = (world.code(MINI, "bob"), world.code(MINI, "carol"));
            let sealed = world.sealed(MINI, &hers, DataKind::Phone);
            let body = json!({ "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data });
            world.client().referer(MINI).post(path, body).await
        };
        for (path, refusal) in [
            (AUTH_BY_PHONE, 2016), (DECRYPT, 2016), (GET_PHONE, 2016), (AUTH_BY_PHONE, 1002), (DECRYPT, 1002),
        ] {
            guess(path).await.refused(refusal);
        }
        world.client().log_in(MINI, "bob").await;
    }

    /// Passwords that are encrypted but do not decrypt count as wrong ones.
    async fn passwords_that_do_not_decrypt_count_as_wrong_ones(database) {
        let world = Plan::new().limits(|limits| limits.guesses_per_ip = 3).build(database).await;
        let sign_in = async |password: &str, by: &str| {
            let body = json!({
                "connection": "PASSWORD",
                "passwordPayload": { "account": "nobody", "password": password },
                "options": { "passwordEncryptType": by },
            });
            world.client().post("/api/v3/signin", body).await
        };
        let (rsa, sm2) = (STANDARD.encode([7; 256]), "07".repeat(100));
        for (password, by, refusal) in
            [(&rsa, "rsa", 2333), (&sm2, "sm2", 2333), (&sm2, "sm2", 2333), (&rsa, "rsa", 1002), (&sm2, "sm2", 1002)]
        {
            assert_eq!(sign_in(password, by).await.code(), refusal, "{by}");
        }
    }

    async fn only_guesses_count_as_failures(database) {
        let world = Plan::new().limits(|limits| limits.login_failures_per_ip = 0).build(database).await;
        world.person("bob");
        // These are refused for reasons other than the code.
        let fault = hufu_sandbox::Fault { errcode: Some(45011), ..hufu_sandbox::Fault::default() };
        world.exchange_fault(fault);
        world.client().send_code(&world.code(MINI, "bob")).await.refused(1002);
        world.nobody().send_code("x").await.refused(2101);
        world.client().referer(CAFE_MINI).send_code("x").await.refused(2406);
        assert_eq!(world.rows("rate_buckets").await, 0);
        let answer = world.client().send_code("guess").await;
        answer.refused(1002);
        assert_eq!(world.rows("rate_buckets").await, 1);
    }
}
