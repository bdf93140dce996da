//! The declarative file of `hufu apply`: pools with their connections, applications and users, in TOML.
//!
//! Reading the file does not involve the database. It turns the text into domain values, or into a list of
//! everything that is wrong with it, each with its position. Secrets come from the file or from the
//! environment; they never reach an error message or debug output.

mod client;
mod error;
mod messages;
mod reader;
mod scopes;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use hufu_connect::{MailSettings, SmsSettings, Templates};
use hufu_types::{
    ApplicationId, ApplicationKind, Association, Branding, ConnectionExtras, ConnectionKind,
    ConnectionSettings, Email, Identifier, OpenPlatform, Phone, PoolId, PoolSettings, SigningAlgorithm,
    TokenLifetimes, UserId, Username,
};
use secrecy::SecretString;
use toml::de::DeTable;

pub(super) use self::client::CLIENT_KEYS;
pub use self::client::DesiredClient;
pub use self::error::{FileError, FileErrors, Position};
pub use self::messages::DesiredSender;
pub(super) use self::messages::SECRETS as SENDER_SECRETS;
pub(super) use self::reader::APPLICATION_KEYS;
pub use self::scopes::DesiredScope;
pub(in crate::configuration) use self::table::{NOT_YET, ONLY, nearest};
use self::table::{Source, Table};

/// The state that the file describes.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The pools, in the order of the file.
    pub pools: Vec<DesiredPool>,
}

/// A pool, `[[user_pool]]`.
#[derive(Clone, Debug)]
pub struct DesiredPool {
    /// Its position in the file.
    pub at: Position,
    /// The id, unique in the file.
    pub id: PoolId,
    /// The name.
    pub name: String,
    /// The settings, `[user_pool.settings]`. Left unchanged if the file has none. They are without the scopes
    /// and the branding.
    pub settings: Option<PoolSettings>,
    /// How the hosted pages look, `[user_pool.branding]`. Left unchanged if the file has none.
    pub branding: Option<Branding>,
    /// The scopes, `[[user_pool.scope]]`, in the order of the file.
    pub scopes: Vec<DesiredScope>,
    /// How it sends e-mail, `[user_pool.email]`.
    pub email: Option<DesiredSender<MailSettings>>,
    /// How it sends text messages, `[user_pool.sms]`.
    pub sms: Option<DesiredSender<SmsSettings>>,
    /// The message texts that it overrides, `[user_pool.templates.…]`.
    pub templates: Option<Templates>,
    /// The connections, in the order of the file.
    pub connections: Vec<DesiredConnection>,
    /// The applications, in the order of the file.
    pub applications: Vec<DesiredApplication>,
    /// The users, in the order of the file.
    pub users: Vec<DesiredUser>,
}

/// A connection, `[[user_pool.connection]]`.
#[derive(Clone, Debug)]
pub struct DesiredConnection {
    /// Its position in the file.
    pub at: Position,
    /// The identifier, unique in its pool.
    pub identifier: Identifier,
    /// The login mode.
    pub kind: ConnectionKind,
    /// Whether it is switched on. Defaults to `true`.
    pub enabled: bool,
    /// The label of its login button. Defaults to the identifier.
    pub display_name: String,
    /// Whether unknown people are refused.
    pub login_only: bool,
    /// The scope in which its UnionIDs are unique.
    pub open_platform: OpenPlatform,
    /// How a first login finds its account.
    pub association: Association,
    /// The values of the kind's fields.
    pub settings: ConnectionSettings,
    /// What it has besides them.
    pub extras: ConnectionExtras,
}

/// An application, `[[user_pool.application]]`.
#[derive(Clone, Debug)]
pub struct DesiredApplication {
    /// Its position in the file.
    pub at: Position,
    /// The id, unique in the file.
    pub id: ApplicationId,
    /// The name.
    pub name: String,
    /// The type of program.
    pub kind: ApplicationKind,
    /// Whether it is switched on. Defaults to `true`.
    pub enabled: bool,
    /// Serves clients that name only the pool. At most one per pool.
    pub is_default: bool,
    /// The connections enabled for it, in order and without duplicates.
    pub connections: Vec<ConnectionReference>,
    /// How its tokens are signed, if specified.
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// The lifetimes of its tokens, where specified.
    pub lifetimes: DesiredLifetimes,
    /// The application as an OAuth client, where specified.
    pub client: DesiredClient,
}

/// A connection named by an application. The planner checks whether it exists, because it may be in the
/// database only.
#[derive(Clone, Debug)]
pub struct ConnectionReference {
    /// The position of the reference in the file.
    pub at: Position,
    /// The connection's identifier.
    pub identifier: Identifier,
}

/// The token lifetimes that the file specifies, `[user_pool.application.tokens]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DesiredLifetimes {
    /// See [`TokenLifetimes::user_token`].
    pub user_token: Option<Duration>,
    /// See [`TokenLifetimes::session`].
    pub session: Option<Duration>,
    /// See [`TokenLifetimes::access_token`].
    pub access_token: Option<Duration>,
    /// See [`TokenLifetimes::refresh_token`].
    pub refresh_token: Option<Duration>,
}

impl DesiredLifetimes {
    /// Replaces the present lifetimes where the file specifies one.
    #[must_use]
    pub fn over(self, present: TokenLifetimes) -> TokenLifetimes {
        TokenLifetimes {
            user_token: self.user_token.unwrap_or(present.user_token),
            session: self.session.unwrap_or(present.session),
            access_token: self.access_token.unwrap_or(present.access_token),
            refresh_token: self.refresh_token.unwrap_or(present.refresh_token),
        }
    }
}

/// A user, `[[user_pool.user]]`, with a username, an e-mail address or a phone number.
#[derive(Clone, Debug)]
pub struct DesiredUser {
    /// Its position in the file.
    pub at: Position,
    /// The id, if the file gives one. Unique in the file, because `sub` is unique in the instance.
    pub id: Option<UserId>,
    /// The login name, unique in the pool.
    pub username: Option<Username>,
    /// The login e-mail address, unique in the pool.
    pub email: Option<Email>,
    /// The login phone number, unique in the pool.
    pub phone: Option<Phone>,
    /// The initial password: 8 to 128 characters.
    pub password: Option<SecretString>,
    /// The display name.
    pub nickname: Option<String>,
    /// The full name.
    pub name: Option<String>,
    /// The user's id in the operator's original system, unique in the pool.
    pub external_id: Option<String>,
}

/// Reads a file. `file_name` is used in error messages, and `environment` looks up the variables that secrets
/// refer to.
///
/// # Errors [`FileErrors`] lists everything that is wrong. If the text is not valid TOML, it only lists the
/// syntax errors, one per line of the file, because the content cannot be checked then.
pub fn read(
    text: &str,
    file_name: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Desired, FileErrors> {
    let source = Source::new(text, environment);
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    let mut desired = Desired { pools: Vec::new() };
    if syntax_errors.is_empty() {
        let start = Position { line: 1, column: 1 };
        desired =
            reader::read_file(Table::new(&source, start, document.get_ref(), "the file", &["user_pool"]));
    } else {
        // The parser recovers where it can, and one slip may cause several errors in a line. The library's
        // own display would quote the line, including secrets.
        let mut lines = HashSet::new();
        for error in syntax_errors {
            let at = source.position(error.span().map_or(0, |span| span.start));
            if lines.insert(at.line) {
                source.refuse(at, syntax_reason(error.message()));
            }
        }
    }
    match source.into_errors() {
        errors if errors.is_empty() => Ok(desired),
        errors => Err(FileErrors::new(file_name, errors)),
    }
}

/// The parser's messages are fixed texts that quote nothing from the file.
fn syntax_reason(message: &str) -> String {
    match message {
        "duplicate key" => "this key or table is there already — keep one of the two".to_owned(),
        _ => format!("not TOML: {message} — correct the syntax here"),
    }
}
