//! Isolation of pools: every route, called with ids of another pool.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use hufu_sandbox::{DataKind, NewUser};
use hufu_testkit::on_both_engines;
use hufu_testkit::routes::ROUTES;
use serde_json::{Value, json};

use crate::client::{
    AUTH, AUTH_BY_PHONE, Answer, BIND, Client, DECRYPT, GET_PHONE, GET_PROFILE, GRAPHQL, JWKS, LOGOUT, Mode,
    PHONE, REVOCATION, SIGNIN, SYSTEM, TOKEN, Tokens, UPDATE_PROFILE, UPLOAD, User, WELL_KNOWN,
};
use crate::world::{CAFE, CAFE_APP, CAFE_MINI, MINI, Plan, SHOP, SHOP_APP, World, tables};

/// The source files that build the router.
const SOURCES: &[&str] = &[
    include_str!("../../src/lib.rs"),
    include_str!("../../src/entry.rs"),
    include_str!("../../src/guard.rs"),
    include_str!("../../src/launch.rs"),
    include_str!("../../src/mobile.rs"),
    include_str!("../../src/own.rs"),
    include_str!("../../src/public_config.rs"),
    include_str!("../../src/v3/mod.rs"),
    include_str!("../../../hufu-web/src/oidc/mod.rs"),
    include_str!("../../src/personal/mod.rs"),
    include_str!("../../../hufu-web/src/operations.rs"),
    include_str!("../../../hufu-web/src/page/preferences.rs"),
    include_str!("../../../hufu-pages/src/outbox.rs"),
];

#[test]
fn the_table_names_every_route() {
    let in_sources: BTreeSet<&str> = SOURCES
        .iter()
        .flat_map(|source| source.split(".route(").skip(1))
        .map(|rest| {
            rest.trim_start()
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next())
                .expect("a literal path")
        })
        .collect();
    let in_table: BTreeSet<&str> = ROUTES.iter().map(|(_, path)| *path).collect();
    assert_eq!(in_table, in_sources, "a route of the server is missing here, or one here is no route");
    let modules = include_str!("../../../hufu-web/src/server.rs").matches(".merge(").count();
    // The surfaces are passed in. One of them is `/admin/v1`, whose own tests compare it with its OpenAPI
    // document.
    assert_eq!(modules, 3, "another router is merged: add its source above");
}

/// A shop with bob in it. Eve belongs to the cafe and knows everything about bob except his secrets.
struct Scene<'w> {
    world: &'w World,
    bob: User,
    bob_tokens: Tokens,
    eve: User,
    eve_tokens: Tokens,
    /// Values that no response to eve may contain.
    private: Vec<String>,
}

const NUMBER: &str = "13812345678";

impl<'w> Scene<'w> {
    async fn new(world: &'w World) -> Self {
        let named = |name: &str, nickname: &str, phone: &str| NewUser {
            name: Some(name.to_owned()),
            nickname: Some(nickname.to_owned()),
            phone: Some(phone.to_owned()),
            ..NewUser::default()
        };
        let person = world.person_with(named("bob", "Bob of the shop", NUMBER));
        world.person_with(named("eve", "Eve", "13887654321"));
        let shop = world.client().referer(MINI);
        let bob_tokens = shop.try_log_in(Mode::Phone, MINI, "bob").await.tokens();
        let bob = shop.log_in(MINI, "bob").await;
        let client = world.nobody().bearer(&bob.token);
        let change = json!({ "nickname": "Bob of the shop", "customData": { "note": "bob's own note" } });
        client.post(UPDATE_PROFILE, change).await.data();
        let cafe = world.cafe();
        let eve_tokens = cafe.try_log_in(Mode::Phone, CAFE_MINI, "eve").await.tokens();
        let eve = cafe.log_in(CAFE_MINI, "eve").await;
        let ids = person.ids.iter().filter(|ids| ids.app_id != CAFE_MINI);
        let ids = ids.flat_map(|ids| [Some(ids.openid.clone()), ids.unionid.clone()]).flatten();
        let texts = ["Bob of the shop", "bob's own note", NUMBER, "secret-of", SHOP, bob.id.as_str()];
        let private = texts.into_iter().map(str::to_owned).chain(ids).collect();
        Self { world, bob, bob_tokens, eve, eve_tokens, private }
    }

    /// Checks that a response to eve reveals nothing about bob.
    #[track_caller]
    fn check(&self, answer: &Answer) {
        for private in &self.private {
            assert!(!answer.to_string().contains(private.as_str()), "{private} was told: {answer}");
        }
    }

    async fn refused(&self, client: Client<'_>, path: &str, body: Value, code: u64) {
        let answer = self.world.stores_nothing(client.post(path, body.clone())).await;
        assert_eq!(answer.code(), code, "{path} {body}: {answer}");
        answer.refused(code);
        self.check(&answer);
    }

    /// The body of a call that takes a login code, with this code and this connection.
    fn body(&self, path: &str, app_id: &str, name: &str, connection: Option<&str>) -> Value {
        let mode = match path {
            AUTH | BIND => Mode::V2Code,
            SIGNIN => Mode::CodeAndPhone,
            _ => Mode::V2Phone,
        };
        let (_, mut body) = mode.request(self.world, app_id, name);
        if path == PHONE {
            body = json!({ "code": self.world.phone_code(app_id, name) });
        }
        if let Some(connection) = connection {
            body["extIdpConnidentifier"] = connection.into();
        }
        body
    }
}

on_both_engines! {
    async fn calls_before_a_login(database) {
        let world = World::new(database).await;
        let scene = Scene::new(&world).await;
        for path in [AUTH, AUTH_BY_PHONE, GET_PHONE, SIGNIN, PHONE, DECRYPT] {
            let cafe = world.cafe();
            // The connection, app id, pool id, mini program or code of the other pool.
            scene.refused(cafe.clone(), path, scene.body(path, MINI, "bob", Some("shop-mini")), 2402).await;
            scene
                .refused(cafe.clone().pool(SHOP), path, scene.body(path, CAFE_MINI, "eve", None), 2020)
                .await;
            scene.refused(world.client().pool(CAFE), path, scene.body(path, MINI, "bob", None), 2020).await;
            scene.refused(cafe.clone().referer(MINI), path, scene.body(path, MINI, "bob", None), 2406).await;
            scene.refused(cafe.clone(), path, scene.body(path, MINI, "bob", None), 2207).await;
            scene
                .refused(
                    world.nobody().pool(CAFE),
                    path,
                    scene.body(path, MINI, "bob", Some("shop-mini")),
                    2402,
                )
                .await;

            // The token of the other pool on a call that ignores tokens: eve still logs in to the cafe as
            // herself.
            if matches!(path, AUTH | AUTH_BY_PHONE | SIGNIN) {
                let client = cafe.bearer(&scene.bob.token);
                let answer = client.post(path, scene.body(path, CAFE_MINI, "eve", None)).await;
                assert_eq!(answer.logged_in(), scene.eve.id);
                scene.check(&answer);
            }
        }
        // The phone number of a user in the other pool leads to no account.
        let phone = Some(NUMBER.to_owned());
        world.person_with(NewUser { name: Some("mallory".to_owned()), phone, ..NewUser::default() });
        let answer = world.cafe().try_log_in(Mode::V2Phone, CAFE_MINI, "mallory").await;
        assert_eq!(answer.data()["newlyCreated"], true);
        assert_ne!(answer.logged_in(), scene.bob.id);
    }

    /// The record of the other pool is not found even through a connection that has the same credentials.
    async fn a_code_that_the_other_pool_exchanged(database) {
        let plan = Plan::new().limits(|limits| limits.code_record_wait = Duration::ZERO);
        let world = plan.build(database).await;
        let scene = Scene::new(&world).await;
        let mut tables: Vec<String> = tables().into_iter().map(str::to_owned).collect();
        let place =
            |tables: &[String], text: &str| tables.iter().position(|table| table.contains(text)).unwrap();
        let application = place(&tables, CAFE_APP);
        tables[application] = tables[application].replace("[\"cafe-mini\"]", "[\"cafe-mini\", \"same-app\"]");
        let connection = place(&tables, "identifier = \"cafe-mini\"");
        let same_app = format!(
            "user_pool.connection]]\nidentifier = \"same-app\"\ntype = \"wechat:miniprogram:default\"\n\
             fields = {{ app_id = \"{MINI}\", app_secret = \"secret-of-{MINI}\" }}\n"
        );
        tables.insert(connection, same_app);
        world.reconfigure(&tables.join("[[")).await;

        let code = world.code(MINI, "bob");
        let sealed = world.sealed(MINI, &code, DataKind::Phone);
        world.client().referer(MINI).send_code(&code).await.user();
        let body = json!({
            "code": code, "iv": sealed.iv, "encryptedData": sealed.encrypted_data, "extIdpConnidentifier": "same-app",
        });
        for path in [AUTH, AUTH_BY_PHONE, GET_PHONE, DECRYPT] {
            scene.refused(world.cafe(), path, body.clone(), 2206).await;
        }
        let answer = world.cafe().referer(MINI).send_code(&world.code(MINI, "bob")).await;
        assert_eq!(answer.data()["newlyCreated"], true, "the same person is somebody else here");
    }

    async fn calls_after_a_login(database) {
        let world = World::new(database).await;
        let scene = Scene::new(&world).await;
        let bob = [&scene.bob.token, &scene.bob_tokens.access];
        for token in bob {
            // The token of the other pool, on a client of this pool.
            for client in
                [world.cafe(), world.nobody().pool(CAFE), world.cafe().pool(CAFE), world.cafe().pool(SHOP)]
            {
                let client = client.bearer(token);
                scene
                    .refused(client.clone(), UPDATE_PROFILE, json!({ "nickname": "Eve was here" }), 2020)
                    .await;
                scene.refused(client.clone(), BIND, scene.body(BIND, CAFE_MINI, "eve", None), 2020).await;
                for query in documents(&scene.bob.id) {
                    scene.refused(client.clone(), GRAPHQL, query, 2020).await;
                }
                let answer = world.stores_nothing(client.get(GET_PROFILE)).await;
                answer.refused(2020);
                scene.check(&answer);
                // A client of another pool cannot end a session.
                world.stores_nothing(client.get(LOGOUT)).await;
            }
        }
        world.nobody().bearer(&scene.bob.token).get(GET_PROFILE).await.data();

        // The token of this pool, with a user id, connection or code of the other pool.
        for token in [&scene.eve.token, &scene.eve_tokens.access] {
            let eve = world.cafe().bearer(token);
            for query in documents(&scene.bob.id) {
                scene.refused(eve.clone(), GRAPHQL, query, 1001).await;
            }
            scene.refused(eve.clone(), BIND, scene.body(BIND, MINI, "bob", Some("shop-mini")), 2402).await;
            scene.refused(eve.clone(), BIND, scene.body(BIND, MINI, "bob", None), 2207).await;
            scene.refused(eve.clone().referer(MINI), BIND, scene.body(BIND, MINI, "bob", None), 2406).await;
            let change = json!({ "userId": scene.bob.id, "id": scene.bob.id, "nickname": "Eve" });
            let changed = eve.post(UPDATE_PROFILE, change).await;
            assert_eq!(changed.data()["userId"], scene.eve.id.as_str());
            scene.check(&changed);
            let answer = eve
                .get(&format!(
                    "{GET_PROFILE}?withIdentities=true&withCustomData=true&userId={}",
                    scene.bob.id
                ))
                .await;
            assert_eq!(answer.data()["userId"], scene.eve.id.as_str());
            scene.check(&answer);
        }
        let bob = world.nobody().bearer(&scene.bob.token).get(GET_PROFILE).await.data();
        assert_eq!(bob["nickname"], "Bob of the shop");

        let status = "query ($token: String) { checkLoginStatus(token: $token) { status code data { id } } }";
        let answer = world.cafe().graphql(status, json!({ "token": scene.bob.token })).await;
        assert_eq!(answer.data()["checkLoginStatus"], json!({ "status": false, "code": 2020, "data": null }));
        scene.check(&answer);
    }

    async fn tokens_at_the_oauth_endpoints(database) {
        let world = World::new(database).await;
        let scene = Scene::new(&world).await;
        let refresh = scene.bob_tokens.refresh.as_str();
        for client in [world.cafe(), world.nobody().pool(CAFE)] {
            let answer = world.stores_nothing(client.refresh(refresh)).await;
            answer.oauth_error("invalid_grant");
            scene.check(&answer);
        }
        for client in [world.cafe().pool(SHOP), world.client().pool(CAFE)] {
            world.stores_nothing(client.refresh(refresh)).await.oauth_error("invalid_client");
        }
        let named = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", SHOP_APP)];
        world.stores_nothing(world.cafe().form(TOKEN, &named)).await.oauth_error("invalid_client");

        for token in [refresh, &scene.bob_tokens.access, &scene.bob.token] {
            let fields = [("client_id", CAFE_APP), ("token", token)];
            let answer = world.stores_nothing(world.nobody().form(REVOCATION, &fields)).await;
            assert_eq!(answer.status, 200);
            let fields = [("client_id", SHOP_APP), ("token", token)];
            world
                .stores_nothing(world.cafe().pool(SHOP).form(REVOCATION, &fields))
                .await
                .oauth_error("invalid_client");
        }
        world.client().refresh(refresh).await.tokens();
    }

    /// Calls of the instance reveal nothing about any pool.
    async fn calls_of_the_instance(database) {
        let world = World::new(database).await;
        let scene = Scene::new(&world).await;
        for path in [WELL_KNOWN, SYSTEM, JWKS, "/healthz", "/readyz", "/uploads/x"] {
            for client in [world.nobody(), world.cafe().pool(SHOP), world.cafe().bearer(&scene.bob.token)] {
                let answer = world.stores_nothing(client.get(path)).await;
                assert!(answer.status.is_success() || path == "/uploads/x", "{path}: {answer}");
                scene.check(&answer);
            }
        }
        let answer =
            world.cafe().bearer(&scene.bob.token).send(Method::POST, UPLOAD, "text/plain", Vec::new()).await;
        answer.refused(2231);
        scene.check(&answer);
    }
}

/// Every GraphQL operation that names a user, with this user id.
fn documents(user: &str) -> Vec<Value> {
    let data = "(targetType: USER, targetId: $id";
    let list = "{ key value }";
    [
        "query ($id: String!) { user(id: $id) { id nickname phone openid token identities { openid } } }".to_owned(),
        "mutation ($id: String!) { updateUser(id: $id, input: { nickname: \"Eve\" }) { id token } }".to_owned(),
        "mutation ($id: String!) { refreshToken(id: $id) { token } }".to_owned(),
        format!("query ($id: String!) {{ udv{data}) {list} }}"),
        format!("mutation ($id: String!) {{ setUdv{data}, key: \"k\", value: \"1\") {list} }}"),
        format!("mutation ($id: String!) {{ setUdvBatch{data}, udvList: [{{ key: \"k\", value: \"1\" }}]) {list} }}"),
        format!("mutation ($id: String!) {{ removeUdv{data}, key: \"note\") {list} }}"),
    ]
    .map(|query| json!({ "query": query, "variables": { "id": user } }))
    .to_vec()
}

/// Fails if there is an operation that is not tried above.
#[test]
fn every_operation_of_graphql_is_tried() {
    let sources = [
        include_str!("../../src/graphql/query.rs"),
        include_str!("../../src/graphql/mutation.rs"),
        include_str!("../../src/graphql/login.rs"),
        include_str!("../../src/graphql/credentials.rs"),
    ];
    let operations: BTreeSet<String> = sources
        .iter()
        .filter_map(|source| source.split("#[Object]").nth(1)?.split("\n}\n").next())
        .flat_map(|object| object.split("async fn ").skip(1))
        .map(|rest| rest.split(['(', '<']).next().unwrap_or_default().to_owned())
        .collect();
    let tried = [
        "user",
        "update_user",
        "refresh_token",
        "udv",
        "set_udv",
        "set_udv_batch",
        "remove_udv",
        "check_login_status",
        // These are tried in `credentials`, or do not concern a logged-in user.
        "check_password_strength",
        "is_user_exists",
        "login_by_email",
        "login_by_username",
        "login_by_phone_password",
        "login_by_phone_code",
        "login_by_sub_account",
        "register_by_email",
        "register_by_username",
        "register_by_phone_code",
        "send_email",
        "reset_password",
        "reset_password_by_first_login_token",
        "reset_password_by_force_reset_token",
        "send_first_login_verify_email",
        "update_password",
        "update_phone",
        "update_email",
        "bind_phone",
        "bind_email",
        "unbind_phone",
        "unbind_email",
    ];
    assert_eq!(operations, tried.map(str::to_owned).into());
}
