//! Request objects that the server fetches from clients.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_testkit::on_both_engines;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::Answer;
use crate::client_keys::{
    CALLBACK, PUSH, Signer, authorize, error_of, inline, is_page, location, opened, seconds, unsigned,
    website, with, without, world_with,
};
use crate::world::{PUBLIC_URL, Plan, SHOP_BARE, SHOP_WEB, World};

/// What a client's server answers.
#[derive(Clone)]
pub(crate) enum Reply {
    Text(String),
    Status(u16),
    Redirect(String),
    /// Nothing, ever.
    Silence,
}

/// A client's server.
pub(crate) struct Server {
    base: String,
    state: Arc<Mutex<State>>,
}

struct State {
    reply: Reply,
    /// The paths that were asked for.
    asked: Vec<String>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { reply: Reply::Status(404), asked: Vec::new() }));
        let own = state.clone();
        let answer = async move |uri: Uri| -> Response {
            let reply = {
                let mut state = own.lock().unwrap();
                state.asked.push(uri.to_string());
                state.reply.clone()
            };
            match reply {
                Reply::Text(text) => text.into_response(),
                Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
                Reply::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
                Reply::Silence => std::future::pending().await,
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { base, state }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn answers(&self, reply: Reply) {
        self.state.lock().unwrap().reply = reply;
    }

    pub(crate) fn has(&self, object: &str) {
        self.answers(Reply::Text(object.to_owned()));
    }

    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }
}

/// The standard file with a website that has these request URIs, and with this for its keys.
fn file(uris: &[String], keys: &str) -> String {
    website(&format!("  token_auth = \"client_secret_basic\"\n  request_uris = {uris:?}\n  {keys}"))
}

fn object(world: &World) -> Value {
    json!({
        "iss": SHOP_WEB, "aud": format!("{PUBLIC_URL}/oidc"), "client_id": SHOP_WEB, "response_type": "code",
        "redirect_uri": CALLBACK, "scope": "openid email", "state": "inside", "nonce": "n",
        "exp": seconds(world) + 3600,
    })
}

/// Asks for a request object, with what a redirect URI outside leaves to tell the client.
async fn ask(world: &World, uri: &str) -> Answer {
    ask_as(world, SHOP_WEB, uri).await
}

async fn ask_as(world: &World, client: &str, uri: &str) -> Answer {
    let outside =
        [("client_id", client), ("response_type", "code"), ("redirect_uri", CALLBACK), ("state", "outside")];
    authorize(world, &[&outside[..], &[("request_uri", &*escaped(uri))]].concat()).await
}

fn escaped(uri: &str) -> String {
    uri.replace('%', "%25").replace('#', "%23").replace('&', "%26").replace('+', "%2B")
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

on_both_engines! {
    async fn a_request_object_is_fetched(database) {
        let (signer, server) = (Signer::new("first"), Server::start().await);
        let uri = server.at("/r?tenant=1");
        let world = world_with(database, &file(std::slice::from_ref(&uri), &inline(&[signer.jwk()]))).await;
        server.has(&format!("{}\n", signer.sign(&object(&world))));
        let request = opened(&world, &ask(&world, &uri).await).request;
        assert_eq!((request.state.as_deref(), request.nonce.as_deref()), (Some("inside"), Some("n")));
        assert_eq!(request.scopes.to_string(), "openid email");
        // Nothing is needed beside it.
        let alone = [("client_id", SHOP_WEB), ("request_uri", &*uri)];
        opened(&world, &world.nobody().form("/oidc/auth", &alone).await);
        assert_eq!(server.asked(), 1, "the clock stands");
        assert_eq!(server.state.lock().unwrap().asked, ["/r?tenant=1"]);

        // Another node asks for itself, and the next second brings what is there then.
        let other = world.another_node().await;
        server.has(&signer.sign(&with(object(&world), "state", json!("later"))));
        let path = format!("/oidc/auth?client_id={SHOP_WEB}&request_uri={uri}");
        opened(&world, &crate::client::Client::of(&world, &other).get(&path).await);
        assert_eq!(server.asked(), 2);
        world.advance(Duration::from_secs(1));
        assert_eq!(opened(&world, &ask(&world, &uri).await).request.state.as_deref(), Some("later"));
        assert_eq!(server.asked(), 3);

        // One that is not there any more is not used, and not asked for by everybody.
        world.advance(Duration::from_secs(1));
        server.answers(Reply::Status(404));
        for _ in 0..3 {
            assert_eq!(error_of(&ask(&world, &uri).await), "invalid_request_uri");
        }
        assert_eq!(server.asked(), 4);
    }

    async fn the_hash_of_a_request_object_makes_it_last(database) {
        let (signer, server) = (Signer::new("first"), Server::start().await);
        let world = World::new(database).await;
        let signed = signer.sign(&object(&world));
        let uri = format!("{}#{}", server.at("/r"), hash(&signed));
        world.reconfigure(&file(std::slice::from_ref(&uri), &inline(&[signer.jwk()]))).await;
        server.has(&signed);
        for _ in 0..10 {
            opened(&world, &ask(&world, &uri).await);
            world.advance(Duration::from_secs(59));
        }
        assert_eq!(server.asked(), 1);
        // The address is the client's whatever its fragment, which says what is expected there now.
        let newer = signer.sign(&with(object(&world), "state", json!("newer")));
        server.has(&newer);
        let renewed = format!("{}#{}", server.at("/r"), hash(&newer));
        assert_eq!(opened(&world, &ask(&world, &renewed).await).request.state.as_deref(), Some("newer"));
        assert_eq!(server.asked(), 2);
        world.advance(Duration::from_secs(300));
        opened(&world, &ask(&world, &renewed).await);
        assert_eq!(server.asked(), 2);
        // One that is not the hash of what is there vouches for nothing: it is fetched again.
        for fragment in ["", &hash("something else"), "x"] {
            world.advance(Duration::from_secs(1));
            let asked = server.asked();
            opened(&world, &ask(&world, &format!("{}#{fragment}", server.at("/r"))).await);
            assert_eq!(server.asked(), asked + 1, "{fragment}");
        }
        world.advance(Duration::from_secs(600));
        server.answers(Reply::Status(500));
        assert_eq!(error_of(&ask(&world, &renewed).await), "invalid_request_uri", "it is too old");
    }

    async fn one_fetch_serves_all_who_wait(database) {
        let (signer, server) = (Signer::new("first"), Server::start().await);
        let uri = server.at("/r");
        let world = world_with(database, &file(std::slice::from_ref(&uri), &inline(&[signer.jwk()]))).await;
        server.has(&signer.sign(&object(&world)));
        let answers = futures::future::join_all((0..20).map(|_| ask(&world, &uri))).await;
        for answer in &answers {
            opened(&world, answer);
        }
        assert_eq!(server.asked(), 1);
    }

    async fn only_registered_addresses_are_fetched(database) {
        let (signer, server) = (Signer::new("first"), Server::start().await);
        let world = World::new(database).await;
        let other = "  name = \"Shop counter\"\n";
        let of_other = server.at("/other");
        let file = file(&[server.at("/r"), server.at("/q?a=1&b=2")], &inline(&[signer.jwk()]));
        let with_other = format!("{other}  request_uris = [{of_other:?}]\n  {}\n", inline(&[signer.jwk()]));
        assert!(file.contains(other));
        world.reconfigure(&file.replace(other, &with_other)).await;
        server.has(&signer.sign(&object(&world)));
        let port = server.base.rsplit(':').next().unwrap();
        for uri in [
            of_other.clone(),
            server.at("/"),
            server.at("/r/"),
            server.at("/r?"),
            server.at("/R"),
            server.at("/r%23"),
            server.at("//r"),
            server.at("/x/../r"),
            server.at("/q?b=2&a=1"),
            server.at("/q"),
            format!("http://localhost:{port}/r"),
            format!("http://LOCALHOST:{port}/r"),
            format!("http://127.0.0.1:{port}@evil.example/r"),
            format!("http://a@127.0.0.1:{port}/r"),
            format!("http://127.1:{port}/r"),
            format!("https://127.0.0.1:{port}/r"),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "file:///etc/passwd".to_owned(),
            "data:application/jwt,x".to_owned(),
            "/r".to_owned(),
            "r".to_owned(),
            "urn:ietf:params:oauth:request_uri".to_owned(),
        ] {
            assert_eq!(error_of(&ask(&world, &uri).await), "invalid_request_uri", "{uri}");
            is_page(&authorize(&world, &[("client_id", SHOP_WEB), ("request_uri", &escaped(&uri))]).await);
        }
        assert_eq!(server.asked(), 0);
        // What one client signed is nothing to another, even where it is.
        assert_eq!(error_of(&ask_as(&world, SHOP_BARE, &of_other).await), "invalid_request_object");
        assert_eq!(server.asked(), 1);
        // A pushed request refers to nothing.
        let push = [("client_id", SHOP_BARE), ("request_uri", &*of_other)];
        world.nobody().form(PUSH, &push).await.oauth_error("invalid_request");
        assert_eq!(server.asked(), 1);
    }

    async fn what_is_there_is_bounded_and_followed_nowhere(database) {
        let (signer, server) = (Signer::new("first"), Server::start().await);
        let private = ["https://10.0.0.1/r", "https://169.254.169.254/r", "https://[fd00::1]/r", "https://[::1]/r"];
        let uris: Vec<_> = private.iter().map(|uri| (*uri).to_owned()).chain([server.at("/r")]).collect();
        let world = Plan::new()
            .limits(|limits| limits.request_object_wait = Duration::from_millis(100))
            .build(database)
            .await;
        world.reconfigure(&file(&uris, &inline(&[signer.jwk()]))).await;
        let mut told = std::collections::HashSet::new();
        let mut refused = async |uri: &str| {
            let answer = ask(&world, uri).await;
            assert_eq!(error_of(&answer), "invalid_request_uri", "{uri}");
            told.insert(location(&answer).to_owned());
            world.advance(Duration::from_secs(1));
        };
        for uri in private {
            refused(uri).await;
        }
        let other = Server::start().await;
        other.has(&signer.sign(&object(&world)));
        let uri = server.at("/r");
        for reply in [
            Reply::Redirect(other.at("/r")),
            Reply::Redirect("http://169.254.169.254/latest/meta-data/".to_owned()),
            Reply::Status(500),
            Reply::Status(204),
            Reply::Silence,
            Reply::Text("x".repeat(8 * 1024 + 1)),
            Reply::Text("x".repeat(1024 * 1024)),
        ] {
            server.answers(reply);
            refused(&uri).await;
        }
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let nobody = format!("http://{gone}/r");
        world.reconfigure(&file(&[nobody.clone(), uri.clone()], &inline(&[signer.jwk()]))).await;
        refused(&nobody).await;
        assert_eq!((server.asked(), other.asked()), (7, 0));
        assert_eq!(told.len(), 1, "nobody learns what answers where: {told:?}");
        server.has(&signer.sign(&object(&world)));
        opened(&world, &ask(&world, &uri).await);
    }

    async fn what_is_fetched_is_verified_as_what_is_sent(database) {
        let (signer, stranger, server) = (Signer::new("first"), Signer::new("first"), Server::start().await);
        let uri = server.at("/r");
        let world = world_with(database, &file(std::slice::from_ref(&uri), &inline(&[signer.jwk()]))).await;
        let (good, now) = (|| object(&world), seconds(&world));
        for wrong in [
            stranger.sign(&good()),
            signer.sign_as(&json!({ "alg": "EdDSA", "kid": "second" }), &good()),
            signer.sign_as(&json!({ "alg": "HS256", "kid": "first" }), &good()),
            signer.sign_as(&json!({ "alg": "ES256", "kid": "first" }), &good()),
            signer.sign_as(&json!({ "alg": "EdDSA", "kid": "first", "typ": "client-authentication+jwt" }), &good()),
            signer.sign(&with(good(), "client_id", json!(SHOP_BARE))),
            signer.sign(&with(good(), "iss", json!(SHOP_BARE))),
            signer.sign(&without(good(), "iss")),
            signer.sign(&with(good(), "aud", json!("https://evil.example"))),
            signer.sign(&with(good(), "sub", json!(SHOP_WEB))),
            signer.sign(&with(good(), "exp", json!(now - 5))),
            signer.sign(&with(good(), "request_uri", json!(uri))),
            signer.sign(&with(good(), "request", json!(signer.sign(&good())))),
            "<html>not found</html>".to_owned(),
            String::new(),
        ] {
            server.has(&wrong);
            let answer = ask(&world, &uri).await;
            assert_eq!(error_of(&answer), "invalid_request_object", "{wrong}");
            is_page(&authorize(&world, &[("client_id", SHOP_WEB), ("request_uri", &uri)]).await);
            world.advance(Duration::from_secs(1));
        }
        server.has(&signer.sign(&with(good(), "response_type", json!("code id_token"))));
        assert_eq!(error_of(&ask(&world, &uri).await), "invalid_request_object");
        world.advance(Duration::from_secs(1));
        server.has(&signer.sign(&with(good(), "redirect_uri", json!("https://evil.example/"))));
        is_page(&ask(&world, &uri).await);
        world.advance(Duration::from_secs(1));
        server.has(&unsigned(&good()));
        assert_eq!(error_of(&ask(&world, &uri).await), "request_uri_not_supported");
        let page = authorize(&world, &[("client_id", SHOP_WEB), ("request_uri", &uri)]).await;
        is_page(&page);
        assert!(page.to_string().contains("request_uri_not_supported"), "{page}");
        // Two at once contradict each other.
        let both = [("client_id", SHOP_WEB), ("redirect_uri", CALLBACK), ("request", "a.b.c"), ("request_uri", &uri)];
        assert_eq!(error_of(&authorize(&world, &both).await), "invalid_request");
        is_page(&authorize(&world, &[both[0], both[3], both[3]]).await);
    }

    async fn a_client_without_keys_or_addresses_has_no_references(database) {
        let (signer, server) = (Signer::new("first"), Server::start().await);
        let uri = server.at("/r");
        let world = world_with(database, &file(std::slice::from_ref(&uri), "")).await;
        server.has(&signer.sign(&object(&world)));
        assert_eq!(error_of(&ask(&world, &uri).await), "request_uri_not_supported");
        world.reconfigure(&file(&[], &inline(&[signer.jwk()]))).await;
        assert_eq!(error_of(&ask(&world, &uri).await), "request_uri_not_supported");
        assert_eq!(server.asked(), 0);
    }
}
