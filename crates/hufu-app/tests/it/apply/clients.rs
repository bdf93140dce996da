//! Applications as OAuth clients: what the file says of them is stored, and their secrets.

use hufu_app::apply::{Applied, Changes};
use hufu_app::configuration::{
    AddClientSecret, Outcome, PutApplication, Rejection, RotateError, rotate_secret,
};
use hufu_store::audit::{AuditFilter, ListEvents};
use hufu_testkit::on_both_engines;
use hufu_types::{
    Application, ApplicationId, Branding, ClientSecret, ClientSettings, Grant, Identifier, LoginControl,
    LoginMethod, LoginTab, OpaqueToken, PageTheme, PoolId, RegistrationMethod, SettingProblem,
    SigningAlgorithm, SubjectType, Timestamp, TokenAuth, TokenHash, Usually,
};
use serde_json::{Value, json};

use super::world::{DRY_RUN, POOL, PRUNE, World, application, pool};

const FIRST: &str = "first-secret-5ec2e75ec2e75ec2e75ec2e7";
const SECOND: &str = "second-secret-5ec2e75ec2e75ec2e75ec2e7";
const THIRD: &str = "third-secret-5ec2e75ec2e75ec2e75ec2e7";

/// A pool with an agreement and a website. The keys begin in line 9.
fn website(keys: &str) -> String {
    pool(&[
        "settings = { agreements = [{ id = \"terms\", version = 1, title = \"Terms\" }] }\n".to_owned(),
        application("web", keys),
    ])
}

fn with_secret(secret: &str) -> String {
    website(&format!("secret = \"{secret}\""))
}

/// Every key.
fn whole() -> String {
    website(
        r##"secret = "first-secret-5ec2e75ec2e75ec2e75ec2e7"
token_auth = "client_secret_post"
redirect_uris = ["https://shop.example.com/callback"]
logout_redirect_uris = ["https://shop.example.com/"]
backchannel_logout_uri = "https://shop.example.com/backchannel"
frontchannel_logout_uri = "https://shop.example.com/frontchannel"
allowed_origins = ["https://www.example.com"]
init_login_uri = "https://shop.example.com/login"
grants = ["authorization_code", "client_credentials"]
logo = "https://shop.example.com/logo.png"
description = "Where people shop."
request_uris = ["https://shop.example.com/request#hash"]
subject_type = "pairwise"
sector_identifier_uri = "https://shop.example.com/sector"
userinfo_signed_response_alg = "RS256"
[user_pool.application.login]
methods = ["password"]
registration = []
merged = true
consent = true
keep_signed_in = false
agreements = ["terms"]
[user_pool.application.branding]
title = { en = "Shop" }
primary_color = "#1a7f5a"
theme = "light"
language = "zh-CN""##,
    )
}

impl World {
    async fn web(&self) -> Application {
        self.application("web").await
    }

    /// Whether each of the three secrets is valid, and how many are stored.
    async fn valid(&self) -> ([bool; 3], usize) {
        let secrets = self.web().await.secrets;
        let is_valid = |text: &str| secrets.iter().any(|secret| secret.hash == hash(text));
        ([FIRST, SECOND, THIRD].map(is_valid), secrets.len())
    }

    /// The details of all entries in the audit log, and all entries as text.
    async fn audit(&self) -> (Vec<Value>, String) {
        let pool = PoolId::parse(POOL).unwrap();
        let list = ListEvents { pool, filter: AuditFilter::default(), before: None, limit: 100 };
        let events = self.store.read(list).await.unwrap();
        let text = format!("{events:?}");
        (events.into_iter().map(|event| event.details).collect(), text)
    }

    async fn rotate(&self, application: &str) -> Result<OpaqueToken, RotateError> {
        let id = ApplicationId::parse(application).unwrap();
        rotate_secret(&self.store, &*self.clock, &*self.random, &id).await
    }
}

fn hash(text: &str) -> TokenHash {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    TokenHash(digest.as_ref().try_into().unwrap())
}

fn paths(outcome: Outcome<Application>) -> Vec<String> {
    let Outcome::Rejected(Rejection::Settings(problems)) = outcome else { panic!("{outcome:?}") };
    problems.into_iter().map(|SettingProblem { path, .. }| path).collect()
}

on_both_engines! {
    async fn everything_that_the_file_says_is_stored(database) {
        let world = World::new(database).await;
        let Applied { plan, secrets } = world.apply_whole(&whole()).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        + user_pool 6560c0ffee00000000000001 Shop
          + application web App web (web)
        2 to add, 0 to change, 0 to disable, 0 unchanged, 0 left alone
        "); }
        assert!(secrets.is_empty(), "the file has one");
        let web = world.web().await;
        let some = |text: &str| Some(text.to_owned());
        let client = ClientSettings {
            token_auth: Some(TokenAuth::Post),
            jwks_uri: None,
            jwks: None,
            grants: Some(vec![Grant::AuthorizationCode, Grant::ClientCredentials]),
            redirect_uris: vec!["https://shop.example.com/callback".to_owned()],
            logout_redirect_uris: vec!["https://shop.example.com/".to_owned()],
            backchannel_logout_uri: some("https://shop.example.com/backchannel"),
            frontchannel_logout_uri: some("https://shop.example.com/frontchannel"),
            allowed_origins: vec!["https://www.example.com".to_owned()],
            init_login_uri: some("https://shop.example.com/login"),
            logo: some("https://shop.example.com/logo.png"),
            description: "Where people shop.".to_owned(),
            request_uris: vec!["https://shop.example.com/request#hash".to_owned()],
            subject_type: SubjectType::Pairwise,
            sector_identifier_uri: some("https://shop.example.com/sector"),
            userinfo_signed_response_alg: Some(SigningAlgorithm::Rs256),
            ..ClientSettings::default()
        };
        assert_eq!(web.client, client.into());
        assert_eq!(web.secrets, [ClientSecret { hash: hash(FIRST), created_at: world.clock.now(), created_by: None }]);
        let login = LoginControl {
            methods: vec![LoginMethod::Password.into()],
            default_method: None,
            registration: Vec::new(),
            merged: true,
            consent: true,
            keep_signed_in: false,
            agreements: vec!["terms".to_owned()],
            ..LoginControl::default()
        };
        assert_eq!(web.login, login.into());
        let branding = Branding {
            title: [("en".to_owned(), "Shop".to_owned())].into(),
            logo: None,
            primary_color: some("#1a7f5a"),
            theme: Some(PageTheme::Light),
            language: some("zh-CN"),
        };
        assert_eq!(web.branding, branding.into());
        assert!(world.apply(&whole()).await.is_empty());

        // What a file leaves out stays; a table that is there takes defaults for what it leaves out.
        assert!(world.apply(&website("")).await.is_empty());
        assert_eq!(world.web().await, web);
        let plan = world.apply(&website("[user_pool.application.login]\nmerged = true")).await;
        assert!(plan.to_string().contains("~ application web App web: login changed\n"), "{plan}");
        let changed = world.web().await;
        assert_eq!(changed.login, LoginControl { merged: true, ..LoginControl::default() }.into());
        assert_eq!(Application { login: web.login.clone(), ..changed }, web);
        let registration = RegistrationMethod::ALL;
        assert_eq!(world.web().await.login.registration, registration);
    }

    async fn each_key_that_changes_is_named(database) {
        let world = World::new(database).await;
        world.apply(&whole()).await;
        for (key, line) in [
            ("token_auth", "token_auth = \"client_secret_basic\""),
            ("jwks", "jwks = { keys = [{ kty = \"OKP\", crv = \"Ed25519\", x = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\" }] }"),
            ("jwks", "jwks = { keys = [] }"),
            ("jwks_uri", "jwks_uri = \"https://shop.example.com/keys\""),
            ("jwks_uri", "jwks_uri = \"\""),
            ("redirect_uris", "redirect_uris = []"),
            ("logout_redirect_uris", "logout_redirect_uris = []"),
            ("backchannel_logout_uri", "backchannel_logout_uri = \"\""),
            ("frontchannel_logout_uri", "frontchannel_logout_uri = \"\""),
            ("allowed_origins", "allowed_origins = []"),
            ("init_login_uri", "init_login_uri = \"\""),
            ("grants", "grants = [\"client_credentials\"]"),
            ("logo", "logo = \"\""),
            ("description", "description = \"\""),
            ("request_uris", "request_uris = []"),
            ("sector_identifier_uri", "sector_identifier_uri = \"\""),
            ("subject_type", "subject_type = \"public\""),
            ("userinfo_signed_response_alg", "userinfo_signed_response_alg = \"\""),
            ("dpop_bound_access_tokens", "dpop_bound_access_tokens = true"),
            ("dpop_bound_access_tokens", "dpop_bound_access_tokens = false"),
            ("dpop_nonce_required", "dpop_nonce_required = true"),
            ("dpop_nonce_required", "dpop_nonce_required = false"),
            ("login", "login = {}"),
            ("branding", "branding = {}"),
            ("secret", "secret = \"second-secret-5ec2e75ec2e75ec2e75ec2e7\""),
        ] {
            let plan = world.apply(&website(line)).await;
            let shown = format!("~ application web App web: {key} changed");
            assert!(plan.to_string().lines().any(|line| line.trim() == shown), "{plan}");
            let entry = json!({ "by": "apply", "changes": [shown] });
            assert!(world.audit().await.0.contains(&entry), "{entry}");
            assert!(world.apply(&website(line)).await.is_empty(), "{line}");
        }
        let web = world.web().await;
        let emptied = ClientSettings {
            token_auth: Some(TokenAuth::Basic),
            grants: Some(vec![Grant::ClientCredentials]),
            ..ClientSettings::default()
        };
        assert_eq!((web.client, web.login, web.branding), (emptied.into(), Usually::default(), Usually::default()));
    }

    async fn the_newest_two_secrets_are_valid(database) {
        let world = World::new(database).await;
        world.apply(&with_secret(FIRST)).await;
        assert_eq!(world.valid().await, ([true, false, false], 1));
        world.apply(&with_secret(SECOND)).await;
        assert_eq!(world.valid().await, ([true, true, false], 2));
        let newest = world.web().await.secrets.remove(0);
        assert_eq!(newest.hash, hash(SECOND));
        assert!(world.apply(&with_secret(FIRST)).await.is_empty(), "one of those there are changes nothing");
        world.apply(&with_secret(THIRD)).await;
        assert_eq!(world.valid().await, ([false, true, true], 2));
        assert!(world.apply(&website("")).await.is_empty());
        assert_eq!(world.valid().await, ([false, true, true], 2));
    }

    async fn a_secret_is_made_once_where_a_confidential_client_has_none(database) {
        let world = World::new(database).await;
        let spa = application("spa", "").replace("\"web\"", "\"spa\"");
        let text = pool(&[application("web", ""), spa, application("shut", "token_auth = \"none\"")]);
        let dry = world.apply_with(&text, DRY_RUN).await;
        let Applied { plan, secrets } = world.apply_whole(&text).await;
        insta::allow_duplicates! { insta::assert_snapshot!(plan, @"
        + user_pool 6560c0ffee00000000000001 Shop
          + application web App web (web); a client secret is made
          + application spa App spa (spa)
          + application shut App shut (web)
        4 to add, 0 to change, 0 to disable, 0 unchanged, 0 left alone
        "); }
        assert_eq!(dry, plan);
        let [made] = secrets.as_slice() else { panic!("one secret: {secrets:?}") };
        assert_eq!(made.application.as_str(), "web");
        let text_of_it = made.secret.expose();
        assert!(text_of_it.starts_with("hfc_") && text_of_it.len() == 68, "{text_of_it}");
        let [stored] = world.web().await.secrets.try_into().unwrap();
        assert_eq!(stored.hash, hash(text_of_it));
        assert!(world.application("spa").await.secrets.is_empty());
        assert!(world.application("shut").await.secrets.is_empty());

        let again = world.apply_whole(&text).await;
        assert!(again.plan.is_empty() && again.secrets.is_empty());
        assert_eq!(world.web().await.secrets, [stored]);
        let (_, audit) = world.audit().await;
        for shown in [format!("{plan}{plan:?}{secrets:?}"), audit, world.everything().await] {
            assert!(!shown.contains("hfc_") && !shown.contains(&text_of_it[4..]), "{shown}");
        }

        // An application of an earlier version has none either.
        let bare = Application { secrets: Vec::new(), ..world.web().await };
        world.change(PutApplication { application: bare, expected: None }).await;
        let Applied { plan, secrets } = world.apply_whole(&text).await;
        assert!(plan.to_string().contains("~ application web App web: a client secret is made\n"), "{plan}");
        assert_eq!((plan.changes().change, secrets.len()), (1, 1));
    }

    async fn only_applications_of_the_file_are_given_a_secret(database) {
        let world = World::new(database).await;
        world.apply(&website("")).await;
        let bare = Application { secrets: Vec::new(), ..world.web().await };
        world.change(PutApplication { application: bare, expected: None }).await;
        let plan = world.apply_with(&pool(&[]), PRUNE).await;
        assert_eq!(plan.changes(), Changes { disable: 1, unchanged: 1, left_alone: 1, ..Changes::default() }, "{plan}");
        assert!(world.web().await.secrets.is_empty());
        let Applied { plan, secrets } = world.apply_whole(&website("")).await;
        assert!(plan.to_string().contains("web: a client secret is made; enabled again\n"), "{plan}");
        assert_eq!(secrets.len(), 1);
    }

    async fn a_client_that_becomes_public_loses_its_secrets(database) {
        let world = World::new(database).await;
        world.apply(&with_secret(FIRST)).await;
        let plan = world.apply(&website("token_auth = \"none\"")).await;
        assert!(plan.to_string().contains("App web: secret, token_auth changed\n"), "{plan}");
        assert!(world.web().await.secrets.is_empty());
        let Applied { secrets, .. } = world.apply_whole(&website("token_auth = \"client_secret_post\"")).await;
        assert_eq!(secrets.len(), 1, "the old one does not come back");
        assert_eq!(world.valid().await, ([false; 3], 1));
        // Applications of other types may have a secret too.
        let native = with_secret(FIRST).replace("\"web\"\nsecret", "\"native\"\nsecret");
        assert!(native.contains("native"));
        world.apply(&native).await;
        assert_eq!(world.valid().await, ([true, false, false], 2));
    }

    async fn a_client_that_signs_has_keys_in_place_of_a_secret(database) {
        let world = World::new(database).await;
        world.apply(&with_secret(FIRST)).await;
        let keys = "token_auth = \"private_key_jwt\"\njwks_uri = \"https://shop.example.com/keys\"";
        let Applied { plan, secrets } = world.apply_whole(&website(keys)).await;
        let shown = "App web: secret, token_auth, jwks_uri changed\n";
        assert!(plan.to_string().contains(shown) && secrets.is_empty(), "{plan}");
        let web = world.web().await;
        assert!(web.secrets.is_empty() && !web.is_public() && !web.has_secret());
        let rejected = world.rotate("web").await.expect_err("it has no secret");
        assert!(matches!(rejected, RotateError::Rejected(Rejection::PublicClient)), "{rejected:?}");
        // It has to keep keys, and they have to be some.
        let refused = world.refused(&website("jwks_uri = \"\"")).await;
        assert!(refused.contains("private_key_jwt needs the client's public keys"), "{refused}");
        let put = |change: fn(&mut Application)| {
            let mut application = web.clone();
            change(&mut application);
            world.change(PutApplication { application, expected: None })
        };
        assert_eq!(paths(put(|a| a.client.jwks_uri = None).await), ["token_auth"]);
        let both = put(|a| a.client.jwks = Some(json!({ "keys": [] })));
        assert_eq!(paths(both.await), ["jwks", "jwks"]);
    }

    async fn what_does_not_fit_together_is_refused(database) {
        let world = World::new(database).await;
        world.apply(&whole()).await;
        let public = "a public client has no secret — take it out, or write token_auth = client_secret_basic or \
                      client_secret_post";
        let acts = "a public client cannot have client_credentials — take it out of `grants`, or write token_auth = \
                    client_secret_basic or client_secret_post";
        let unknown = "the user pool has no agreement `privacy` — declare it in the settings of the pool, or take it out";
        let new = |kind: &str, keys: &str| pool(&[application("new", keys).replace("\"web\"", kind)]);
        for (text, refusal) in [
            (new("\"spa\"", &format!("secret = \"{FIRST}\"")), format!("8:10: `secret`: {public}")),
            (
                new("\"web\"", &format!("secret = \"{FIRST}\"\ntoken_auth = \"none\"")),
                format!("8:10: `secret`: {public}"),
            ),
            (new("\"spa\"", "grants = [\"client_credentials\"]"), format!("8:10: `grants`: {acts}")),
            (new("\"api\"", "token_auth = \"none\""), format!("8:14: `grants`: {acts}")),
            (
                new("\"web\"", "token_auth = \"private_key_jwt\""),
                "8:14: `token_auth`: private_key_jwt needs the client's public keys — add `jwks_uri` or `jwks`"
                    .to_owned(),
            ),
            (
                new(
                    "\"web\"",
                    &format!(
                        "secret = \"{FIRST}\"\ntoken_auth = \"private_key_jwt\"\n\
                         jwks_uri = \"https://shop.example.com/keys\""
                    ),
                ),
                "8:10: `secret`: a client that signs has no secret — take it out".to_owned(),
            ),
            // What the file leaves out counts as it stands in the database.
            (website("token_auth = \"none\""), format!("9:14: `grants`: {acts}")),
            (website("").replace("\"web\"\n\n", "\"web\"\ntoken_auth = \"none\"\n"), format!("9:14: `grants`: {acts}")),
            (
                website("[user_pool.application.login]\nagreements = [\"terms\", \"privacy\"]"),
                format!("10:24: `agreements`: {unknown}"),
            ),
            (
                pool(&[application("web", "login = { agreements = [\"terms\", \"privacy\"] }")]),
                format!("8:34: `agreements`: {unknown}"),
            ),
        ] {
            assert_eq!(world.refused(&text).await, format!("hufu.toml:{refusal}"), "{text}");
        }
    }

    async fn an_agreement_that_the_pool_lost_stands_in_nobodys_way(database) {
        let world = World::new(database).await;
        world.apply(&whole()).await;
        let without = pool(&["settings = {}\n".to_owned(), application("web", "logo = \"\"")]);
        assert_eq!(world.apply(&without).await.changes().change, 2);
        assert_eq!(world.web().await.login.agreements, ["terms"]);
    }

    async fn the_operation_checks_what_the_file_reader_checks(database) {
        let world = World::new(database).await;
        world.apply(&whole()).await;
        let web = world.web().await;
        let before = world.everything().await;
        let put = |change: fn(&mut Application)| {
            let mut application = web.clone();
            change(&mut application);
            world.change(PutApplication { application, expected: None })
        };
        let wrong = put(|a| {
            a.client.redirect_uris = vec!["https://a.example/".to_owned(), "http://a.example/".to_owned()];
            a.client.allowed_origins = vec!["*".to_owned()];
            a.login.default_method = Some(LoginMethod::EmailCode.into());
            a.login.agreements = vec!["privacy".to_owned()];
            a.branding.language = Some("fr".to_owned());
        });
        let paths_of = paths(wrong.await);
        assert_eq!(
            paths_of,
            [
                "redirect_uris.1",
                "allowed_origins.0",
                "login.default_method",
                "login.agreements.0",
                "branding.language",
            ]
        );
        assert_eq!(paths(put(|a| a.client.token_auth = Some(TokenAuth::None)).await), ["secret", "grants"]);
        let third = |a: &mut Application| {
            a.secrets = vec![a.secrets[0].clone(), a.secrets[0].clone(), a.secrets[0].clone()];
        };
        assert_eq!(paths(put(third).await), ["secret"]);
        // A tab is a connection of the application that shows a QR code.
        let tab = |a: &mut Application| {
            a.login.methods.push(LoginTab::QrCode(Identifier::parse("elsewhere").unwrap()));
        };
        assert_eq!(paths(put(tab).await), [format!("login.methods.{}", web.login.methods.len())]);
        assert_eq!(world.everything().await, before);
    }

    async fn a_secret_is_rotated_and_the_one_before_stays_valid(database) {
        let world = World::new(database).await;
        world.apply(&with_secret(FIRST)).await;
        let version = world.config().await.version;
        let one = world.rotate("web").await.unwrap();
        assert!(one.expose().starts_with("hfc_") && !format!("{one:?}").contains("hfc_"));
        let hashes = async || world.web().await.secrets.into_iter().map(|secret| secret.hash).collect::<Vec<_>>();
        assert_eq!(hashes().await, [hash(one.expose()), hash(FIRST)]);
        assert_eq!(world.config().await.version, version + 1);
        let (details, audit) = world.audit().await;
        let entry = json!({ "object": "application", "id": "web", "changed": ["secret"], "revision": 2 });
        assert!(details.contains(&entry), "{audit}");
        let two = world.rotate("web").await.unwrap();
        assert_eq!(hashes().await, [hash(two.expose()), hash(one.expose())]);
        for secret in [one.expose(), two.expose(), FIRST] {
            assert!(!audit.contains(secret) && !world.everything().await.contains(secret));
        }
        assert!(world.apply(&website("")).await.is_empty(), "applying a file without a secret keeps them");
        world.apply(&with_secret(FIRST)).await;
        assert_eq!(hashes().await, [hash(FIRST), hash(two.expose())]);
    }

    async fn only_confidential_applications_that_exist_have_secrets_to_rotate(database) {
        let world = World::new(database).await;
        world.apply(&website("token_auth = \"none\"")).await;
        let before = world.everything().await;
        let rejected = world.rotate("web").await.expect_err("public");
        assert!(matches!(rejected, RotateError::Rejected(Rejection::PublicClient)), "{rejected:?}");
        let rejected = world.rotate("nobody").await.expect_err("unknown");
        assert!(matches!(rejected, RotateError::Rejected(Rejection::NoApplication)), "{rejected:?}");
        let elsewhere = AddClientSecret {
            pool: PoolId::parse("other").unwrap(),
            application: ApplicationId::parse("web").unwrap(),
            secret: ClientSecret { hash: hash(FIRST), created_at: Timestamp(0), created_by: None },
            expected: None,
        };
        let outcome = world.change(elsewhere).await;
        assert!(matches!(outcome, Outcome::Rejected(Rejection::NoApplication)), "{outcome:?}");
        assert_eq!(world.everything().await, before);
    }
}
