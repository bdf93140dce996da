//! `hufu apply`, also while a server runs.

use std::time::Instant;

use hufu_sandbox::NewApp;
use hufu_store::Store;
use hufu_store::config::ReadConfig;
use hufu_store::versions::ReadVersions;
use hufu_testkit::on_both_engines;
use hufu_types::TokenHash;

use crate::support::{APP_ID, Instance, POOL, Process, SECRET, SOON, Server, WORLD, eventually};

/// The AppID of the second mini program.
const SECOND_APP_ID: &str = "wx00000000000000a2";

/// [`WORLD`] with a second mini program, which comes first.
fn second_world() -> String {
    let connection = format!(
        r#"
  [[user_pool.connection]]
  identifier = "second-mini"
  type = "wechat:miniprogram:default"
  open_platform = "shop"
  fields = {{ app_id = "{SECOND_APP_ID}", app_secret = "{SECRET}" }}
  [[user_pool.application]]
  id = "6560c0ffee00000000000003"
  name = "Second"
  type = "mini-program"
  connections = ["second-mini"]
"#
    );
    format!("{WORLD}{connection}").replace(r#"["shop-mini"]"#, r#"["second-mini", "shop-mini"]"#)
}

fn register_second(instance: &Instance) {
    let app = NewApp {
        app_id: Some(SECOND_APP_ID.to_owned()),
        secret: Some(SECRET.into()),
        open_platform: Some("shop".to_owned()),
        ..NewApp::default()
    };
    instance.sandbox.add_app(app).unwrap();
}

/// The configuration in the database.
async fn stored(instance: &Instance) -> String {
    let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
    let config = store.read(ReadConfig).await.unwrap();
    store.close().await;
    let names = |all: &[String]| all.join(" ");
    let pools: Vec<_> = config.pools.iter().map(|pool| format!("{pool:?}")).collect();
    let connections: Vec<_> =
        config.connections.iter().map(|c| format!("{} {}", c.identifier, c.enabled)).collect();
    let applications: Vec<_> =
        config.applications.iter().map(|a| format!("{} {}", a.id, a.enabled)).collect();
    format!("{} {} {} {}", config.version, names(&pools), names(&connections), names(&applications))
}

async fn version(instance: &Instance) -> i64 {
    let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
    let version = store.read(ReadVersions).await.unwrap().configuration;
    store.close().await;
    version
}

/// Whether a new person can log in through this mini program.
async fn lets_in(server: &Server, instance: &Instance, app_id: &str) -> bool {
    let code = instance.sandbox.login_code(app_id, None).unwrap();
    let answer = server.client.log_in_from(app_id, &code).await;
    if answer.code() == 200 {
        return true;
    }
    assert!(matches!(answer.code(), 2403 | 2404 | 2406), "{answer:?}");
    false
}

on_both_engines! {
    async fn a_running_server_takes_changes_up_at_once(database) {
        let instance = Instance::ready(database).await;
        register_second(&instance);
        let server = instance.serve().await;
        assert!(lets_in(&server, &instance, APP_ID).await && !lets_in(&server, &instance, SECOND_APP_ID).await);

        instance.write("second.toml", &second_world());
        let ran = instance.run(&["apply", "second.toml"]).await;
        let applied = Instant::now();
        let plan = ran.succeeded();
        assert!(plan.contains("+ connection second-mini") && plan.ends_with("2 unchanged, 0 left alone\n"), "{plan}");
        eventually("people log in by the new connection", || lets_in(&server, &instance, SECOND_APP_ID)).await;
        assert!(applied.elapsed() < SOON, "{:?}", applied.elapsed());

        // Objects that are missing from the file are listed and remain unchanged. Pruning disables them.
        let ran = instance.run(&["apply", "world.toml"]).await;
        let plan = ran.succeeded();
        assert!(plan.contains("! left alone (not in the file): connection second-mini"), "{plan}");
        assert!(stored(&instance).await.contains("second-mini true"));
        let ran = instance.run(&["apply", "world.toml", "--prune"]).await;
        let applied = Instant::now();
        let plan = ran.succeeded();
        assert!(plan.contains("- connection second-mini") && plan.contains("- application 6560c0ffee00000000000003"), "{plan}");
        eventually("nobody logs in by it", async || !lets_in(&server, &instance, SECOND_APP_ID).await).await;
        assert!(applied.elapsed() < SOON, "{:?}", applied.elapsed());
        assert!(lets_in(&server, &instance, APP_ID).await);
        let ran = server.stop().await;
        assert_eq!(ran.code, Some(0));
        assert!(ran.err.matches("configuration taken up").count() >= 2, "{}", ran.err);
    }

    async fn a_dry_run_prints_the_plan_and_changes_nothing(database) {
        let instance = Instance::ready(database).await;
        let before = stored(&instance).await;
        instance.write("second.toml", &second_world());
        let dry = instance.run(&["apply", "second.toml", "--dry-run"]).await;
        let plan = dry.succeeded().strip_suffix("Dry run: nothing was changed.\n").unwrap();
        assert!(plan.contains("+ connection second-mini (wechat:miniprogram:default)"), "{plan}");
        assert!(!plan.contains(SECRET), "{plan}");
        assert_eq!(stored(&instance).await, before);

        assert_eq!(instance.run(&["apply", "second.toml"]).await.succeeded(), plan);
        let after = version(&instance).await;
        let again = instance.run(&["apply", "second.toml"]).await;
        assert!(again.succeeded().ends_with("0 to add, 0 to change, 0 to disable, 5 unchanged, 0 left alone\n"), "{again:?}");
        assert_eq!(version(&instance).await, after, "no node is disturbed");
    }

    async fn what_is_exported_is_applied_without_a_change(database) {
        const CHOSEN: &str = "a-secret-that-the-operator-chose-0001";
        let instance = Instance::ready(database).await;
        let more = format!(
            r#"
  [user_pool.email]
  provider = "smtp"
  host = "smtp.example.com"
  username = "mailer"
  password = "a-password-of-the-mailer"
  from = "no-reply@example.com"
  [[user_pool.application]]
  id = "website"
  name = "Website"
  type = "web"
  secret = "{CHOSEN}"
"#
        );
        instance.write("more.toml", &second_world());
        instance.run(&["apply", "more.toml"]).await.succeeded();
        instance.write("more.toml", &format!("{WORLD}{more}"));
        instance.run(&["apply", "more.toml"]).await.succeeded();
        let before = stored(&instance).await;

        let ran = instance.run(&["apply", "--export", POOL]).await;
        let text = ran.succeeded();
        for secret in [SECRET, CHOSEN, "a-password-of-the-mailer"] {
            assert!(!text.contains(secret) && !ran.err.contains(secret), "{text}");
        }
        let secrets = [
            ("SECOND_MINI__APP_SECRET", SECRET),
            ("SHOP_MINI__APP_SECRET", SECRET),
            ("EMAIL__PASSWORD", "a-password-of-the-mailer"),
        ];
        for (variable, _) in secrets {
            assert!(text.contains(&format!("{{ env = \"{variable}\" }}")), "{variable}: {text}");
            assert!(ran.err.contains(variable), "{}", ran.err);
        }

        instance.write("exported.toml", text);
        let missing = instance.run(&["apply", "exported.toml"]).await;
        let told = missing.failed();
        assert!(told.contains("the environment variable SHOP_MINI__APP_SECRET is not set"), "{told}");
        let mut command = instance.command(&["apply", "exported.toml", "--prune"]);
        let again = Process::start(command.envs(secrets)).finish().await;
        assert!(again.succeeded().contains("0 to add, 0 to change, 0 to disable"), "{again:?}");
        assert_eq!(stored(&instance).await, before, "no node is disturbed");
        assert_eq!(instance.run(&["apply", "--export", POOL]).await.succeeded(), text);

        let unknown = instance.run(&["apply", "--export", "nowhere"]).await;
        assert_eq!(unknown.failed(), "there is no user pool `nowhere`");
        let malformed = instance.run(&["apply", "--export", "a b"]).await;
        assert!(malformed.failed().starts_with("--export: "), "{malformed:?}");
        for more in [["--prune", ""], ["exported.toml", "--dry-run"]] {
            let args = ["apply", "--export", POOL].into_iter().chain(more).filter(|arg| !arg.is_empty()).collect::<Vec<_>>();
            let both = instance.run(&args).await;
            assert!(both.code == Some(2) && both.out.is_empty(), "{both:?}");
        }
    }

    async fn scopes_and_resources_are_shown_and_taken_up(database) {
        let instance = Instance::ready(database).await;
        let more = r#"
  [[user_pool.scope]]
  name = "orders:read"
  [[user_pool.application]]
  id = "orders"
  name = "Orders"
  type = "api"
  resources = ["https://orders.example.com"]
"#;
        instance.write("more.toml", &format!("{WORLD}{more}"));
        let ran = instance.run(&["apply", "more.toml", "--dry-run"]).await;
        let plan = ran.succeeded();
        assert!(plan.contains("+ scope orders:read\n") && plan.contains("+ application orders Orders (api)"), "{plan}");
        instance.run(&["apply", "more.toml"]).await.succeeded();
        let again = instance.run(&["apply", "more.toml"]).await;
        assert!(again.succeeded().contains("0 to add, 0 to change, 0 to disable"), "{again:?}");

        let line = "resources = [\"https://orders.example.com\"]";
        instance.write("other.toml", &format!("{WORLD}{more}").replace(line, "resources = [\"orders\"]"));
        let ran = instance.run(&["apply", "other.toml"]).await;
        assert!(ran.failed().contains("`resources`: not valid — write an absolute URI"), "{ran:?}");
        let ran = instance.run(&["apply", "world.toml", "--prune"]).await;
        assert!(ran.succeeded().contains("- scope orders:read: taken away\n"), "{ran:?}");
    }

    async fn a_file_with_mistakes_changes_nothing_and_all_are_reported(database) {
        let instance = Instance::ready(database).await;
        let before = stored(&instance).await;
        // One mistake in the text, one in a value, one in the environment. Everything else is valid.
        let mistaken = second_world()
            .replace("name = \"Shop\"", "name = \"Store\"\nnmae = \"Store\"")
            .replace("name = \"Second\"", "name = \"\"")
            .replace("SHOP_SECRET", "NO_SUCH_SECRET");
        instance.write("mistaken.toml", &mistaken);
        let place = |text: &str| {
            let before = &mistaken[..mistaken.find(text).unwrap()];
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("mistaken.toml:{}:{column}: ", before.matches('\n').count() + 1)
        };
        for arguments in [&["apply", "mistaken.toml"] as &[&str], &["apply", "mistaken.toml", "--dry-run"]] {
            let ran = instance.run(arguments).await;
            let mut lines = ran.failed().lines();
            assert_eq!(lines.next(), Some("nothing was changed:"));
            let told: Vec<&str> = lines.collect();
            let places = [place("nmae"), place("\"NO_SUCH_SECRET\""), place("\"\"")];
            assert_eq!(told.len(), places.len(), "{told:?}");
            for (line, place) in told.iter().zip(places) {
                assert!(line.starts_with(&place), "{line} is not at {place}");
            }
            assert!(told[0].contains("nmae") && told[1].contains("NO_SUCH_SECRET"), "{told:?}");
        }

        // Only the database reveals this: the application belongs to another pool.
        let other = WORLD.replace("6560c0ffee00000000000001", "6560c0ffee00000000000009");
        instance.write("other.toml", &other);
        let ran = instance.run(&["apply", "other.toml"]).await;
        let error = ran.failed();
        assert!(error.starts_with("nothing was changed:\nother.toml:10:3: "), "{error}");
        assert_eq!(stored(&instance).await, before);

        let ran = instance.run(&["apply", "absent.toml"]).await;
        assert!(ran.failed().starts_with("absent.toml cannot be read: "), "{ran:?}");
    }

    async fn a_client_secret_that_was_made_is_printed_once(database) {
        let instance = Instance::ready(database).await;
        let website = r#"
  [[user_pool.application]]
  id = "6560c0ffee00000000000008"
  name = "Website"
  type = "web"
  redirect_uris = ["https://shop.example.com/callback"]
"#;
        instance.write("website.toml", &format!("{WORLD}{website}"));
        let made = "+ application 6560c0ffee00000000000008 Website (web); a client secret is made\n";
        let dry = instance.run(&["apply", "website.toml", "--dry-run"]).await;
        assert!(dry.succeeded().contains(made) && !dry.succeeded().contains("hfc_"), "{dry:?}");
        let ran = instance.run(&["apply", "website.toml"]).await;
        let printed = ran.succeeded();
        assert!(printed.contains(made) && ran.err.is_empty(), "{ran:?}");
        let line = printed.lines().last().unwrap();
        let secret = line.strip_prefix("client secret of application 6560c0ffee00000000000008, shown only now: ");
        let secret = secret.unwrap_or_else(|| panic!("{printed}"));
        assert!(secret.starts_with("hfc_") && secret.len() == 68, "{printed}");
        let again = instance.run(&["apply", "website.toml"]).await;
        assert!(again.succeeded().ends_with("4 unchanged, 0 left alone\n"), "{again:?}");
        assert!(!again.succeeded().contains("secret"), "{again:?}");
        assert_eq!(secrets_of(&instance, "6560c0ffee00000000000008").await.len(), 1);
    }
}

/// The hashes of an application's client secrets, the newest first.
async fn secrets_of(instance: &Instance, id: &str) -> Vec<TokenHash> {
    let store = Store::open(&instance.database_url().parse().unwrap()).await.unwrap();
    let config = store.read(ReadConfig).await.unwrap();
    store.close().await;
    let application =
        config.applications.into_iter().find(|application| application.id.as_str() == id).unwrap();
    application.secrets.into_iter().map(|secret| secret.hash).collect()
}
