//! `hufu admin`: operations that an operator runs on the instance's own machine.

mod management_key;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use hufu_app::administration::{AccessKey, AccessKeyRequest, AdminCaller, PageRequest, StatusChange};
use hufu_app::client_registration::RegistrationTokenRequest;
use hufu_app::configuration::{self, Rejection, RotateError};
use hufu_app::connect::{GuardedClient, guarded};
use hufu_app::credentials::password::calibrate;
use hufu_app::{App, Parts, Refusal};
use hufu_store::Store;
use hufu_types::refusal::Code;
use hufu_types::{
    AccessKeyId, AdminRole, ApplicationId, Permission, PoolId, PoolRole, RegistrationTokenId,
    SigningAlgorithm, Timestamp, UserId,
};
use secrecy::ExposeSecret as _;

use super::ConfigFlag;
use crate::config::Config;
use crate::instance::Instance;
use crate::output::say;

/// Administer an instance on its own machine. A running server picks up the changes within a second.
#[derive(Args)]
pub(crate) struct Admin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a new signing key for tokens, for each algorithm in use. They are published immediately and sign
    /// after an hour. Their predecessors stay published until their last token has expired.
    #[command(alias = "rotate-signing-key")]
    RotateKeys {
        /// ES256, RS256 or EdDSA. Without it, every algorithm that has a key.
        #[arg(long)]
        algorithm: Option<String>,
        /// Sign with the new keys at once, because the old ones are in wrong hands. Programs that cached the
        /// published keys have to fetch them again.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Create a new client secret for an application, and print it once. Its predecessor stays valid, the one
    /// before that does not.
    RotateSecret {
        /// The application's id.
        application: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Create a token with which clients register themselves (RFC 7591), and print it once.
    RegistrationToken {
        /// The user pool that they register in.
        #[arg(long)]
        pool: String,
        /// What it is for, as shown in lists.
        #[arg(long, default_value = "")]
        name: String,
        /// When it expires, such as 2027-01-31T00:00:00Z. Without it, after 30 days (the limit
        /// `registration_token_life`).
        #[arg(long, value_name = "MOMENT")]
        expires: Option<String>,
        /// How many clients that it registered there may be at a time. Without it, as many as the pool may have
        /// (the limit `registered_clients`).
        #[arg(long, value_name = "NUMBER")]
        clients: Option<i64>,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// List the tokens with which clients register themselves in a pool.
    ListRegistrationTokens {
        /// The user pool.
        #[arg(long)]
        pool: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Revoke such a token, effective from the next request. The clients that it registered stay.
    RevokeRegistrationToken {
        /// The user pool.
        #[arg(long)]
        pool: String,
        /// The token's id, the part between the underscores.
        #[arg(long)]
        token: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Disable a user's account: its sessions end, and it cannot log in.
    DisableUser(UserArguments),
    /// Enable a user's account again.
    EnableUser(UserArguments),
    /// Create an access key for /admin/v1, and print it once.
    CreateKey {
        /// The key's purpose, as shown in lists.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        role: RoleArguments,
        /// What the key may do of what its role may, such as users.read; may be given several times. Without it,
        /// all of it.
        #[arg(long = "permission", value_name = "PERMISSION")]
        permissions: Vec<String>,
        /// When it expires, such as 2027-01-31T00:00:00Z. Without it, after a year (the limit `key_life`).
        #[arg(long, value_name = "MOMENT")]
        expires: Option<String>,
    },
    /// Create the management key of a user pool, or its successor, and print its secret once. The published
    /// management clients (authing-node-sdk, authing-js-sdk, PyPI authing) take the pool's id and this secret. The
    /// present key goes on for a day (the limit `management_key_overlap`), and its predecessor ends.
    ManagementKey {
        /// The user pool.
        #[arg(long)]
        pool: String,
        /// What the clients may do in the pool: owner, manager, support or auditor.
        #[arg(long, default_value = "owner")]
        role: String,
        /// When it expires, such as 2027-01-31T00:00:00Z. Without it, after a year (the limit `key_life`).
        #[arg(long, value_name = "MOMENT")]
        expires: Option<String>,
        /// End the present key at once, because it is in wrong hands.
        #[arg(long)]
        end_present: bool,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// List the management keys of a user pool: the key, and its predecessor while that goes on.
    ListManagementKeys {
        /// The user pool.
        #[arg(long)]
        pool: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// End a management key and its tokens, effective from the next request.
    EndManagementKey {
        /// The user pool.
        #[arg(long)]
        pool: String,
        /// The key's id.
        #[arg(long)]
        key: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Measure how strong a password hash this machine computes in a given time, and print the limits to
    /// configure. Needs no configuration and no database; run it on the server's machine while it is mostly
    /// idle.
    CalibratePassword {
        /// How long one hash may take.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        milliseconds: u64,
    },
    /// List the access keys.
    ListKeys {
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Revoke an access key, effective from the next request.
    RevokeKey {
        /// The key's id, the part between the underscores.
        #[arg(long)]
        key: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Create an administrator, and print the password of their first login once.
    CreateAdministrator {
        /// The name to log in with.
        #[arg(long)]
        username: String,
        #[command(flatten)]
        role: RoleArguments,
    },
    /// Make a link that logs an administrator in to a browser, once, and print it. It is the way back in for whoever
    /// cannot log in any more.
    LoginLink {
        /// The administrator's username.
        username: String,
        #[command(flatten)]
        config: ConfigFlag,
    },
}

#[derive(Args)]
struct RoleArguments {
    /// owner, manager, support or auditor.
    #[arg(long)]
    role: String,
    /// The user pool that the role is limited to. Default: all pools.
    #[arg(long)]
    pool: Option<String>,
    #[command(flatten)]
    config: ConfigFlag,
}

fn read_role(name: &str) -> anyhow::Result<AdminRole> {
    let role = AdminRole::parse(name);
    role.with_context(|| format!("{name} is not a role; use owner, manager, support or auditor"))
}

impl RoleArguments {
    fn read(&self) -> anyhow::Result<(AdminRole, Option<PoolId>)> {
        let role = read_role(&self.role)?;
        Ok((role, self.pool.as_deref().map(PoolId::parse).transpose().context("--pool")?))
    }
}

#[derive(Args)]
struct UserArguments {
    /// The user pool's id.
    #[arg(long)]
    pool: String,
    /// The user's id.
    #[arg(long)]
    user: String,
    #[command(flatten)]
    config: ConfigFlag,
}

impl Admin {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::RotateKeys { algorithm, now, config } => {
                rotate(algorithm.as_deref(), now, &config.read()?).await?;
            }
            Command::RotateSecret { application, config } => {
                rotate_secret(&application, &config.read()?).await?;
            }
            Command::RegistrationToken { pool, name, expires, clients, config } => {
                let pool = PoolId::parse(&pool).context("--pool")?;
                let expires_at = expires.as_deref().map(moment).transpose()?;
                let wish = RegistrationTokenRequest { pool, name, expires_at, clients };
                create_registration_token(wish, &config.read()?).await?;
            }
            Command::ListRegistrationTokens { pool, config } => {
                list_registration_tokens(&pool, &config.read()?).await?;
            }
            Command::RevokeRegistrationToken { pool, token, config } => {
                revoke_registration_token(&pool, &token, &config.read()?).await?;
            }
            Command::DisableUser(arguments) => set_status(&arguments, StatusChange::Disable).await?,
            Command::EnableUser(arguments) => set_status(&arguments, StatusChange::Enable).await?,
            Command::CreateKey { name, role, permissions, expires } => {
                create_key(name, &role, &permissions, expires.as_deref()).await?;
            }
            Command::ManagementKey { pool, role, expires, end_present, config } => {
                management_key::create(&pool, &role, expires.as_deref(), end_present, &config.read()?)
                    .await?;
            }
            Command::ListManagementKeys { pool, config } => {
                management_key::list(&pool, &config.read()?).await?;
            }
            Command::EndManagementKey { pool, key, config } => {
                management_key::end(&pool, &key, &config.read()?).await?;
            }
            Command::CalibratePassword { milliseconds } => calibrate_password(milliseconds)?,
            Command::ListKeys { config } => list_keys(&config.read()?).await?,
            Command::RevokeKey { key, config } => revoke_key(&key, &config.read()?).await?,
            Command::CreateAdministrator { username, role } => create_administrator(&username, &role).await?,
            Command::LoginLink { username, config } => login_link(&username, &config.read()?).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn rotate(algorithm: Option<&str>, at_once: bool, config: &Config) -> anyhow::Result<()> {
    let named = algorithm.map(|name| SigningAlgorithm::parse(name).ok_or(name)).transpose();
    let named = match named {
        Ok(named) => named,
        Err(name) => bail!("{name} is not a signing algorithm; use ES256, RS256 or EdDSA"),
    };
    let (app, store) = start(config).await?;
    let algorithms = named.map_or_else(|| app.signing_algorithms(), |named| vec![named]);
    for algorithm in algorithms {
        let id = app.rotate_signing_key(algorithm, at_once).await?;
        if at_once {
            say!("Key {id} is published and signs now.");
        } else {
            say!(
                "Key {id} is published now and will sign in {} minutes.",
                app.limits().key_lead.as_secs() / 60
            );
        }
    }
    drop(app);
    store.close().await;
    Ok(())
}

async fn rotate_secret(application: &str, config: &Config) -> anyhow::Result<()> {
    let id = ApplicationId::parse(application).context("APPLICATION")?;
    let Instance { store, clock, random, .. } = Instance::open(&config.database, &config.key).await?;
    let made = configuration::rotate_secret(&store, &*clock, &*random, &id).await;
    store.close().await;
    match made {
        Ok(secret) => say!("{}", secret.expose()),
        Err(RotateError::Rejected(Rejection::NoApplication)) => bail!("there is no application {id}"),
        Err(RotateError::Rejected(Rejection::PublicClient)) => bail!(
            "the application {id} has no secret: it is a public client, or signs with a key of its own; if it \
             can keep a secret, give it token_auth = \"client_secret_basic\" with `hufu apply`"
        ),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn start(config: &Config) -> anyhow::Result<(Arc<App>, Store)> {
    let instance = Instance::open(&config.database, &config.key).await?;
    let store = instance.store.clone();
    let wechat =
        hufu_wechat::Settings { endpoints: config.wechat.clone(), ..hufu_wechat::Settings::default() };
    let app: Arc<App> = App::start(Parts {
        store: instance.store,
        wechat: hufu_wechat::Client::new(wechat)?,
        sealing: instance.sealing,
        limits: config.limits.clone(),
        public_url: config.public_url.clone(),
        clock: instance.clock,
        random: instance.random,
        outgoing: GuardedClient::new(guarded::Settings::default())?,
        outbox: None,
        default_mini_program: config.default_mini_program.clone(),
        sign_up: config.sign_up,
    })
    .await?;
    Ok((app, store))
}

/// A refusal, worded for the terminal.
fn for_terminal(refusal: &Refusal) -> anyhow::Error {
    anyhow::anyhow!("{}", hufu_types::chain(refusal))
}

/// The value of `--expires`.
fn moment(text: &str) -> anyhow::Result<Timestamp> {
    let moment = text.parse::<jiff::Timestamp>();
    let moment =
        moment.context("--expires is not a valid timestamp; use one such as 2027-01-31T00:00:00Z")?;
    Ok(Timestamp(moment.as_millisecond()))
}

async fn create_registration_token(wish: RegistrationTokenRequest, config: &Config) -> anyhow::Result<()> {
    let (app, store) = start(config).await?;
    let pool = wish.pool.clone();
    let made = app.create_registration_token(&AdminCaller::command_line(), wish).await;
    drop(app);
    store.close().await;
    let (_, text) = made.map_err(|refusal| of_pool(&refusal, &pool))?;
    say!("{}", text.expose_secret());
    Ok(())
}

async fn list_registration_tokens(pool: &str, config: &Config) -> anyhow::Result<()> {
    let pool = PoolId::parse(pool).context("--pool")?;
    let (app, store) = start(config).await?;
    let tokens = app.registration_tokens(&AdminCaller::command_line(), &pool).await;
    drop(app);
    store.close().await;
    for (token, clients) in tokens.map_err(|refusal| of_pool(&refusal, &pool))? {
        let most = token.clients.map(|most| format!(" of {most}")).unwrap_or_default();
        let end = token.expires_at.to_iso();
        say!("{}  {clients}{most} clients  expires {end}  {}", token.id, token.name);
    }
    Ok(())
}

async fn revoke_registration_token(pool: &str, token: &str, config: &Config) -> anyhow::Result<()> {
    let pool = PoolId::parse(pool).context("--pool")?;
    let id = RegistrationTokenId::parse(token).context("--token")?;
    let (app, store) = start(config).await?;
    let revoked = app.revoke_registration_token(&AdminCaller::command_line(), &pool, &id).await;
    drop(app);
    store.close().await;
    if !revoked.map_err(|refusal| of_pool(&refusal, &pool))? {
        bail!("the pool {pool} has no registration token {id}");
    }
    say!("{id} is revoked.");
    Ok(())
}

/// A refusal of an operation on a pool, worded for the terminal.
fn of_pool(refusal: &Refusal, pool: &PoolId) -> anyhow::Error {
    if refusal.is(Code::PoolUnknown) {
        anyhow::anyhow!("there is no user pool {pool}")
    } else {
        for_terminal(refusal)
    }
}

async fn create_key(
    name: String,
    role: &RoleArguments,
    permissions: &[String],
    expires: Option<&str>,
) -> anyhow::Result<()> {
    let (wanted, pool) = role.read()?;
    let known = |name: &String| {
        let all = || wanted.permissions().iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
        Permission::parse(name)
            .filter(|permission| wanted.may(*permission))
            .with_context(|| format!("{name} is not a permission of the role; use some of {}", all()))
    };
    let permissions = permissions.iter().map(known).collect::<anyhow::Result<Vec<_>>>()?;
    let permissions = Some(permissions).filter(|permissions| !permissions.is_empty());
    let expires_at = expires.map(moment).transpose()?;
    let (app, store) = start(&role.config.read()?).await?;
    let wish = AccessKeyRequest { name, role: wanted, permissions, pool, expires_at };
    let made = app.create_access_key(&AdminCaller::command_line(), wish).await;
    drop(app);
    store.close().await;
    let (_, text) = made.map_err(|refusal| for_terminal(&refusal))?;
    say!("{}", text.expose_secret());
    Ok(())
}

fn calibrate_password(milliseconds: u64) -> anyhow::Result<()> {
    let found = calibrate(Duration::from_millis(milliseconds)).context("passwords cannot be hashed here")?;
    let took = found.time.as_millis();
    if took > u128::from(milliseconds) {
        say!("# One hash takes {took} ms, longer than requested; these are the weakest permitted settings:");
    } else {
        say!("# One hash takes {took} ms and {} MiB of memory.", found.cost.memory_kib() / 1024);
    }
    say!("[limits]");
    say!("password_memory = {}", found.cost.memory_kib());
    say!("password_passes = {}", found.cost.passes());
    Ok(())
}

async fn list_keys(config: &Config) -> anyhow::Result<()> {
    let (app, store) = start(config).await?;
    let keys = all_keys(&app).await;
    drop(app);
    store.close().await;
    for key in keys.map_err(|refusal| for_terminal(&refusal))? {
        let pool = key.scope.map_or_else(|| "all pools".to_owned(), String::from);
        let end = key
            .expires_at
            .map_or_else(|| "never expires".to_owned(), |at| format!("expires {}", at.to_iso()));
        let by = key
            .created_by
            .map_or_else(|| "made by the command line".to_owned(), |user| format!("made by {user}"));
        say!("{}  {:8}  {pool}  {end}  {by}  {}", key.id, key.role.as_str(), key.name);
    }
    Ok(())
}

async fn all_keys(app: &App) -> Result<Vec<AccessKey>, Refusal> {
    let (mut keys, mut page) = (Vec::new(), PageRequest { cursor: None, limit: Some(100) });
    loop {
        let found = app.access_keys(&AdminCaller::command_line(), None, &page).await?;
        keys.extend(found.rows);
        match found.next {
            Some(next) => page.cursor = Some(next),
            None => return Ok(keys),
        }
    }
}

async fn revoke_key(key: &str, config: &Config) -> anyhow::Result<()> {
    let id = AccessKeyId::parse(key).context("--key")?;
    let (app, store) = start(config).await?;
    let revoked = app.revoke_access_key(&AdminCaller::command_line(), &id).await;
    drop(app);
    store.close().await;
    revoked.map_err(|refusal| for_terminal(&refusal))?;
    say!("{id} is revoked.");
    Ok(())
}

async fn create_administrator(username: &str, role: &RoleArguments) -> anyhow::Result<()> {
    let (wanted, pool) = role.read()?;
    let (app, store) = start(&role.config.read()?).await?;
    let roles = vec![PoolRole { pool, role: wanted }];
    let made = app.create_administrator(&AdminCaller::command_line(), username, roles).await;
    drop(app);
    store.close().await;
    let (_, password) = made.map_err(|refusal| for_terminal(&refusal))?;
    say!("{}", password.expose_secret());
    Ok(())
}

async fn login_link(username: &str, config: &Config) -> anyhow::Result<()> {
    let (app, store) = start(config).await?;
    let minutes = app.limits().entry_link_life.as_secs() / 60;
    let made = app.make_entry_link(username).await;
    drop(app);
    store.close().await;
    match made {
        Ok(link) => say!("{}\nIt works once, within {minutes} minutes.", link.expose_secret()),
        Err(refusal) if refusal.is(Code::NoSuchAdministrator) => {
            bail!("there is no administrator {username}")
        }
        Err(refusal) => return Err(for_terminal(&refusal)),
    }
    Ok(())
}

async fn set_status(arguments: &UserArguments, change: StatusChange) -> anyhow::Result<()> {
    let pool = PoolId::parse(&arguments.pool).context("--pool")?;
    let user = UserId::parse(&arguments.user).context("--user")?;
    let (app, store) = start(&arguments.config.read()?).await?;
    let changed = app.change_status(&AdminCaller::command_line(), &pool, &user, change).await;
    drop(app);
    store.close().await;
    match changed {
        Ok(_) => {}
        Err(refusal) if refusal.is(Code::PoolUnknown) => bail!("there is no user pool {pool}"),
        Err(refusal) if refusal.is(Code::UserUnknown) => bail!("the pool {pool} has no user {user}"),
        Err(refusal) => return Err(for_terminal(&refusal)),
    }
    say!("{user} is {}.", if change == StatusChange::Enable { "enabled" } else { "disabled" });
    Ok(())
}
