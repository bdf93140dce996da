//! What a server needs before it serves: a configuration, a migrated database that was not created by `hufu
//! dev`, and the key to its secrets.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use hufu_store::instance::{Fact, GetFact, PutFactIfAbsent};
use hufu_store::{Store, StoreError, Tx, Write};
use hufu_testkit::on_both_engines;

use crate::support::{APPLICATION, CONFIG, Instance, Process, Ran, Server, WORLD, claims, hufu};

/// The commands that work on a database.
const COMMANDS: [&[&str]; 3] = [&["serve"], &["apply", "world.toml"], &["admin", "rotate-keys"]];

async fn store(instance: &Instance) -> Store {
    Store::open(&instance.database_url().parse().unwrap()).await.unwrap()
}

/// The id of the encryption key that the database needs.
async fn wanted_key(instance: &Instance) -> String {
    let store = store(instance).await;
    let wanted = store.read(GetFact(Fact::SealingKeyId)).await.unwrap().unwrap();
    store.close().await;
    wanted
}

async fn with(instance: &Instance, name: &str, value: &str, arguments: &[&str]) -> Ran {
    Process::start(instance.command(arguments).env(name, value)).finish().await
}

on_both_engines! {
    async fn a_database_is_migrated_first_and_that_can_be_done_again(database) {
        let instance = Instance::empty(database).await;
        instance.write("world.toml", WORLD);
        for command in COMMANDS {
            let ran = instance.run(command).await;
            let error = ran.failed();
            assert!(error.contains("`hufu migrate`"), "{error}");
            assert!(!instance.path("hufu.key").exists(), "no key is made for what is no instance");
        }
        let applied = "Applied: 0001_initial, 0002_people, 0003_search, 0004_connection_settings, 0005_revisions, \
                       0006_browser_sessions, 0007_code_replays, \
                       0008_password_schemes, 0009_administration, 0010_login_choices, 0011_openid, \
                       0012_device_codes, 0013_client_keys, 0014_registration, 0015_dpop, 0016_resources, \
                       0017_access, 0018_redirect_logins, 0019_qr_tickets, 0020_app_tokens, \
                       0021_wechat_messages, 0022_wechat_signatures, 0023_qr_pictures, \
                       0024_user_info_in_idp, 0025_granted_requests, 0026_management_keys, 0027_statistics, \
                       0028_sealing_nodes, 0029_key_permissions, 0030_tenancy, 0031_invitations, \
                       0032_import_notes, 0033_browser_logins, 0034_entry_links
";
        assert_eq!(instance.run(&["migrate"]).await.succeeded(), applied);
        assert_eq!(instance.run(&["migrate"]).await.succeeded(), "The schema is up to date.\n");
        instance.run(&["apply", "world.toml"]).await.succeeded();
        assert_eq!(instance.run(&["migrate"]).await.succeeded(), "The schema is up to date.\n");
        let server = instance.serve().await;
        server.client.log_in(&instance.code(None)).await.data();
    }

    async fn a_newer_programs_database_is_left_alone(database) {
        let instance = Instance::ready(database).await;
        let store = store(&instance).await;
        store.write(MigrateByNewerProgram).await.unwrap();
        store.close().await;
        for command in COMMANDS.into_iter().chain([&["migrate"] as &[&str]]) {
            let ran = instance.run(command).await;
            let error = ran.failed();
            assert!(error.contains("9999_future"), "{error}");
            assert!(error.contains("newer"), "{error}");
        }
    }

    async fn a_database_of_development_is_served_only_if_that_is_meant(database) {
        let instance = Instance::ready(database).await;
        let store = store(&instance).await;
        store.write(PutFactIfAbsent(Fact::MadeByDev, "yes".to_owned())).await.unwrap();
        store.close().await;
        let ran = instance.run(&["serve"]).await;
        let error = ran.failed();
        assert!(error.contains("`hufu dev`") && error.contains("--accept-dev-data"), "{error}");

        let server = Server::start(&mut instance.command(&["serve", "--accept-dev-data"])).await;
        server.client.log_in(&instance.code(None)).await.data();
    }

    async fn the_key_file_is_made_once_and_for_its_owner_alone(database) {
        let instance = Instance::ready(database).await;
        let path = instance.path("hufu.key");
        let made = std::fs::read(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for _ in 0..2 {
            instance.serve().await.stop().await.succeeded();
        }
        assert_eq!(std::fs::read(&path).unwrap(), made);
    }

    async fn without_its_key_a_database_is_not_served(database) {
        let instance = Instance::ready(database).await;
        let (path, wanted) = (instance.path("hufu.key"), wanted_key(&instance).await);
        let right = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for command in COMMANDS {
            let ran = instance.run(command).await;
            let error = ran.failed();
            assert!(error.contains("hufu.key") && error.contains(&wanted), "{error}");
            assert!(!path.exists(), "no other key is made");
        }

        let other = "0123456789abcdef".repeat(4);
        std::fs::write(&path, &other).unwrap();
        let in_file = instance.run(&["serve"]).await;
        std::fs::write(&path, &right).unwrap();
        let given = with(&instance, "HUFU_ENCRYPTION_KEY", &other, &["serve"]).await;
        for ran in [in_file, given] {
            let error = ran.failed();
            assert!(error.contains(&format!("needs the key {wanted}")), "{error}");
            assert!(!error.contains(&other), "{error}");
        }
        let ran = with(&instance, "HUFU_ENCRYPTION_KEY", "0123", &["serve"]).await;
        assert_eq!(ran.failed(), "an encryption key must be 64 hexadecimal digits (32 bytes); several are separated by commas or line breaks");

        // The key itself works too, and so does its file in another place.
        std::fs::rename(&path, instance.path("elsewhere.key")).unwrap();
        for (name, value) in [("HUFU_ENCRYPTION_KEY", right.trim()), ("HUFU_ENCRYPTION_KEY_FILE", "elsewhere.key")] {
            let server = Server::start(instance.command(&["serve"]).env(name, value)).await;
            server.client.log_in(&instance.code(None)).await.data();
        }
    }

    async fn a_taken_port_is_reported_with_what_to_change(database) {
        let instance = Instance::ready(database).await;
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        for (name, key) in [("HUFU_LISTEN", "listen"), ("HUFU_METRICS_LISTEN", "metrics_listen")] {
            let ran = with(&instance, name, &address, &["serve"]).await;
            let error = ran.failed();
            let sentence = format!(
                "cannot listen on {address}; if another program has the port, choose another with {key}: "
            );
            assert!(error.starts_with(&sentence), "{error}");
        }
    }

    async fn the_environment_wins_over_the_file(database) {
        let instance = Instance::ready(database).await;
        let file = std::fs::read_to_string(instance.path(CONFIG)).unwrap();
        let api = file.lines().find_map(|line| line.strip_prefix("api_base = ")).unwrap().trim_matches('"');
        let elsewhere = "listen = \"192.0.2.1:1\"\npublic_url = \"https://wrong.example.com\"\nlog = \"error\"\n\
                         database_url = \"sqlite://wrong.db\"\nencryption_key_file = \"wrong.key\"\n\
                         [wechat]\napi_base = \"http://127.0.0.1:1/api\"\n";
        instance.write("elsewhere.toml", elsewhere);
        let mut command = hufu();
        command.current_dir(instance.path("")).arg("serve").envs([
            ("HUFU_CONFIG", "elsewhere.toml"),
            ("HUFU_LISTEN", "127.0.0.1:0"),
            ("HUFU_PUBLIC_URL", "https://right.example.com/"),
            ("HUFU_DATABASE_URL", instance.database_url().as_str()),
            ("HUFU_ENCRYPTION_KEY_FILE", "hufu.key"),
            ("HUFU_LOG", "info"),
            ("HUFU_METRICS_LISTEN", ""),
            ("HUFU_WECHAT_API_BASE", api),
        ]);
        let server = Server::start(&mut command).await;
        let token = server.client.log_in(&instance.code(None)).await.token();
        let claims = claims(&token);
        assert_eq!((&claims["iss"], &claims["aud"]), (&"https://right.example.com/oidc".into(), &APPLICATION.into()));
        assert!(!instance.path("wrong.db").exists() && !instance.path("wrong.key").exists());
    }
}

/// Mistakes in the configuration file, and the messages about them.
const MISTAKES: [(&str, &str); 6] = [
    ("log = \"info\"\nlisen = \"127.0.0.1:0\"\n", "hufu.toml:2:1: unknown field `lisen`, expected one of"),
    ("[wechat]\n  api = \"http://x\"", "hufu.toml:2:3: unknown field `api`, expected one of"),
    ("listen = 3000", "hufu.toml:1:10: invalid type: integer `3000`, expected a string"),
    ("listen = \"geheim", "hufu.toml:1:"),
    ("listen = \"3000\"", "listen is not an address and port such as 127.0.0.1:3000: 3000"),
    ("database_url = \"mysql://u:geheim@h/d\"", "database_url: "),
];

#[tokio::test]
async fn mistakes_in_the_configuration_are_reported_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| {
        Process::start(hufu().current_dir(&folder).args(arguments).args(["--config", CONFIG])).finish().await
    };
    let ran = run(&["serve"]).await;
    assert!(ran.failed().starts_with("the configuration file hufu.toml cannot be read: "), "{ran:?}");
    for (text, told) in MISTAKES {
        std::fs::write(folder.path().join(CONFIG), text).unwrap();
        for command in [&["serve"] as &[&str], &["migrate"], &["admin", "rotate-keys"]] {
            let ran = run(command).await;
            let error = ran.failed();
            assert!(error.starts_with(told), "{text}: {error}");
            assert!(!error.contains("geheim"), "{error}");
        }
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing was made");
}

#[tokio::test]
async fn all_mistakes_in_the_configuration_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "listen = \"3000\"\ndatabase_url = \"mysql://u:geheim@h/d\"\nlisen = 1\n[limits]\nupload_bytes = 0\n";
    std::fs::write(folder.path().join(CONFIG), text).unwrap();
    let ran = Process::start(hufu().current_dir(&folder).args(["serve", "--config", CONFIG])).finish().await;
    let error = ran.failed();
    let told = [
        "4 mistakes in the configuration:",
        "hufu.toml:3:1: unknown field `lisen`",
        "hufu.toml:5:16: it must be a whole number above 0",
        "listen is not an address and port",
        "database_url: a database URL is",
    ];
    let lines: Vec<&str> = error.lines().map(str::trim).collect();
    assert_eq!(lines.len(), told.len(), "{error}");
    assert!(lines.iter().zip(told).all(|(line, told)| line.starts_with(told)), "{error}");
    assert!(!error.contains("geheim"), "{error}");
}

/// What a command says that finds no database at this address.
async fn without_database(database_url: &str) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(CONFIG), format!("database_url = \"{database_url}\"\n")).unwrap();
    let mut command = hufu();
    command.current_dir(&folder).args(["migrate", "--config", CONFIG]);
    let error = Process::start(&mut command).finish().await.failed().to_owned();
    (error, folder)
}

#[tokio::test]
async fn a_missing_postgres_server_is_told_with_its_address_and_without_the_password() {
    // Nobody listens on a port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (error, _) = without_database(&format!("postgres://hufu:geheim@{address}/hufu")).await;
    let sentence = format!("the database cannot be opened: no PostgreSQL server answers at {address}: ");
    assert!(error.starts_with(&sentence), "{error}");
    assert!(!error.contains("geheim") && !error.contains("pool"), "{error}");
}

#[tokio::test]
async fn no_folder_is_made_for_a_database_on_a_mistyped_path() {
    let (error, folder) = without_database("sqlite://mistyped/deeper/hufu.db").await;
    assert!(error.contains("there is no folder mistyped/deeper; create it"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "only the configuration");
}

struct MigrateByNewerProgram;

impl Write for MigrateByNewerProgram {
    type Out = u64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        tx.execute("INSERT INTO schema_migrations (number, name) VALUES (9999, '9999_future')", &[]).await
    }
}
