//! A message is acknowledged only when it is stored: what comes while the database fails is sent again by WeChat, and then
//! takes effect once.

use super::*;

/// Tables without which a message cannot be dealt with, from the first that is written to the last.
const TABLES: [&str; 4] = ["wechat_messages", "wechat_followers", "qr_tickets", "identities"];

/// Fails unless WeChat sends this message again: it wants 200 and, without a reply, `success` or nothing.
#[track_caller]
fn not_acknowledged(answer: &Answer, place: &str) {
    assert!(answer.status.is_server_error(), "{place}: {answer}");
    assert!(!answer.to_string().contains("success") && !answer.bytes.is_empty(), "{place}: {answer}");
}

async fn count(world: &World, table: &str) -> i64 {
    raw::number(world.database(), &format!("SELECT COUNT(*) FROM {table}")).await
}

on_both_engines! {
    async fn a_message_that_could_not_be_stored_is_sent_again_and_takes_effect_once(database) {
        let world = world_with(database, ", welcome = { zh-CN = \"欢迎\" }").await;
        for (place, table) in TABLES.into_iter().enumerate() {
            let code = ticket(&world).await;
            let follower: &'static str = format!("oFollower-{place}-456789_AbCdEfG").leak();
            world.secret(follower);
            let at = NOW.seconds();
            let body = event(follower, at, "subscribe", &format!("qrscene_{}", code.scene));
            let push = Push { from: follower, ..Push::of(body) };
            let before = [count(&world, "wechat_followers").await, count(&world, "identities").await, count(&world, "users").await];

            // WeChat signs anew whenever it sends it again.
            raw::execute(world.database(), &format!("ALTER TABLE {table} RENAME TO hidden")).await;
            for nonce in ["1", "2"] {
                let nonce: &'static str = format!("{place}{nonce}").leak();
                not_acknowledged(&Push { nonce, ..push.clone() }.send(&world.nobody()).await, table);
            }
            raw::execute(world.database(), &format!("ALTER TABLE hidden RENAME TO {table}")).await;
            assert_eq!(check(&world.nobody().app(SHOP_TILL), &code).await["status"], 0, "{table}: nothing came of it");

            for nonce in ["3", "4", "4"] {
                let nonce: &'static str = format!("{place}{nonce}").leak();
                let answer = Push { nonce, ..push.clone() }.send(&world.nobody()).await;
                assert_eq!(answer.status, StatusCode::OK, "{table}: {answer}");
            }
            log_in(&world, &code).await;
            let after = [count(&world, "wechat_followers").await, count(&world, "identities").await, count(&world, "users").await];
            assert_eq!(after[0] - before[0], 1, "{table}");
            assert_eq!(after[2] - before[2], 1, "{table}: one person");
            let messages = i64::try_from(place).unwrap() + 1;
            assert_eq!(count(&world, "wechat_messages").await, messages, "{table}: one message");
        }
    }
}
