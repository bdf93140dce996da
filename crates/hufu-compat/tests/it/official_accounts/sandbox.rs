//! The sandbox as WeChat: it makes the QR code, people scan it, and it signs and encrypts what it pushes by itself.

use std::net::SocketAddr;

use hufu_sandbox::{AppPatch, Delivery, MessageMode, Messages, NewUser, Verdict};
use tokio::net::TcpListener;

use super::*;
use crate::world::MINI;

/// The world with the account at its WeChat, which pushes messages to the node over HTTP.
async fn world_of_sandbox(database: TestDatabase, mode: MessageMode, fields: &str) -> World {
    let world = world_with(database, fields).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = world.node.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let messages = Messages {
        url: format!("http://{address}{EVENTS}"),
        token: TOKEN.into(),
        encoding_aes_key: Some(AES_KEY.into()),
        mode,
    };
    let patch = AppPatch { messages: Some(Some(messages)), ..AppPatch::default() };
    world.sandbox.change_app(ACCOUNT, patch).unwrap();
    for name in ["mei", "lin"] {
        world.person(name);
    }
    world
}

// Lessons 1, 2, 3 and 7: follower and mini program user are one person, by the UnionID.
async fn scans(database: TestDatabase, mode: MessageMode) {
    let fields = format!(", encryption = {}", serde_json::to_value(mode).unwrap());
    let world = world_of_sandbox(database, mode, &fields).await;
    let user = world.client().referer(MINI).log_in(MINI, "mei").await.id;
    for delivery in [Delivery::default(), Delivery { twice: true, ..Delivery::default() }] {
        let ticket = ticket(&world).await;
        world.sandbox.scan(&ticket.scene, "mei", &delivery).await.unwrap();
        let push = world.sandbox.pushes(0).pop().unwrap();
        assert_eq!(push.verdict(), Some(Verdict::Acknowledged), "{push:?}");
        assert_eq!(log_in(&world, &ticket).await, user, "{mode:?}");
    }
    let events: Vec<_> = world.sandbox.pushes(0).into_iter().map(|push| push.event).collect();
    assert_eq!(events, ["subscribe", "SCAN"]);
    for delivery in [
        Delivery { unsigned: true, ..Delivery::default() },
        Delivery { forged: true, ..Delivery::default() },
        Delivery { age_seconds: 601, ..Delivery::default() },
    ] {
        let ticket = ticket(&world).await;
        world.sandbox.scan(&ticket.scene, "lin", &delivery).await.unwrap();
        assert_eq!(check(&world.nobody().app(SHOP_TILL), &ticket).await["status"], 0, "{delivery:?}");
    }
}

on_both_engines! {
    async fn a_person_who_scans_is_the_one_of_the_mini_program_in_safe_mode(database) {
        scans(database, MessageMode::Safe).await;
    }

    async fn a_person_who_scans_is_the_one_of_the_mini_program_in_compatible_mode(database) {
        scans(database, MessageMode::Compatible).await;
    }

    async fn a_person_who_scans_is_the_one_of_the_mini_program_in_plain_mode(database) {
        scans(database, MessageMode::Plain).await;
    }

    async fn a_new_follower_is_welcomed_in_the_language_of_their_wechat(database) {
        let fields = ", welcome = { zh-CN = \"欢迎\", en = \"Welcome\" }";
        let world = world_of_sandbox(database, MessageMode::Safe, fields).await;
        for (name, language, expected) in [("mei", "zh_CN", "欢迎"), ("lin", "en", "Welcome"), ("sato", "ja", "欢迎")] {
            let new = NewUser { name: Some(name.to_owned()), language: Some(language.to_owned()), ..NewUser::default() };
            world.sandbox.add_user(new).unwrap();
            let push = world.sandbox.follow(ACCOUNT, name, &Delivery::default()).await.unwrap().unwrap();
            assert_eq!(push.verdict(), Some(Verdict::Replied), "{push:?}");
            let said = format!("{push:?}");
            assert!(said.contains(expected), "{language}: {said}");
        }
    }

    async fn wechat_reads_the_replies(database) {
        let fields = ", welcome = { zh-CN = \"欢迎\", en = \"Welcome\" }, account = \"subscription\"";
        let world = world_of_sandbox(database, MessageMode::Safe, fields).await;
        let push = world.sandbox.follow(ACCOUNT, "mei", &Delivery::default()).await.unwrap().unwrap();
        assert_eq!(push.verdict(), Some(Verdict::Replied), "{push:?}");
        assert!(format!("{push:?}").contains("欢迎"), "{push:?}");
        let ticket = ticket(&world).await;
        let code = ticket.short_code.as_deref().unwrap();
        let push = world.sandbox.message(ACCOUNT, "mei", code, &Delivery::default()).await.unwrap();
        assert_eq!(push.verdict(), Some(Verdict::Acknowledged), "{push:?}");
        log_in(&world, &ticket).await;
        let push = world.sandbox.unfollow(ACCOUNT, "mei", &Delivery::default()).await.unwrap();
        assert_eq!(push.verdict(), Some(Verdict::Acknowledged), "{push:?}");
    }
}
