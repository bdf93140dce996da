//! Pairwise subjects: what each client gets to know a person by.

use hufu_testkit::{on_both_engines, raw};
use hufu_types::refusal::Code;
use hufu_types::{Application, ClientSettings, SubjectType, TokenAuth};
use serde_json::{Value, json};

use crate::client::{Client, GET_PROFILE, GRAPHQL, REVOCATION, TOKEN, Tokens, claims};
use crate::client_keys::INTROSPECTION;
use crate::request_uris::{Reply, Server};
use crate::world::{SHOP_APP, SHOP_WEB, TWO, World};

/// Makes a client of the shop know people by pairwise subjects, with redirect URIs at these hosts.
async fn pairwise(world: &World, client: &str, hosts: &[&str], sector: Option<&str>) {
    let change = |application: &mut Application| {
        application.secrets.clear();
        application.client = ClientSettings {
            token_auth: Some(TokenAuth::None),
            redirect_uris: hosts.iter().map(|host| format!("https://{host}/callback")).collect(),
            subject_type: SubjectType::Pairwise,
            sector_identifier_uri: sector.map(str::to_owned),
            ..ClientSettings::default()
        }
        .into();
    };
    world.change_application(client, change).await;
}

async fn log_in(world: &World, client: &str, name: &str) -> Tokens {
    world.nobody().app(client).log_in_v3(TWO, name).await
}

async fn introspected(client: Client<'_>, id: &str, token: &str) -> Value {
    client.form(INTROSPECTION, &[("client_id", id), ("token", token)]).await.json()
}

on_both_engines! {
    async fn clients_of_different_sectors_cannot_compare(database) {
        let world = World::new(database).await;
        for name in ["bob", "eve"] {
            world.person(name);
        }
        let public = log_in(&world, SHOP_WEB, "bob").await;
        let id = public.user();
        assert_eq!(log_in(&world, SHOP_APP, "bob").await.user(), id);

        pairwise(&world, SHOP_WEB, &["shop.example.com"], None).await;
        pairwise(&world, SHOP_APP, &["other.example.com"], None).await;
        let web = log_in(&world, SHOP_WEB, "bob").await;
        let app = log_in(&world, SHOP_APP, "bob").await;
        let eve = log_in(&world, SHOP_WEB, "eve").await;
        let (subject, other) = (web.user(), app.user());
        assert!(subject.len() == 43 && other.len() == 43 && eve.user().len() == 43);
        assert!(subject != other && subject != eve.user() && subject != id && other != id);

        // Whatever the client is told.
        assert_eq!(claims(&web.id)["sub"], subject);
        assert_ne!(claims(&web.id)["sid"], claims(&app.id)["sid"]);
        let me = world.nobody().bearer(&web.access).get("/oidc/me").await;
        assert_eq!(me.json()["sub"], subject, "{me}");
        for token in [&web.access, &web.refresh] {
            let told = introspected(world.nobody(), SHOP_WEB, token).await;
            assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!(subject)), "{told}");
            assert!(!told.to_string().contains(&id), "{told}");
        }
        assert!(!me.to_string().contains(&id), "{me}");
        let renewed = world.nobody().app(SHOP_WEB).refresh(&web.refresh).await.tokens();
        assert_eq!((renewed.user(), claims(&renewed.id)["sub"].as_str()), (subject.clone(), Some(&*subject)));
        for token in [&renewed.access, &renewed.id] {
            assert!(!claims(token).to_string().contains(&id));
        }
        // A client learns nothing from the tokens of another.
        let foreign = introspected(world.nobody(), SHOP_APP, &web.access).await;
        assert_eq!(foreign, json!({ "active": false }));

        // The subject stays, on every node.
        let node = world.another_node().await;
        assert_eq!(world.client_of(&node).app(SHOP_WEB).log_in_v3(TWO, "bob").await.user(), subject);
        // A token with a subject that the client does not have any more opens nothing.
        world.nobody().bearer(&public.access).get("/oidc/me").await.oauth_error("invalid_token");
        // Clients of one sector share it.
        pairwise(&world, SHOP_APP, &["shop.example.com"], None).await;
        assert_eq!(log_in(&world, SHOP_APP, "bob").await.user(), subject);
        pairwise(&world, SHOP_APP, &["a.example", "b.example"], Some("https://shop.example.com/sector")).await;
        assert_eq!(log_in(&world, SHOP_APP, "bob").await.user(), subject);
        world.nobody().bearer(&app.access).get("/oidc/me").await.oauth_error("invalid_token");
    }

    async fn what_no_host_tells_apart_shares_no_subject(database) {
        let world = World::new(database).await;
        world.person("bob");
        for client in [SHOP_WEB, SHOP_APP] {
            pairwise(&world, client, &[], None).await;
        }
        let subjects = [log_in(&world, SHOP_WEB, "bob").await.user(), log_in(&world, SHOP_APP, "bob").await.user()];
        assert_ne!(subjects[0], subjects[1]);
        for client in [SHOP_WEB, SHOP_APP] {
            let local = |application: &mut Application| {
                application.client.redirect_uris = vec!["http://127.0.0.1/callback".to_owned()];
            };
            world.change_application(client, local).await;
        }
        assert_eq!(log_in(&world, SHOP_WEB, "bob").await.user(), subjects[0]);
        assert_eq!(log_in(&world, SHOP_APP, "bob").await.user(), subjects[1]);
    }

    async fn an_access_token_with_a_pairwise_subject_reads_the_userinfo_alone(database) {
        let world = World::new(database).await;
        world.person("bob");
        pairwise(&world, SHOP_WEB, &["shop.example.com"], None).await;
        let tokens = log_in(&world, SHOP_WEB, "bob").await;
        let client = world.nobody().bearer(&tokens.access);
        assert_eq!(client.get("/oidc/me").await.status, 200);
        client.get(GET_PROFILE).await.refused(2488);
        let query = json!({ "query": "{ user { id } }" });
        client.post(GRAPHQL, query).await.refused(2488);
        client.get("/api/v3/me").await.refused(2488);

        // The user token of a published client names the user, as everywhere.
        let user = world.nobody().app(SHOP_WEB).log_in(TWO, "bob").await;
        assert_eq!(claims(&user.token)["sub"], user.id);
        assert_eq!(world.nobody().bearer(&user.token).get(GET_PROFILE).await.data()["userId"], user.id);
        let grant = [
            ("grant_type", "http://authing.cn/oidc/grant_type/authing_token"), ("client_id", SHOP_WEB),
            ("token", &user.token), ("scope", "openid"),
        ];
        let exchanged = world.nobody().form(TOKEN, &grant).await.json();
        let access = exchanged["access_token"].as_str().unwrap();
        assert_eq!(claims(access)["sub"], tokens.user());
        assert_eq!(claims(exchanged["id_token"].as_str().unwrap())["sub"], tokens.user());

        // The operator sees who it was.
        let fields = [("client_id", SHOP_WEB), ("token", &*tokens.access)];
        assert_eq!(world.nobody().form(REVOCATION, &fields).await.status, 200);
        client.get("/oidc/me").await.oauth_error("invalid_token");
        let revoked = world.audit().await.into_iter().find(|event| event.action.as_str() == "token.revoked");
        let shown = format!("{:?}", revoked.unwrap());
        assert!(shown.contains(&user.id) && !shown.contains(&tokens.user()), "{shown}");
    }

    async fn the_key_of_the_subjects_is_sealed(database) {
        let world = World::new(database).await;
        let rows = raw::texts(world.database(), "SELECT value FROM instance WHERE key = 'subject_key'").await;
        // Version, key id, nonce, the key, and the tag.
        assert_eq!(rows[0][0].len(), 2 * (1 + 8 + 12 + 32 + 16));
        // Nodes that start together agree on it.
        raw::execute(world.database(), "DELETE FROM instance WHERE key = 'subject_key'").await;
        let nodes = futures::future::join_all((0..4).map(|_| world.another_node())).await;
        world.person("bob");
        pairwise(&world, SHOP_WEB, &["shop.example.com"], None).await;
        let mut subjects = std::collections::HashSet::new();
        for node in &nodes {
            node.app.refresh_config().await.unwrap();
            subjects.insert(world.client_of(node).app(SHOP_WEB).log_in_v3(TWO, "bob").await.user());
        }
        assert_eq!(subjects.len(), 1);
    }

    async fn a_sector_lists_its_redirect_uris(database) {
        let (world, server) = (World::new(database).await, Server::start().await);
        let client = |uris: &[&str], sector: Option<&str>| ClientSettings {
            redirect_uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
            subject_type: SubjectType::Pairwise,
            sector_identifier_uri: sector.map(str::to_owned),
            ..ClientSettings::default()
        };
        let app = &world.node.app;
        let refused = async |client: &ClientSettings| {
            let refusal = app.check_sector(client).await.unwrap_err();
            assert!(refusal.is(Code::SectorInvalid), "{refusal}");
        };
        let (a, b) = ("https://a.example/cb", "https://b.example/cb");
        app.check_sector(&client(&[a, "https://a.example/other"], None)).await.unwrap();
        refused(&client(&[a, b], None)).await;
        let public = ClientSettings { subject_type: SubjectType::Public, ..client(&[a, b], None) };
        app.check_sector(&public).await.unwrap();
        assert_eq!(server.asked(), 0);

        let uri = server.at("/sector");
        let both = client(&[a, b], Some(&uri));
        server.has(&json!([a, b, "https://c.example/"]).to_string());
        app.check_sector(&both).await.unwrap();
        // It counts for a public client as well (RFC 7591: what a client says of itself must be true).
        app.check_sector(&ClientSettings { subject_type: SubjectType::Public, ..both.clone() }).await.unwrap();
        let elsewhere = Server::start().await;
        elsewhere.has(&json!([a, b]).to_string());
        for reply in [
            Reply::Text(json!([a]).to_string()),
            Reply::Text(json!([a, "https://b.example/cb/"]).to_string()),
            Reply::Text(json!([a, b, 1]).to_string()),
            Reply::Text(json!({ "redirect_uris": [a, b] }).to_string()),
            Reply::Text("[]".to_owned()),
            Reply::Text(format!("[\"{}\", \"{a}\", \"{b}\"]", "x".repeat(70_000))),
            Reply::Text("<html>".to_owned()),
            Reply::Status(404),
            Reply::Redirect(elsewhere.at("/sector")),
        ] {
            server.answers(reply);
            refused(&both).await;
        }
        assert_eq!(elsewhere.asked(), 0);
        for private in ["https://10.0.0.1/sector", "https://169.254.169.254/sector", "http://[::1]/sector"] {
            refused(&client(&[a], Some(private))).await;
        }
    }
}
