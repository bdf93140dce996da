//! `hufu apply --export`: what is written is what was applied.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use hufu_app::apply::{Exported, export, file};
use hufu_types::PoolId;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrecy::ExposeSecret as _;

use super::*;

/// A pool at random. `#` stands for what makes its ids unique in the instance.
fn pools() -> impl Strategy<Value = String> {
    let parts = (settings(), branding("user_pool.branding"), scopes(), senders(), templates());
    (label(), parts, connections(), applications()).prop_map(|(name, parts, connections, applications)| {
        let (settings, branding, scopes, senders, templates) = parts;
        format!(
            "[[user_pool]]\nid = \"pool#\"\nname = {name}\n{settings}{branding}{scopes}{senders}{templates}\
             {connections}{applications}"
        )
    })
}

/// Nothing, or one of these.
fn maybe(some: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), some]
}

fn quoted(text: String) -> String {
    toml::Value::String(text).to_string()
}

/// A name for people, with everything that may be in one.
fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z\"'\\\\#{}=虎符é]([ a-zA-Z\"'\\\\#{}=,虎符é]{0,20}[a-z\"'])?".prop_map(quoted)
}

fn secret() -> impl Strategy<Value = String> {
    "[!-~]{32,40}".prop_map(quoted)
}

fn titles() -> impl Strategy<Value = String> {
    (label(), label()).prop_map(|(zh, en)| format!("{{ zh-CN = {zh}, en = {en} }}"))
}

fn settings() -> impl Strategy<Value = String> {
    let zones = prop::sample::select(vec!["UTC", "Asia/Shanghai", "America/St_Johns"]);
    let fields = prop::sample::subsequence(
        vec![
            "{ key = \"size\", type = \"enum\", options = [\"S\", \"M\"] }",
            "{ key = \"level\", type = \"string\", visible = true, editable = false }",
            "{ key = \"since.when\", type = \"datetime\", label = \"Since\" }",
        ],
        0..=3,
    );
    let agreement = prop_oneof![label(), titles()].prop_map(|title| {
        format!("  agreements = [{{ id = \"terms\", version = 3, title = {title}, required = false }}]\n")
    });
    let numbers = (1..3650_u32, 0..3650_u32, 1..30_u32, 1..30_u32);
    (any::<(bool, bool)>(), numbers, zones, fields, maybe(agreement)).prop_map(
        |((registration, only), (audit, grace, idle, more), zone, fields, agreement)| {
            let (life, fields) = (idle + more, fields.join(", "));
            format!(
                "  [user_pool.settings]\n  registration = {registration}\n  custom_fields_only = {only}\n  \
                 audit_days = {audit}\n  deletion_grace_days = {grace}\n  time_zone = \"{zone}\"\n  \
                 session = {{ idle = \"{idle}h\", life = \"{life}d\" }}\n  custom_fields = [{fields}]\n{agreement}"
            )
        },
    )
}

fn branding(table: &'static str) -> impl Strategy<Value = String> {
    let theme = prop::sample::select(vec!["auto", "light", "dark"]);
    maybe((titles(), theme, "#[0-9a-f]{6}").prop_map(move |(title, theme, color)| {
        format!("  [{table}]\n  title = {title}\n  theme = \"{theme}\"\n  primary_color = \"{color}\"\n")
    }))
}

fn scopes() -> impl Strategy<Value = String> {
    maybe(titles().prop_map(|title| {
        format!("  [[user_pool.scope]]\n  name = \"loyal:ty\"\n  title = {title}\n  claims = {{ nick = \"nickname\" }}\n")
    }))
}

fn senders() -> impl Strategy<Value = String> {
    let mail = secret().prop_map(|password| {
        format!(
            "  [user_pool.email]\n  provider = \"smtp\"\n  host = \"smtp.example.com\"\n  username = \"mailer\"\n  \
             password = {password}\n  from = \"Shop <no-reply@example.com>\"\n"
        )
    });
    let aliyun = secret().prop_map(|key| {
        format!(
            "  [user_pool.sms]\n  provider = \"aliyun\"\n  access_key_id = \"id\"\n  access_key_secret = {key}\n  \
             sign_name = \"小店\"\n  template_code = \"SMS_1\"\n  template_codes = {{ login = \"SMS_2\" }}\n"
        )
    });
    let http = (secret(), secret()).prop_map(|(header, inner)| {
        format!(
            "  [user_pool.sms]\n  provider = \"http\"\n  url = \"https://sms.example.com/?key=1\"\n  \
             headers = {{ authorization = {header} }}\n  accepted = {{ pointer = \"/code\", equals = 0 }}\n  \
             body = {{ to = [\"{{{{phone}}}}\"], key = {inner}, text = \"{{{{text}}}}!\", n = 1.5, deep = {{ ok = true }} }}\n"
        )
    });
    (maybe(mail), prop_oneof![Just(String::new()), aliyun, http]).prop_map(|(mail, sms)| mail + &sms)
}

fn templates() -> impl Strategy<Value = String> {
    // A word in braces would be a placeholder.
    let subject = label().prop_map(|subject| subject.replace(['{', '}'], "-"));
    maybe(subject.prop_map(|subject| {
        format!("  [user_pool.templates.login.zh-CN]\n  subject = {subject}\n  text = \"{{code}}\\n{{minutes}}\"\n")
    }))
}

/// Always the same three connections, so that applications can name them.
fn connections() -> impl Strategy<Value = String> {
    let app =
        "app_id = \"wx0123456789abcdef\", app_secret = \"a secret of WeChat that is none\"".replace(' ', "_");
    let app = app.replace("_=_", " = ").replace(",_", ", ");
    let association = prop::sample::select(vec![
        "",
        "  association = { mode = \"field\" }\n",
        "  association = { mode = \"ask\", methods = [\"phone-code\"], conflict = \"choose\" }\n",
    ]);
    let encrypted = prop::sample::select(vec![
        "encryption = \"plain\"".to_owned(),
        format!("aes_key = \"{}\"", "k".repeat(43)),
        format!(
            "aes_key = \"{}\", relay = {{ url = \"https://shop.example.com/wx\", token = \"abc\" }}",
            "k".repeat(43)
        ),
    ]);
    let switches = any::<(bool, bool, bool)>();
    (label(), association, encrypted, titles(), switches).prop_map(
        move |(name, association, encrypted, welcome, (enabled, login_only, returns))| {
            format!(
                "  [[user_pool.connection]]\n  identifier = \"mini\"\n  type = \"wechat:miniprogram:default\"\n  \
                 display_name = {name}\n  login_only = {login_only}\n  enabled = {enabled}\n{association}  \
                 fields = {{ {app} }}\n\
                 \x20 [[user_pool.connection]]\n  identifier = \"1-website\"\n  type = \"wechat:pc\"\n  \
                 open_platform = \"shop\"\n  logo = \"https://shop.example.com/a.png\"\n  return_user = {returns}\n  \
                 callback = [\"https://shop.example.com/back\"]\n  \
                 verification_file = {{ name = \"MP_verify_#.txt\", content = \"abc\" }}\n  fields = {{ {app} }}\n\
                 \x20 [[user_pool.connection]]\n  identifier = \"account\"\n  type = \"wechatmp-qrcode\"\n  \
                 fields = {{ {app}, original_id = \"gh_abc\", token = \"abc\", welcome = {welcome}, {encrypted} }}\n"
            )
        },
    )
}

fn applications() -> impl Strategy<Value = String> {
    let login = prop::sample::select(vec![
        "",
        "    [user_pool.application.login]\n    methods = [\"password\", \"account\"]\n    default_method = \"account\"\n    \
         registration = []\n    access = \"listed\"\n    consent = true\n",
        "    [user_pool.application.login]\n    merged = true\n    keep_signed_in = false\n",
    ]);
    let client = prop::sample::select(vec![
        "",
        "  token_auth = \"none\"\n  grants = [\"authorization_code\"]\n  subject_type = \"pairwise\"\n",
        "  token_auth = \"private_key_jwt\"\n  jwks_uri = \"https://shop.example.com/keys\"\n  allowed_origins = []\n",
    ]);
    let brand = branding("user_pool.application.branding");
    let website = (label(), login, client, brand, any::<(bool, bool)>(), secret());
    let others = prop::collection::vec((label(), any::<bool>(), 1..48_u32), 0..4);
    (website, others).prop_map(|((name, login, client, brand, (enabled, default), secret), others)| {
        let secret = if client.is_empty() { format!("  secret = {secret}\n") } else { String::new() };
        let mut text = format!(
            "  [[user_pool.application]]\n  id = \"web#\"\n  name = {name}\n  type = \"web\"\n  enabled = {enabled}\n  \
             default = {default}\n  connections = [\"account\", \"1-website\"]\n  description = {name}\n  \
             redirect_uris = [\"https://shop.example.com/callback?a=1\"]\n{secret}{client}{login}{brand}"
        );
        for (index, (name, enabled, hours)) in others.into_iter().enumerate() {
            write!(
                text,
                "  [[user_pool.application]]\n  id = \"app{index}-#\"\n  name = {name}\n  type = \"mini-program\"\n  \
                 enabled = {enabled}\n  connections = [\"mini\"]\n  signing_algorithm = \"RS256\"\n  \
                 tokens = {{ access_token = \"{hours}h\", session = \"90d\" }}\n"
            )
            .unwrap();
        }
        text
    })
}

fn read_with(exported: &Exported) -> file::Desired {
    let secrets: HashMap<&str, &str> =
        exported.secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose_secret())).collect();
    assert_eq!(secrets.len(), exported.secrets.len(), "each secret has a variable of its own");
    let environment = |name: &str| secrets.get(name).map(|secret| (*secret).to_owned());
    file::read(&exported.text, "exported.toml", &environment)
        .unwrap_or_else(|errors| panic!("{errors}\n{}", exported.text))
}

async fn exported(world: &World, pool: &str) -> Exported {
    export(&world.store, &world.sealing, &PoolId::parse(pool).unwrap()).await.unwrap()
}

/// What is exported changes nothing where it comes from, and makes the same pool where there is none.
async fn goes_around(world: &World, elsewhere: &World, number: usize, text: &str) {
    let (pool, text) = (format!("pool{number}"), text.replace("pool#", "pool%").replace("#\"", "%\""));
    let text = text.replace("verify_#", &format!("verify_{number:016}")).replace('%', &number.to_string());
    world.apply(&text).await;
    let first = exported(world, &pool).await;
    for (name, secret) in &first.secrets {
        assert!(first.text.contains(&format!("{{ env = \"{name}\" }}")), "{name}: {}", first.text);
        assert!(
            !first.text.contains(secret.expose_secret()) || secret.expose_secret().len() < 8,
            "{}",
            first.text
        );
    }
    let before = world.everything().await;
    let plan = world.try_apply(&read_with(&first), PRUNE).await.unwrap();
    assert!(plan.is_empty(), "{plan}\n{text}\n{}", first.text);
    assert_eq!(world.everything().await, before, "not even the version changes");

    elsewhere
        .try_apply(&read_with(&first), PLAIN)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", first.text));
    let second = exported(elsewhere, &pool).await;
    for (line, expected) in second.text.lines().zip(first.text.lines()) {
        assert_eq!(line, expected, "{}", first.text);
    }
    assert_eq!(second.text.len(), first.text.len());
    let exposed = |exported: &Exported| -> Vec<(String, String)> {
        exported
            .secrets
            .iter()
            .map(|(name, secret)| (name.clone(), secret.expose_secret().to_owned()))
            .collect()
    };
    assert_eq!(exposed(&second), exposed(&first));
}

on_both_engines! {
    async fn what_is_exported_is_what_was_applied(database) {
        let other = if database.engine() == "sqlite" { hufu_testkit::TestDatabase::sqlite() } else { hufu_testkit::TestDatabase::postgres() };
        let (world, elsewhere) = (World::new(database).await, World::new(other).await);
        let count = AtomicUsize::new(0);
        let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
        let result = tokio::task::block_in_place(|| runner.run(&pools(), |text| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            tokio::runtime::Handle::current().block_on(goes_around(&world, &elsewhere, number, &text));
            Ok(())
        }));
        result.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn the_example_goes_around(database) {
        let other = hufu_testkit::TestDatabase::sqlite();
        let (world, elsewhere) = (World::with_example(database).await, World::new(other).await);
        let first = exported(&world, POOL).await;
        for line in [
            "\n[[user_pool]]\nid = \"6560c0ffee00000000000001\"\nname = \"Shop\"\n",
            "\n  [user_pool.settings]\n",
            "\n  [[user_pool.connection]]\n  identifier = \"shop-mini\"\n  type = \"wechat:miniprogram:default\"\n",
            "\n  fields = { app_id = \"wx0123456789abcdef\", app_secret = { env = \"SHOP_MINI__APP_SECRET\" } }\n",
            "\n  [[user_pool.application]]\n  id = \"6560c0ffee00000000000002\"\n  name = \"Shop mini program\"\n",
            "\n    [user_pool.application.login]\n",
        ] {
            assert!(first.text.contains(line), "{line} is missing in\n{}", first.text);
        }
        assert!(world.try_apply(&read_with(&first), PRUNE).await.unwrap().is_empty());
        elsewhere.try_apply(&read_with(&first), PLAIN).await.unwrap();
        assert_eq!(exported(&elsewhere, POOL).await.text, first.text);
        // Without the secrets, nothing is written.
        let refused = file::read(&first.text, "exported.toml", &|_| None).unwrap_err().to_string();
        assert!(refused.contains("SHOP_MINI__APP_SECRET"), "{refused}");
        let unknown = export(&world.store, &world.sealing, &PoolId::parse("nowhere").unwrap()).await;
        assert_eq!(unknown.err().unwrap().to_string(), "there is no user pool `nowhere`");
        let other_key = SealingKey::from_bytes([9; 32]);
        let closed = export(&world.store, &other_key, &PoolId::parse(POOL).unwrap()).await;
        assert!(closed.err().unwrap().to_string().starts_with("the connection `shop-mini` cannot be opened"));
    }
}
