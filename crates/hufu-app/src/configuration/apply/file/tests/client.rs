//! Applications as OAuth clients, their login pages and their branding.

use hufu_types::{
    Access, Branding, ClientAlgorithm, ClientSettings, Grant, LoginControl, LoginMethod, PageTheme,
    RegistrationMethod, ResponseType, SigningAlgorithm, SubjectType, TokenAuth,
};

use super::super::client::{BRANDING_KEYS, CLIENT_KEYS, LOGIN_KEYS};
use super::super::table::ONLY;
use super::*;
use crate::configuration::document::application;

/// Every key, each with a value other than its default, where it can have one.
const ALL: &str = r##"
[[user_pool]]
id = "p"
name = "Shop"
  [[user_pool.application]]
  id = "a"
  name = "Shop website"
  type = "web"
  secret = { env = "CLIENT_SECRET" }
  token_auth = "client_secret_post"
  jwks = { keys = [{ kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid = "a" }] }
  redirect_uris = ["https://shop.example.com/callback", "http://127.0.0.1:3000/callback"]
  logout_redirect_uris = ["https://shop.example.com/"]
  backchannel_logout_uri = "https://shop.example.com/backchannel"
  frontchannel_logout_uri = "https://shop.example.com/frontchannel"
  allowed_origins = ["https://www.example.com", "http://localhost:3000"]
  init_login_uri = "https://shop.example.com/login"
  resources = ["https://api.shop.example.com"]
  grants = ["authorization_code", "refresh_token", "client_credentials", "implicit", "hybrid", "device_code"]
  logo = "https://shop.example.com/logo.png"
  description = "Where people shop."
  request_uris = ["https://shop.example.com/request", "https://shop.example.com/other#hash"]
  subject_type = "pairwise"
  sector_identifier_uri = "https://shop.example.com/sector"
  userinfo_signed_response_alg = "EdDSA"
  dpop_bound_access_tokens = true
  dpop_nonce_required = true
  client_uri = "https://shop.example.com/"
  policy_uri = "https://shop.example.com/privacy"
  tos_uri = "https://shop.example.com/terms"
  contacts = ["it@shop.example.com"]
  response_types = ["code", "id_token token"]
  scopes = ["openid", "profile"]
  default_max_age = 3600
  default_acr_values = ["1"]
  request_object_signing_alg = "PS256"
  token_auth_signing_alg = "ES256"
  software_id = "shop"
  software_version = "4.2"
    [user_pool.application.login]
    methods = ["phone-code", "password"]
    default_method = "password"
    registration = ["phone-code"]
    merged = true
    mfa = "off"
    consent = true
    keep_signed_in = false
    agreements = ["terms", "privacy"]
    access = "listed"
    [user_pool.application.branding]
    title = { zh-CN = "小店", zh-TW = "小店", en = "Shop", ja = "店" }
    logo = "https://shop.example.com/large.png"
    primary_color = "#1a7f5a"
    theme = "dark"
    language = "ja"
"##;

fn client_of(text: &str) -> DesiredClient {
    accepted(text).pools.remove(0).applications.remove(0).client
}

/// The application with a table, whose line is line 9.
fn with_table(table: &str, line: &str) -> String {
    format!("{}\n[user_pool.application.{table}]\n{line}", with_application("id = \"a\""))
}

#[test]
fn every_key_is_read_and_documented() {
    let client = client_of(ALL);
    let secret = client.secret.as_ref().map(ExposeSecret::expose_secret);
    assert_eq!(secret, Some("c11e27c11e27c11e27c11e27c11e27c11e27"));
    let some = |text: &str| Some(text.to_owned());
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let settings = ClientSettings {
        token_auth: Some(TokenAuth::Post),
        jwks_uri: None,
        jwks: Some(serde_json::json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a",
        }] })),
        grants: Some(Grant::ALL.to_vec()),
        redirect_uris: list(&["https://shop.example.com/callback", "http://127.0.0.1:3000/callback"]),
        logout_redirect_uris: list(&["https://shop.example.com/"]),
        backchannel_logout_uri: some("https://shop.example.com/backchannel"),
        frontchannel_logout_uri: some("https://shop.example.com/frontchannel"),
        allowed_origins: list(&["https://www.example.com", "http://localhost:3000"]),
        init_login_uri: some("https://shop.example.com/login"),
        resources: list(&["https://api.shop.example.com"]),
        logo: some("https://shop.example.com/logo.png"),
        description: "Where people shop.".to_owned(),
        request_uris: list(&["https://shop.example.com/request", "https://shop.example.com/other#hash"]),
        subject_type: SubjectType::Pairwise,
        sector_identifier_uri: some("https://shop.example.com/sector"),
        userinfo_signed_response_alg: Some(SigningAlgorithm::EdDsa),
        dpop_bound_access_tokens: true,
        dpop_nonce_required: true,
        client_uri: some("https://shop.example.com/"),
        policy_uri: some("https://shop.example.com/privacy"),
        tos_uri: some("https://shop.example.com/terms"),
        contacts: list(&["it@shop.example.com"]),
        response_types: Some(vec![
            ResponseType::CODE,
            ResponseType { code: false, id_token: true, token: true },
        ]),
        scopes: list(&["openid", "profile"]),
        default_max_age: Some(3600),
        default_acr_values: list(&["1"]),
        request_object_signing_alg: Some(ClientAlgorithm::Ps256),
        token_auth_signing_alg: Some(ClientAlgorithm::Es256),
        software_id: some("shop"),
        software_version: some("4.2"),
    };
    assert_eq!(client.over(ClientSettings::default()), settings);
    let login = LoginControl {
        methods: vec![LoginMethod::PhoneCode.into(), LoginMethod::Password.into()],
        default_method: Some(LoginMethod::Password.into()),
        registration: vec![RegistrationMethod::PhoneCode],
        merged: true,
        consent: true,
        keep_signed_in: false,
        agreements: list(&["terms", "privacy"]),
        access: Access::Listed,
    };
    assert_eq!(client.login, Some(login));
    let branding = client.branding.as_ref().unwrap();
    assert_eq!(branding.title.len(), 4);
    assert_eq!(branding.title["zh-CN"], "小店");
    assert_eq!(branding.logo.as_deref(), Some("https://shop.example.com/large.png"));
    assert_eq!(branding.primary_color.as_deref(), Some("#1a7f5a"));
    assert_eq!((branding.theme, branding.language.as_deref()), (Some(PageTheme::Dark), Some("ja")));

    let page = include_str!("../../../../../../../docs/apply.md");
    for key in CLIENT_KEYS.iter().chain(&LOGIN_KEYS).chain(&BRANDING_KEYS) {
        // The one stands in place of the other.
        let key = if *key == "jwks_uri" { "jwks" } else { key };
        assert!(ALL.contains(&format!("{key} = ")) || ALL.contains(&format!(".{key}]")), "{key}");
        assert!(page.contains(&format!("`{key}`")), "docs/apply.md does not tell of {key}");
    }
}

#[test]
fn what_is_left_out_stays_and_tables_have_defaults() {
    let client = client_of(&with_application("id = \"a\""));
    let present = client_of(ALL).over(ClientSettings::default());
    assert_eq!(client.over(present.clone()), present);
    assert!(client.secret.is_none() && client.login.is_none() && client.branding.is_none());

    assert_eq!(client_of(&with_table("login", "")).login, Some(LoginControl::default()));
    assert_eq!(client_of(&with_table("branding", "")).branding, Some(Branding::default()));
    let auto =
        with_table("branding", "language = \"auto\"\nlogo = \"\"\nprimary_color = \"\"\nbackground = \"\"");
    let branding = Branding { language: Some("auto".to_owned()), ..Branding::default() };
    assert_eq!(client_of(&auto).branding, Some(branding), "the pool may have another language");
    let closed = client_of(&with_table("login", "registration = []")).login.unwrap();
    assert_eq!((closed.registration, closed.methods), (Vec::new(), LoginControl::default().methods));
}

#[test]
fn an_empty_address_means_none() {
    let none = "backchannel_logout_uri = \"\"\nfrontchannel_logout_uri = \"\"\ninit_login_uri = \"\"\nlogo = \"\"\n\
                jwks_uri = \"\"\njwks = { keys = [] }\nhost = \"\"\nredirect_uris = []\ndescription = \"\"\n\
                request_uris = []\nsector_identifier_uri = \"\"\nuserinfo_signed_response_alg = \"\"";
    let present = client_of(ALL).over(ClientSettings::default());
    let client = client_of(&with_application(none)).over(present.clone());
    let expected = ClientSettings {
        redirect_uris: Vec::new(),
        jwks: None,
        backchannel_logout_uri: None,
        frontchannel_logout_uri: None,
        init_login_uri: None,
        logo: None,
        description: String::new(),
        request_uris: Vec::new(),
        sector_identifier_uri: None,
        userinfo_signed_response_alg: None,
        ..present
    };
    assert_eq!(client, expected);
}

#[test]
fn an_address_of_keys_replaces_the_keys_and_they_replace_it() {
    let written = client_of(ALL).over(ClientSettings::default());
    let address = client_of(&with_application("jwks_uri = \"https://a.example/keys\"")).over(written.clone());
    assert_eq!((address.jwks_uri.as_deref(), &address.jwks), (Some("https://a.example/keys"), &None));
    let again = client_of(ALL).over(address.clone());
    assert_eq!((&again.jwks_uri, &again.jwks), (&None, &written.jwks));
    assert_eq!(client_of(&with_application("jwks = { keys = [] }")).over(address.clone()), address);
    let none = client_of(&with_application("jwks_uri = \"\"")).over(written.clone());
    assert_eq!(none, written);
}

#[test]
fn clients_that_cannot_be() {
    let secret = "a client secret is 32 to 256 printable ASCII characters without spaces";
    let grants = "authorization_code, refresh_token, client_credentials, implicit, hybrid, device_code";
    for (line, message) in [
        ("secret = \"short\"", format!("5:10: `secret` is not valid — {secret}")),
        (
            "secret = { env = \"SHORT\" }",
            format!("5:10: `secret`, from the environment variable SHORT, is not valid — {secret}"),
        ),
        (
            "token_auth = \"basic\"",
            "5:14: unknown token_auth `basic` — write one of client_secret_basic, client_secret_post, private_key_jwt, none"
                .to_owned(),
        ),
        ("grants = [\"password\"]", format!("5:11: unknown grant `password` — write one of {grants}")),
        (
            "grants = [\"hybrid\", \"hybrid\"]",
            "5:21: `grants`: `hybrid` is there already — name each once".to_owned(),
        ),
        (
            "host = \"login.example.com\"",
            "5:1: `host` in an application is not available yet — take it out".to_owned(),
        ),
        (
            "jwks = { keys = [{ kty = \"oct\", k = \"AAAA\" }] }",
            "5:8: `jwks`: a key has its private part: take it out, and make a new key, since this one is known now"
                .to_owned(),
        ),
        (
            "jwks = { keys = [{ kty = \"EC\", crv = \"P-521\" }] }",
            "5:8: `jwks`: no key to verify signatures with: write an EC key on P-256, an RSA key of 2048 to 8192 bits, \
             or an Ed25519 key"
                .to_owned(),
        ),
        (
            "jwks = { keys = 1 }",
            "5:8: `jwks`: not a key set: write an object with the list `keys` of public keys".to_owned(),
        ),
        ("jwks = []", "5:8: `jwks` is an array — write { keys = [ … ] }".to_owned()),
        (
            "jwks = { key = [] }",
            "5:10: unknown key `key` in the keys of an application — did you mean `keys`?".to_owned(),
        ),
        (
            "jwks_uri = \"https://a.example/\"\njwks = { keys = [{ kty = \"OKP\", crv = \"Ed25519\", x = \
             \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\" }] }",
            "6:8: `jwks`: the keys are at `jwks_uri` already — write one of the two".to_owned(),
        ),
        (
            "redirect_uri = []",
            "5:1: unknown key `redirect_uri` in an application — did you mean `redirect_uris`?".to_owned(),
        ),
        ("login = true", "5:9: `login` is a boolean — write [user_pool.application.login]".to_owned()),
    ] {
        assert_eq!(refused(&with_application(line)), format!("hufu.toml:{message}"), "{line}");
    }
    let text = in_pool("[user_pool.settings]\nfactors = [\"totp\"]");
    let message =
        "hufu.toml:5:1: `factors` in the settings of a user pool is not available yet — take it out";
    assert_eq!(refused(&text), message);
}

#[test]
fn addresses_that_cannot_be() {
    let loopback = "http is for this machine alone (127.0.0.1, [::1], localhost)";
    let address =
        format!("not valid — write an https address, without user, password, `*` or `#`; {loopback}");
    let origin = format!(
        "not an origin — write scheme://host or scheme://host:port and nothing else, as browsers send it, such as \
         https://shop.example.com; {loopback}"
    );
    let many: Vec<String> = (0..65).map(|n| format!("\"https://shop.example.com/{n}\"")).collect();
    for (line, message) in [
        (
            "redirect_uris = [\"https://a.example/\", \"/callback\"]",
            "5:40: `redirect_uris`: not valid — write an absolute address, such as https://shop.example.com/callback"
                .to_owned(),
        ),
        (
            "redirect_uris = [\"https://a.example/#x\"]",
            "5:18: `redirect_uris`: not valid — an address without `#` and what follows it".to_owned(),
        ),
        (
            "redirect_uris = [\"https://*.example.com/\"]",
            "5:18: `redirect_uris`: not valid — addresses are compared exactly: list each of them, without `*`"
                .to_owned(),
        ),
        (
            "redirect_uris = [\"javascript:alert(1)\"]",
            "5:18: `redirect_uris`: not valid — a page or an app, by https or by the app's own scheme".to_owned(),
        ),
        (
            "redirect_uris = [\"https://user@a.example/\"]",
            "5:18: `redirect_uris`: not valid — an address without user or password".to_owned(),
        ),
        (
            "redirect_uris = [\"https://a.example/\", \"https://a.example/\"]",
            "5:40: `redirect_uris`: `https://a.example/` is there already — name each once".to_owned(),
        ),
        (
            "redirect_uris = [\"https://a.example/\", 1]",
            "5:40: `redirect_uris` is an integer — write a string".to_owned(),
        ),
        (
            "redirect_uris = \"https://a.example/\"",
            "5:17: `redirect_uris` is a string — write a list of strings in brackets".to_owned(),
        ),
        (
            &format!("redirect_uris = [{}]", many.join(", ")),
            "5:17: `redirect_uris`: too many — list at most 64".to_owned(),
        ),
        (
            "logout_redirect_uris = [\"http://a.example/\"]",
            format!("5:25: `logout_redirect_uris`: not valid — use https; {loopback}"),
        ),
        (
            "allowed_origins = [\"https://a.example\", \"https://b.example/\"]",
            format!("5:41: `allowed_origins`: {origin}"),
        ),
        ("allowed_origins = [\"*\"]", format!("5:20: `allowed_origins`: {origin}")),
        (
            "backchannel_logout_uri = \"http://a.example/\"",
            format!("5:26: `backchannel_logout_uri`: {address}"),
        ),
        ("jwks_uri = \"http://a.example/keys\"", format!("5:12: `jwks_uri`: {address}")),
        ("frontchannel_logout_uri = \"app:/out\"", format!("5:27: `frontchannel_logout_uri`: {address}")),
        ("init_login_uri = \"login.html\"", format!("5:18: `init_login_uri`: {address}")),
        ("logo = \"data:image/png;base64,AAAA\"", format!("5:8: `logo`: {address}")),
        (
            "description = \"\\u001b\"",
            "5:15: `description`: not valid — write at most 1000 characters, no control characters".to_owned(),
        ),
    ] {
        assert_eq!(refused(&with_application(line)), format!("hufu.toml:{message}"), "{line}");
    }
}

#[test]
fn login_pages_that_cannot_be() {
    for (line, message) in [
        ("mfa = \"required\"", "9:7: `required` is not available yet — write off"),
        ("mfa = \"never\"", "9:7: unknown mfa `never` — write off"),
        ("mfa = false", "9:7: `mfa` is a boolean — write a string"),
        ("access = \"nobody\"", "9:10: unknown access `nobody` — write one of everybody, listed"),
        (
            "methods = [\"password\", \"qr\"]",
            "9:24: unknown login method `qr` — write one of password, phone-code, email-code",
        ),
        (
            "methods = [\"password\", \"password\"]",
            "9:24: `methods`: `password` is there already — name each once",
        ),
        (
            "default_method = \"email-code\"\nmethods = [\"password\"]",
            "9:18: `default_method`: `email-code` is not among the methods — write one of password, or add it to \
             `methods`",
        ),
        (
            "default_method = \"password\"\nmethods = [\"pasword\"]",
            "10:12: unknown login method `pasword` — write one of password, phone-code, email-code",
        ),
        (
            "registration = [\"password\"]",
            "9:17: unknown way to register `password` — write one of phone-code, email-code, email-password",
        ),
        (
            "agreements = [\"terms\", \"terms\"]",
            "9:24: `agreements`: `terms` is there already — name each once",
        ),
        ("merged = 1", "9:10: `merged` is an integer — write true or false"),
        ("method = []", "9:1: unknown key `method` in the login of an application — did you mean `methods`?"),
    ] {
        assert_eq!(refused(&with_table("login", line)), format!("hufu.toml:{message}"), "{line}");
    }
}

#[test]
fn branding_that_cannot_be() {
    let address = "not valid — write an https address, without user, password, `*` or `#`; http is for this machine \
                   alone (127.0.0.1, [::1], localhost)";
    for (line, message) in [
        (
            "title = { fr = \"Boutique\" }",
            "9:11: unknown key `fr` in the title of a login page — the keys here are zh-CN, zh-TW, en, ja"
                .to_owned(),
        ),
        (
            "title = { zh-CN = \"小店\", en = \" \" }",
            "9:30: `en`: not valid — write 1 to 255 characters, not only spaces and no control characters"
                .to_owned(),
        ),
        ("title = \"Shop\"", "9:9: `title` is a string — write { en = \"…\" }".to_owned()),
        ("logo = \"http://a.example/logo.png\"", format!("9:8: `logo`: {address}")),
        (
            "primary_color = \"green\"",
            "9:17: `primary_color`: not a color — write `#` and six digits of 0-9 and a-f, such as #1a7f5a"
                .to_owned(),
        ),
        ("theme = \"blue\"", "9:9: unknown theme `blue` — write one of auto, light, dark".to_owned()),
        (
            "language = \"en-GB\"",
            "9:12: `language`: there are no texts in `en-GB` — write auto, or one of zh-CN, zh-TW, en, ja"
                .to_owned(),
        ),
        (
            "css = \"body {}\"",
            "9:1: `css` in the branding of an application is not available yet — take it out".to_owned(),
        ),
        (
            "background = \"#ffffff\"",
            "9:1: `background` in the branding of an application is not available yet — take it out"
                .to_owned(),
        ),
    ] {
        assert_eq!(refused(&with_table("branding", line)), format!("hufu.toml:{message}"), "{line}");
    }
}

#[test]
fn client_secrets_are_never_shown() {
    const SECRET: &str = "c11e27c11e27c11e27c11e27c11e27c11e27";
    let shown = format!("{:?}", accepted(ALL));
    assert!(!shown.contains("c11e27") && shown.contains("/backchannel"), "{shown}");
    for line in [
        format!("secret = \"{SECRET} \""),
        format!("secret = \"{SECRET}"),
        format!("secret = {SECRET}"),
        format!("secret = [\"{SECRET}\"]"),
        format!("secret = {{ env = \"{SECRET}\" }}"),
        format!("secret = {{ value = \"{SECRET}\" }}"),
    ] {
        let errors = read(&with_application(&line), "hufu.toml", &environment).expect_err(&line);
        assert!(!format!("{errors} {errors:?}").contains("c11e27"), "{errors}");
    }
}

/// What a file says of every application by naming it.
const NOT_IN_FILES: [&str; 1] = ["enabled"];

#[test]
fn what_clients_say_when_they_register_is_read_as_they_write_it() {
    let emptied = "contacts = []\nresponse_types = []\nscopes = []\ndefault_max_age = \"\"\ndefault_acr_values = []\n\
                   client_uri = \"\"\npolicy_uri = \"\"\ntos_uri = \"\"\nrequest_object_signing_alg = \"\"\n\
                   token_auth_signing_alg = \"\"\nsoftware_id = \"\"\nsoftware_version = \"\"";
    let all = client_of(ALL).over(ClientSettings::default());
    let left = client_of(&with_application(&format!("id = \"a\"\n{emptied}"))).over(all.clone());
    let (kept, none) = (all.clone(), ClientSettings::default());
    let expected = ClientSettings {
        client_uri: none.client_uri,
        policy_uri: none.policy_uri,
        tos_uri: none.tos_uri,
        contacts: none.contacts,
        response_types: none.response_types,
        scopes: none.scopes,
        default_max_age: none.default_max_age,
        default_acr_values: none.default_acr_values,
        request_object_signing_alg: none.request_object_signing_alg,
        token_auth_signing_alg: none.token_auth_signing_alg,
        software_id: none.software_id,
        software_version: none.software_version,
        ..kept
    };
    assert_eq!(left, expected);
    assert_eq!(client_of(&with_application("id = \"a\"")).over(all.clone()), all, "what is left out stays");
    for (line, said) in [
        ("default_max_age = \"soon\"", "seconds"),
        ("default_max_age = -1", "seconds"),
        ("contacts = \"it@shop.example.com\"", "list"),
        ("response_types = [\"codes\"]", "response types"),
        ("token_auth_signing_alg = \"HS256\"", "ES256"),
        ("policy_uri = 1", "address"),
        ("software_id = true", "text"),
    ] {
        let text = with_application(&format!("id = \"a\"\n{line}"));
        let errors = refused(&text);
        assert!(errors.contains(said), "{line}: {errors}");
    }
}

/// `/admin/v1` takes its members from the types themselves. A key of a file is one of them, and the other way round.
#[test]
fn the_administration_has_the_same_keys() {
    let shape = application::shape();
    let own = ["name", "type", "default", "connections", "signing_algorithm", "tokens"];
    for key in CLIENT_KEYS.iter().chain(&own) {
        assert!(shape.member(key).is_some(), "{key}");
    }
    for (member, _) in shape.members() {
        let is_known = CLIENT_KEYS.contains(member) || own.contains(member) || NOT_IN_FILES.contains(member);
        assert!(is_known, "{member} can be set in /admin/v1 alone: read it in files, or name it above");
    }
    for (table, keys) in [("login", &LOGIN_KEYS[..]), ("branding", &BRANDING_KEYS)] {
        let shape = shape.member(table).unwrap();
        let is_single = |key: &str| ONLY.iter().any(|(of, name, _)| *of == table && *name == key);
        for key in keys {
            assert!(shape.member(key).is_some() || is_single(key), "{table}.{key}");
        }
        for (member, _) in shape.members() {
            assert!(keys.contains(member), "{table}.{member}");
        }
    }
}
