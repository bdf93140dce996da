//! What WeChat says about a person is kept with their identities, and shown.

use hufu_sandbox::{DataKind, Fault, NewUser, UserPatch};
use hufu_testkit::administration::{call, key};
use hufu_testkit::on_both_engines;
use hufu_types::AdminRole;
use serde_json::{Value, json};

use super::{MOBILE, USER_INFO, by_code, world};
use crate::client::{AUTH, GRAPHQL};
use crate::world::{MINI, Plan, SHOP, World};

const AVATAR: &str = "https://thirdwx.qlogo.cn/mmopen/mei/132";

fn mei(world: &World) {
    world.person_with(NewUser {
        name: Some("mei".to_owned()),
        nickname: Some("小美".to_owned()),
        avatar_url: Some(AVATAR.to_owned()),
        ..NewUser::default()
    });
}

/// What is kept with each of the identities, by the ends of their realms.
async fn kept(world: &World, token: &str) -> Vec<(String, Value)> {
    let identities = world.nobody().bearer(token).get("/api/v3/get-identities").await.data();
    let one = |identity: &Value| {
        let name =
            format!("{} {}", identity["extIdpId"].as_str().unwrap(), identity["type"].as_str().unwrap());
        (name, identity["userInfoInIdp"].clone())
    };
    let mut all: Vec<_> = identities.as_array().unwrap().iter().map(one).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

on_both_engines! {
    async fn what_wechat_says_is_kept_and_shown_wherever_identities_are(database) {
        let world = world(database).await;
        mei(&world);
        let user = by_code(&world, &world.code(MOBILE, "mei")).await.user();
        let said = json!({ "nickname": "小美", "headimgurl": AVATAR, "sex": 0 });
        let id = world.connection(MOBILE);
        let both = vec![(format!("{id} openid"), said.clone()), (format!("{id} unionid"), said.clone())];
        assert_eq!(kept(&world, &user.token).await, both);

        let own = world.nobody().bearer(&user.token);
        let profile = own.get("/api/v3/get-profile?withIdentities=true").await.data();
        let me = own.get("/api/v3/me/identities").await.data();
        let export = own.get("/api/v3/me/export").await.data();
        let owner = key(&world, AdminRole::Owner, None).await;
        let path = format!("/admin/v1/pools/{SHOP}/users/{}", user.id);
        let seen = call(&world, Some(&owner), "GET", &path, None).await.is(200);
        for shown in [&profile["identities"], &me, &export["identities"], &seen["identities"]] {
            let shown = shown.as_array().unwrap();
            assert_eq!(shown.len(), 2);
            assert!(shown.iter().all(|identity| identity["userInfoInIdp"] == said), "{shown:?}");
        }
        // The older clients know it as the text of an object.
        let query = "query { user { identities { userInfoInIdp } } }";
        let answer = own.post(GRAPHQL, json!({ "query": query })).await.data();
        let text = answer["user"]["identities"][0]["userInfoInIdp"].as_str().unwrap().to_owned();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), said);
    }

    async fn a_login_keeps_what_has_changed_and_nothing_forgets(database) {
        let world = world(database).await;
        mei(&world);
        let first = by_code(&world, &world.code(MOBILE, "mei")).await.user();
        let renamed = UserPatch { nickname: Some("美美".to_owned()), ..UserPatch::default() };
        world.sandbox.change_user("mei", renamed).unwrap();
        let second = by_code(&world, &world.code(MOBILE, "mei")).await.user();
        assert_eq!(first.id, second.id);
        assert_eq!(second.data["nickname"], "小美", "the profile is its owner's");
        let said = json!({ "nickname": "美美", "headimgurl": AVATAR, "sex": 0 });
        let all = kept(&world, &second.token).await;
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|(_, kept)| *kept == said), "{all:?}");

        // Where WeChat says nothing, what it said stays: here it fails, and in a mini program nobody asks it.
        let fault = Fault { path: Some(USER_INFO.to_owned()), errcode: Some(-1), count: 9, ..Fault::default() };
        world.sandbox.add_fault(fault).unwrap();
        by_code(&world, &world.code(MOBILE, "mei")).await.user();
        world.sandbox.clear_faults();
        let third = world.client().referer(MINI).log_in(MINI, "mei").await;
        assert_eq!(third.id, first.id);
        let (openid, unionid) = (format!("{} openid", world.connection(MOBILE)), format!("{} unionid", world.connection(MOBILE)));
        let silent = (format!("{} openid", world.connection(MINI)), json!({}));
        let mut wanted = vec![(openid, said.clone()), (unionid, said), silent];
        wanted.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(kept(&world, &third.token).await, wanted);
    }

    async fn more_than_is_kept_of_anybody_is_not_kept(database) {
        let world = Plan::new().limits(|limits| limits.idp_user_info = 40).build(database).await;
        mei(&world);
        let code = world.code(MINI, "mei");
        let sealed = world.sealed(MINI, &code, DataKind::UserInfo);
        let body = json!({ "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data });
        let user = world.client().referer(MINI).post(AUTH, body).await.user();
        assert_eq!(user.data["nickname"], "小美");
        assert!(kept(&world, &user.token).await.iter().all(|(_, kept)| *kept == json!({})));
    }

    async fn sealed_data_of_a_mini_program_is_kept_and_claims_are_not(database) {
        let world = World::new(database).await;
        mei(&world);
        let code = world.code(MINI, "mei");
        let sealed = world.sealed(MINI, &code, DataKind::UserInfo);
        let body = json!({ "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data });
        let client = world.client().referer(MINI);
        let user = client.post(AUTH, body).await.user();
        let said = json!({ "nickName": "小美", "avatarUrl": AVATAR, "gender": 0, "language": "zh_CN" });
        let all = kept(&world, &user.token).await;
        assert!(all.iter().all(|(_, kept)| *kept == said), "{all:?}");

        let claimed = json!({ "nickName": "root" }).to_string();
        let body = json!({ "code": world.code(MINI, "mei"), "rawData": claimed });
        client.post(AUTH, body).await.user();
        let all = kept(&world, &user.token).await;
        assert!(all.iter().all(|(_, kept)| *kept == said), "{all:?}");
    }

    async fn what_is_known_goes_with_the_identity(database) {
        let world = world(database).await;
        mei(&world);
        let user = by_code(&world, &world.code(MOBILE, "mei")).await.user();
        assert_eq!(world.client().referer(MINI).log_in(MINI, "mei").await.id, user.id);
        let client = world.nobody().bearer(&user.token);
        client.post("/api/v3/unlink-extidp", json!({ "extIdpId": world.connection(MOBILE) })).await.done();
        assert_eq!(kept(&world, &user.token).await, [(format!("{} openid", world.connection(MINI)), json!({}))]);
    }
}
