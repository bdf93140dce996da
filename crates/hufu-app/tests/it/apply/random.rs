//! Pools at random, as files: everything that a file may say of a pool, with the exception of users.
//!
//! The fields of connections come from the tables of their kinds. That nothing else is forgotten is compared with the
//! documents of `/admin/v1`, which have the same members.

use std::collections::BTreeSet;

use hufu_app::apply::file;
use hufu_app::configuration::document::{application, connection, pool};
use hufu_app::sources::{self, Field, Form};
use hufu_types::{ApplicationKind, ConnectionKind, Language};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::export::numbered;

/// A value, as TOML.
type Value = BoxedStrategy<String>;
/// Lines of `key = value`.
type Lines = BoxedStrategy<Vec<String>>;

/// What the parts of a pool have to agree on.
#[derive(Clone, Debug)]
struct Shared {
    /// The ids of its agreements.
    agreements: Vec<&'static str>,
    /// The keys of its custom fields.
    fields: Vec<&'static str>,
    /// Whether it has settings at all.
    has_settings: bool,
}

const AGREEMENTS: [&str; 2] = ["terms", "privacy.cn"];
/// The custom fields, and what is said of them beside the key.
const CUSTOM_FIELDS: [(&str, &str); 6] = [
    ("size", "type = \"enum\", options = [\"S\", \"M, \\\"L\\\"\"]"),
    ("level", "type = \"string\", editable = false"),
    ("since.when", "type = \"datetime\", label = \"Since\""),
    ("points", "type = \"number\""),
    ("vip", "type = \"boolean\", label = \"会员\""),
    ("more", "type = \"object\", visible = false"),
];

/// A pool. `#` stands for what makes its ids unique in the instance.
pub(super) fn pools() -> impl Strategy<Value = String> {
    let fields = CUSTOM_FIELDS.map(|(key, _)| key).to_vec();
    let shared = (subsequence(AGREEMENTS.to_vec(), 0..=2), subsequence(fields, 0..=6), any::<bool>());
    let shared = shared.prop_map(|(agreements, fields, has_settings)| {
        if has_settings {
            Shared { agreements, fields, has_settings }
        } else {
            Shared { agreements: Vec::new(), fields: Vec::new(), has_settings }
        }
    });
    shared.prop_flat_map(|shared| {
        let parts = vec![
            settings(&shared),
            branding("user_pool.branding"),
            scopes(&shared),
            email(),
            sms(),
            templates(),
            connections(),
            applications(&shared),
        ];
        (label(), parts).prop_map(|(name, parts)| {
            format!("[[user_pool]]\nid = \"pool#\"\nname = {name}\n{}", parts.concat())
        })
    })
}

fn quoted(text: impl Into<String>) -> String {
    toml::Value::String(text.into()).to_string()
}

/// A text that matches.
fn matching(pattern: &'static str) -> Value {
    pattern.prop_map(quoted).boxed()
}

/// A name for people, with everything that may be in one.
fn label() -> Value {
    matching("[a-zA-Z\"'\\\\#{}=虎符é]([ a-zA-Z\"'\\\\#{}=,虎符é]{0,20}[a-z\"'])?")
}

/// A text in which a word in braces would be a placeholder.
fn without_braces() -> BoxedStrategy<String> {
    "[a-zA-Z\"'\\\\#虎符é<&]([ a-zA-Z\"'\\\\#,\n虎符é<&]{0,20}[a-z\"'])?".boxed()
}

fn secret() -> Value {
    matching("[!-~]{32,40}")
}

fn flag() -> Value {
    any::<bool>().prop_map(|flag| flag.to_string()).boxed()
}

fn number(range: std::ops::RangeInclusive<u32>) -> Value {
    range.prop_map(|number| number.to_string()).boxed()
}

fn one(of: &[&'static str]) -> Value {
    select(of.to_vec()).prop_map(quoted).boxed()
}

/// Some of these, in any order.
fn some(of: &[&'static str], least: usize) -> Value {
    let of = of.to_vec();
    let most = of.len();
    subsequence(of, least..=most)
        .prop_shuffle()
        .prop_map(|chosen| list(chosen.into_iter().map(quoted)))
        .boxed()
}

fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(", "))
}

/// Up to three values that differ.
fn several(value: Value) -> Value {
    prop::collection::btree_set(value, 0..=3).prop_map(list).boxed()
}

fn address() -> Value {
    matching("https://shop\\.example\\.com/[a-z]{1,8}(\\?a=[a-z])?")
}

fn duration(unit: char, range: std::ops::RangeInclusive<u32>) -> Value {
    range.prop_map(move |number| quoted(format!("{number}{unit}"))).boxed()
}

/// Texts by language.
fn by_language(text: &Value, least: usize) -> Value {
    let tags: Vec<_> = Language::ALL.iter().map(|language| language.tag()).collect();
    let texts = vec![text.clone(); tags.len()];
    let most = tags.len();
    (subsequence(tags, least..=most), texts)
        .prop_map(|(tags, texts)| {
            let lines: Vec<_> = tags.iter().zip(texts).map(|(tag, text)| format!("{tag} = {text}")).collect();
            inline(&lines)
        })
        .boxed()
}

fn inline(lines: &[String]) -> String {
    format!("{{ {} }}", lines.join(", "))
}

/// All of these keys.
fn all_of(keys: Vec<(&'static str, Value)>) -> Lines {
    let lines: Vec<_> = keys
        .into_iter()
        .map(|(key, value)| value.prop_map(move |value| format!("{key} = {value}")))
        .collect();
    lines.boxed()
}

/// Any of these keys.
fn any_of(keys: Vec<(&'static str, Value)>) -> Lines {
    let line = |(key, value): (&'static str, Value)| {
        prop::option::of(value.prop_map(move |value| format!("{key} = {value}")))
    };
    let lines: Vec<_> = keys.into_iter().map(line).collect();
    lines.prop_map(|lines| lines.into_iter().flatten().collect()).boxed()
}

fn both(first: Lines, second: Lines) -> Lines {
    (first, second).prop_map(|(first, second)| [first, second].concat()).boxed()
}

/// A table with these lines.
fn table(header: &'static str, lines: Lines) -> Value {
    lines.prop_map(move |lines| format!("[{header}]\n{}\n", lines.join("\n"))).boxed()
}

/// Nothing, or this.
fn maybe(some: Value) -> Value {
    prop::option::of(some).prop_map(Option::unwrap_or_default).boxed()
}

fn settings(shared: &Shared) -> Value {
    if !shared.has_settings {
        return Just(String::new()).boxed();
    }
    let fields = CUSTOM_FIELDS.iter().filter(|(key, _)| shared.fields.contains(key));
    let fields = list(fields.map(|(key, rest)| format!("{{ key = \"{key}\", {rest} }}")));
    let texts = || prop_oneof![label(), by_language(&label(), 1)].boxed();
    let url = || prop_oneof![address(), by_language(&address(), 0)].boxed();
    let agreements: Vec<_> = shared
        .agreements
        .iter()
        .map(|id| {
            let lines = all_of(vec![
                ("id", Just(quoted(*id)).boxed()),
                ("version", number(1..=9)),
                ("title", texts()),
            ]);
            both(lines, any_of(vec![("url", url()), ("required", flag())]))
                .prop_map(|lines| inline(&lines))
                .boxed()
        })
        .collect();
    let mut required = vec!["phone", "email", "username", "gender", "nickname", "postal_code"];
    required.extend(shared.fields.contains(&"since.when").then_some("custom.since.when"));
    let password = (1..=64_u32, 0..=64_u32).prop_map(|(least, more)| {
        vec![format!("min_length = {least}"), format!("max_length = {}", least + more)]
    });
    let password = both(
        password.boxed(),
        any_of(vec![
            ("level", one(&["low", "middle", "high"])),
            ("refuse_common", flag()),
            ("refuse_own_names", flag()),
        ]),
    );
    let fixed = all_of(vec![
        ("custom_fields", Just(fields).boxed()),
        ("agreements", agreements.prop_map(list).boxed()),
    ]);
    let session = (duration('h', 1..=30), duration('d', 2..=3650));
    let session =
        session.prop_map(|(idle, life)| inline(&[format!("idle = {idle}"), format!("life = {life}")]));
    let qr = any_of(vec![("life", duration('s', 60..=1800)), ("ticket", duration('m', 1..=30))]);
    let others = any_of(vec![
        ("registration", flag()),
        ("tell_existence", flag()),
        ("register_email_without_code", flag()),
        ("password", password.prop_map(|lines| inline(&lines)).boxed()),
        ("verify_old_phone", flag()),
        ("verify_old_email", flag()),
        ("sms_countries", some(&["86", "+49", "852"], 0)),
        ("custom_fields_only", flag()),
        ("required_fields", some(&required, 0)),
        ("session", session.boxed()),
        ("qr", qr.prop_map(|lines| inline(&lines)).boxed()),
        ("deletion_grace_days", number(0..=3650)),
        ("audit_days", number(1..=3650)),
        ("time_zone", one(&["UTC", "Asia/Shanghai", "America/St_Johns"])),
    ]);
    table("user_pool.settings", both(fixed, others))
}

fn branding(header: &'static str) -> Value {
    let keys = any_of(vec![
        ("title", by_language(&label(), 0)),
        ("logo", address()),
        ("primary_color", matching("#[0-9a-fA-F]{6}")),
        ("theme", one(&["auto", "light", "dark"])),
        ("language", one(&["auto", "zh-CN", "ja"])),
    ]);
    maybe(table(header, keys))
}

fn scopes(shared: &Shared) -> Value {
    let mut claims = vec![("nick", "nickname"), ("email", "email"), ("urn:x.y", "external_id")];
    claims.extend(shared.fields.contains(&"level").then_some(("level", "custom.level")));
    claims.extend(shared.fields.contains(&"since.when").then_some(("since", "custom.since.when")));
    let most = claims.len();
    let claims = subsequence(claims, 0..=most).prop_map(|claims| {
        let lines: Vec<_> =
            claims.iter().map(|(claim, source)| format!("\"{claim}\" = \"{source}\"")).collect();
        inline(&lines)
    });
    let scope = move |name: &'static str| {
        let name = all_of(vec![("name", Just(quoted(name)).boxed())]);
        let others = any_of(vec![("title", by_language(&label(), 0)), ("claims", claims.clone().boxed())]);
        maybe(table("[user_pool.scope]", both(name, others)))
    };
    vec![scope("loyal:ty"), scope("a'b"), scope("https://api.example.com/orders.read")]
        .prop_map(|scopes| scopes.concat())
        .boxed()
}

fn email() -> Value {
    let provider = |name: &str| ("provider", Just(quoted(name)).boxed());
    let from = one(&["no-reply@example.com", "Shop <no-reply@example.com>"]);
    let needed =
        all_of(vec![provider("smtp"), ("host", one(&["smtp.example.com", "127.0.0.1"])), ("from", from)]);
    let login = all_of(vec![("username", one(&["mailer"])), ("password", secret())]);
    let login = prop_oneof![Just(Vec::new()), login].boxed();
    let others = any_of(vec![
        ("port", number(1..=65535)),
        ("encryption", one(&["starttls", "tls"])),
        ("timeout_seconds", number(1..=300)),
    ]);
    let smtp = both(both(needed, login), others);
    maybe(table("user_pool.email", prop_oneof![smtp, all_of(vec![provider("outbox")])].boxed()))
}

fn sms() -> Value {
    let provider = |name: &str| ("provider", Just(quoted(name)).boxed());
    let by_purpose = |code: Value| {
        any_of(vec![("login", code.clone()), ("new_way_in", code)]).prop_map(|lines| inline(&lines)).boxed()
    };
    let code = || matching("SMS_[0-9]{1,9}");
    let aliyun = both(
        all_of(vec![
            provider("aliyun"),
            ("access_key_id", one(&["LTAI0"])),
            ("access_key_secret", secret()),
            ("sign_name", label()),
            ("template_code", code()),
        ]),
        any_of(vec![
            ("template_codes", by_purpose(code())),
            ("international_template_code", code()),
            ("code_parameter", one(&["number"])),
            ("minutes_parameter", one(&["time"])),
            ("endpoint", one(&["https://dysmsapi.example.com"])),
        ]),
    );
    let id = || matching("[0-9]{6}");
    let tencent = both(
        all_of(vec![
            provider("tencent"),
            ("secret_id", one(&["AKID0"])),
            ("secret_key", secret()),
            ("sdk_app_id", id()),
            ("sign_name", label()),
            ("template_id", id()),
        ]),
        any_of(vec![
            ("template_ids", by_purpose(id())),
            ("international_template_id", id()),
            ("parameters", some(&["code", "minutes"], 1)),
            ("region", one(&["ap-guangzhou"])),
            ("endpoint", one(&["https://sms.example.com"])),
        ]),
    );
    let inner = label().prop_map(|text| {
        format!("{{ to = [\"{{{{phone}}}}\"], key = {text}, text = \"{{{{text}}}}!\", n = 1.5, deep = {{ ok = true, none = [] }} }}")
    });
    let equals = prop_oneof![number(0..=9), flag(), label()]
        .prop_map(|equals| format!("{{ pointer = \"/code\", equals = {equals} }}"));
    let headers =
        (secret(), secret()).prop_map(|(one, other)| format!("{{ authorization = {one}, x-key = {other} }}"));
    // It may have a secret in it, which is looked for in the file.
    let url = matching("https://sms\\.example\\.com/[a-z]{8}\\?key=[0-9]{8}");
    let http = both(
        all_of(vec![provider("http"), ("url", url), ("body", inner.boxed())]),
        any_of(vec![("headers", headers.boxed()), ("accepted", equals.boxed())]),
    );
    let outbox = all_of(vec![provider("outbox")]);
    maybe(table("user_pool.sms", prop_oneof![aliyun, tencent, http, outbox].boxed()))
}

fn templates() -> Value {
    let template = |header: &'static str, placeholder: &'static str| {
        let text = || without_braces().prop_map(move |text| quoted(format!("{text}{placeholder}"))).boxed();
        let subject = without_braces().prop_map(|text| quoted(text.replace('\n', " "))).boxed();
        let parts = vec![("subject", subject), ("text", text()), ("html", text()), ("sms", text())];
        maybe(table(header, any_of(parts)))
    };
    vec![
        template("user_pool.templates.login.zh-CN", "{code}\n{minutes}"),
        template("user_pool.templates.login.ja", "{code}"),
        template("user_pool.templates.reset_password.en", "{code}"),
    ]
    .prop_map(|templates| templates.concat())
    .boxed()
}

/// The connection that every pool has of a kind.
fn usual_identifier(kind: ConnectionKind) -> &'static str {
    match kind {
        ConnectionKind::WechatMiniProgram => "mini",
        ConnectionKind::WechatMiniProgramScan => "scan",
        ConnectionKind::WechatMobile => "email",
        ConnectionKind::WechatAppLaunch => "launch",
        ConnectionKind::WechatPc => "1-website",
        ConnectionKind::WechatWebpage => "page",
        ConnectionKind::WechatOfficialAccount => "account",
    }
}

/// One of each kind, so that applications can name them, and some more.
fn connections() -> Value {
    let usual: Vec<_> = ConnectionKind::ALL
        .iter()
        .map(|kind| connection(*kind, usual_identifier(*kind).to_owned()))
        .collect();
    let more: Vec<_> = ConnectionKind::ALL
        .iter()
        .enumerate()
        .map(|(index, kind)| {
            let name = "[a-z0-9-]{0,20}";
            maybe(name.prop_flat_map(move |name| connection(*kind, format!("{index}{name}"))).boxed())
        })
        .collect();
    (Just(usual).prop_flat_map(|usual| usual).prop_shuffle(), more)
        .prop_map(|(usual, more)| usual.concat() + &more.concat())
        .boxed()
}

fn connection(kind: ConnectionKind, identifier: String) -> Value {
    let proved: Vec<_> = kind.proves().iter().map(|field| field.as_str()).collect();
    let bound = ["phone-code", "email-code", "username-password", "phone-password", "email-password"];
    let association = |mode: &str, mut keys: Vec<(&'static str, Value)>| {
        keys.push(("conflict", one(&["keep", "choose"])));
        both(all_of(vec![("mode", Just(quoted(mode)).boxed())]), any_of(keys))
    };
    let mut associations =
        vec![association("none", vec![]), association("ask", vec![("methods", some(&bound, 1))])];
    if !proved.is_empty() {
        let keys = vec![("fields", some(&proved, 1)), ("methods", some(&bound, 1))];
        associations.push(association("field", keys));
    }
    let association = prop::strategy::Union::new(associations).prop_map(|lines| inline(&lines)).boxed();
    let verification = ("[MW]", "[!-~]{1,40}").prop_map(|(first, content)| {
        let name = if first == "M" { "MP_verify_" } else { "WW_verify_" };
        (name, quoted(content))
    });
    let place = identifier.clone();
    let verification = verification.prop_map(move |(name, content)| {
        // The name is unique in the instance. Of two with the same digest, one would be refused.
        let own = place.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(byte.into()));
        format!("{{ name = \"{name}{own:016x}%.txt\", content = {content} }}")
    });
    let needed = all_of(vec![
        ("identifier", Just(quoted(identifier)).boxed()),
        ("type", Just(quoted(kind.as_str())).boxed()),
        ("fields", fields_of(kind)),
    ]);
    let mut others = vec![
        ("display_name", label()),
        ("login_only", flag()),
        ("enabled", flag()),
        ("open_platform", one(&["shop", "default"])),
        ("association", association),
        ("logo", address()),
        ("verification_file", verification.boxed()),
    ];
    if kind.has_callback() {
        others.extend([("callback", several(address())), ("return_user", flag())]);
    }
    table("[user_pool.connection]", both(needed, any_of(others)))
}

/// The fields of a kind, as its table has them.
fn fields_of(kind: ConnectionKind) -> Value {
    let values = fields(sources::fields(kind));
    let is_account = kind == ConnectionKind::WechatOfficialAccount;
    values
        .prop_map(move |mut lines| {
            // A message that is encrypted needs the key.
            let has_key = lines.iter().any(|line| line.starts_with("aes_key = "));
            if is_account && !has_key {
                lines.retain(|line| !line.starts_with("encryption = "));
                lines.push("encryption = \"plain\"".to_owned());
            }
            inline(&lines)
        })
        .boxed()
}

fn fields(fields: &'static [Field]) -> Lines {
    // Where the fields of an app of its own are optional, all are there or none.
    let is_of_app = |field: &Field| ["app_id", "app_secret", "original_id"].contains(&field.name);
    let value = |field: &Field| (field.name, value_of(field.form));
    let needed = fields.iter().filter(|field| field.required).map(value).collect();
    let of_app = fields.iter().filter(|field| !field.required && is_of_app(field)).map(value).collect();
    let free = fields.iter().filter(|field| !field.required && !is_of_app(field)).map(value).collect();
    let of_app = prop_oneof![Just(Vec::new()), all_of(of_app)].boxed();
    both(both(all_of(needed), of_app), any_of(free))
}

fn value_of(form: Form) -> Value {
    match form {
        Form::WechatAppId => matching("wx[0-9a-f]{16}"),
        Form::WechatAppSecret => matching("[!-~]{8,128}"),
        Form::WechatToken => matching("[0-9A-Za-z]{8,32}"),
        Form::EncodingAesKey => matching("[0-9A-Za-z]{43}"),
        Form::OriginalId => matching("gh_[0-9a-z]{1,32}"),
        Form::Text { most } => label().prop_filter("short", move |text| text.len() <= most).boxed(),
        Form::Address => address(),
        Form::Addresses => several(address()),
        Form::Choice { names, .. } => one(names),
        Form::Flag { .. } => flag(),
        Form::ByLanguage { .. } => by_language(&without_braces().prop_map(quoted).boxed(), 0),
        Form::Table(inner) => fields(inner).prop_map(|lines| inline(&lines)).boxed(),
    }
}

fn applications(shared: &Shared) -> Value {
    let usual: Vec<_> =
        ApplicationKind::ALL.iter().map(|kind| application(*kind, kind.as_str(), shared)).collect();
    let more = maybe(application(ApplicationKind::Web, "more", shared));
    // At most one is the default.
    let default = prop::option::of(0..usual.len());
    (Just(usual).prop_flat_map(|usual| usual).prop_shuffle(), more, default)
        .prop_map(|(mut usual, more, default)| {
            for (index, text) in usual.iter_mut().enumerate() {
                let line = if default == Some(index) { "default = true\n" } else { "" };
                *text = text.replace("default = false\n", line);
            }
            usual.concat() + &more
        })
        .boxed()
}

const KEY: &str = "{ keys = [{ kty = \"EC\", crv = \"P-256\", use = \"sig\", kid = \"1\", \
                   x = \"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\", y = \"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\" }] }";
const GRANTS: [&str; 6] =
    ["authorization_code", "refresh_token", "implicit", "hybrid", "device_code", "client_credentials"];

/// How a client authenticates.
fn authentication(kind: ApplicationKind) -> Lines {
    let method = |name: &str| ("token_auth", Just(quoted(name)).boxed());
    let grants = |is_public: bool| if is_public { some(&GRANTS[..5], 0) } else { some(&GRANTS, 0) };
    let is_public = !matches!(kind, ApplicationKind::Web | ApplicationKind::Api);
    let secret = || any_of(vec![("secret", secret()), ("grants", grants(false))]);
    let public = both(all_of(vec![method("none")]), all_of(vec![("grants", grants(true))]));
    let basic = both(all_of(vec![method("client_secret_basic")]), secret());
    let post = both(all_of(vec![method("client_secret_post")]), secret());
    let signs = |key: (&'static str, Value)| {
        let keys = any_of(vec![
            ("grants", grants(false)),
            ("token_auth_signing_alg", one(&["RS256", "PS256", "ES256", "EdDSA"])),
        ]);
        both(all_of(vec![method("private_key_jwt"), key]), keys)
    };
    let unsaid = if is_public { any_of(vec![("grants", grants(true))]) } else { secret() };
    prop_oneof![
        public,
        basic,
        post,
        signs(("jwks_uri", address())),
        signs(("jwks", Just(KEY.to_owned()).boxed())),
        unsaid,
    ]
    .boxed()
}

fn application(kind: ApplicationKind, id: &'static str, shared: &Shared) -> Value {
    let usable: Vec<_> = ConnectionKind::ALL.iter().filter(|connection| kind.may_use(**connection)).collect();
    let usable: Vec<_> = usable.into_iter().map(|connection| usual_identifier(*connection)).collect();
    let most = usable.len();
    let needed = all_of(vec![
        ("id", Just(quoted(format!("{id}-#"))).boxed()),
        ("name", label()),
        ("type", Just(quoted(kind.as_str())).boxed()),
        ("default", Just("false".to_owned()).boxed()),
    ]);
    let tokens = any_of(vec![
        ("user_token", duration('d', 1..=60)),
        ("session", duration('d', 61..=100)),
        ("access_token", duration('m', 1..=600)),
        ("refresh_token", duration('h', 1..=600)),
    ]);
    let tokens = tokens.prop_map(|mut lines| {
        // A session that ends before its tokens is refused.
        if lines.iter().any(|line| line.starts_with("user_token")) {
            lines.retain(|line| !line.starts_with("session"));
            lines.push("session = \"3000d\"".to_owned());
        }
        inline(&lines)
    });
    let mut others = vec![
        ("enabled", flag()),
        ("signing_algorithm", one(&["ES256", "RS256", "EdDSA"])),
        ("tokens", tokens.boxed()),
        ("redirect_uris", several(address())),
        ("logout_redirect_uris", several(address())),
        ("backchannel_logout_uri", address()),
        ("frontchannel_logout_uri", address()),
        ("allowed_origins", some(&["https://a.example.com", "https://b.example.com:8443"], 0)),
        ("init_login_uri", address()),
        ("logo", address()),
        ("description", without_braces().prop_map(quoted).boxed()),
        ("request_uris", several(address())),
        ("subject_type", one(&["public", "pairwise"])),
        ("sector_identifier_uri", address()),
        ("userinfo_signed_response_alg", one(&["ES256", "RS256", "EdDSA"])),
        ("dpop_nonce_required", flag()),
        ("client_uri", address()),
        ("policy_uri", address()),
        ("tos_uri", address()),
        ("contacts", several(label())),
        (
            "response_types",
            some(
                &["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"],
                0,
            ),
        ),
        ("scopes", some(&["openid", "profile", "https://api.example.com/orders.read"], 0)),
        ("default_max_age", number(0..=u32::MAX)),
        ("default_acr_values", some(&["urn:hufu:1", "2"], 0)),
        ("request_object_signing_alg", one(&["RS256", "PS256", "ES256", "EdDSA"])),
        ("software_id", label()),
        ("software_version", label()),
    ];
    if kind == ApplicationKind::Api {
        others.push((
            "resources",
            one(&["https://api#.example.com", "urn:api:#"]).prop_map(|one| list([one])).boxed(),
        ));
    }
    if kind != ApplicationKind::MiniProgram {
        others.push(("dpop_bound_access_tokens", flag()));
    }
    let parts = vec![authentication(kind), any_of(others)].prop_map(|parts| parts.concat()).boxed();
    let agreements = shared.agreements.clone();
    let connections = subsequence(usable, 0..=most).prop_shuffle();
    let connected = connections.prop_flat_map(move |connections| {
        let line = format!("connections = {}", list(connections.iter().map(|name| quoted(*name))));
        (Just(line), maybe(login(&connections, &agreements)))
    });
    (needed, parts, connected, branding("user_pool.application.branding"))
        .prop_map(|(needed, parts, (connections, login), branding)| {
            let lines = [needed, vec![connections], parts].concat();
            format!("[[user_pool.application]]\n{}\n{login}{branding}", lines.join("\n"))
        })
        .boxed()
}

fn login(connections: &[&'static str], agreements: &[&'static str]) -> Value {
    let mut tabs = vec!["password", "phone-code", "email-code"];
    // Those that show a QR code.
    tabs.extend(connections.iter().filter(|name| ["scan", "account"].contains(name)));
    let most = tabs.len();
    let methods =
        (subsequence(tabs, 0..=most).prop_shuffle(), any::<bool>()).prop_map(|(tabs, names_default)| {
            let mut lines = vec![format!("methods = {}", list(tabs.iter().map(|tab| quoted(*tab))))];
            if let Some(last) = tabs.last().filter(|_| names_default) {
                lines.push(format!("default_method = \"{last}\""));
            }
            lines
        });
    let others = any_of(vec![
        ("registration", some(&["phone-code", "email-code", "email-password"], 0)),
        ("merged", flag()),
        ("consent", flag()),
        ("keep_signed_in", flag()),
        ("agreements", some(agreements, 0)),
        ("access", one(&["everybody", "listed"])),
    ]);
    let methods = prop_oneof![1 => Just(Vec::new()), 3 => methods].boxed();
    table("user_pool.application.login", both(methods, others))
}

/// The keys and the texts of a file.
fn words(value: &toml::Value, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(members) => {
            for (key, value) in members {
                found.insert(key.clone());
                words(value, found);
            }
        }
        toml::Value::Array(list) => list.iter().for_each(|value| words(value, found)),
        toml::Value::String(text) => drop(found.insert(text.clone())),
        _ => {}
    }
}

#[test]
fn what_a_file_may_say_is_said_by_one_of_them() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut said, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let pools = pools();
    for number in 0..200 {
        let text = numbered(&pools.new_tree(&mut runner).unwrap().current(), number);
        words(&text.parse::<toml::Table>().map(toml::Value::Table).unwrap(), &mut said);
        // Reading one takes long, since each sender is built.
        if number.is_multiple_of(4)
            && let Err(errors) = file::read(&text, "random.toml", &|_| None)
        {
            let reasons = errors.errors().iter().map(|error| error.reason().to_owned());
            refused.extend(reasons.map(|reason| reason.chars().take(120).collect::<String>()));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    let (mut names, mut choices) = (BTreeSet::new(), BTreeSet::new());
    for shape in [pool::shape(), connection::shape(), application::shape()] {
        shape.words(&mut names, &mut choices);
    }
    let fields = ConnectionKind::ALL.iter().flat_map(|kind| sources::fields(*kind)).map(|field| field.name);
    names.extend(fields);
    // In a file, scopes are tables beside the settings.
    names.remove("scopes");
    // No source of this version proves these.
    choices.remove("external_id");
    let missing: Vec<_> = names.iter().chain(&choices).filter(|word| !said.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
