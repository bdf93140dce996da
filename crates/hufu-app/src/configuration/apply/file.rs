//! The declarative file of `hufu apply`: pools, their connections, applications
//! and users in TOML.
//!
//! Reading it decides nothing about the database. It turns the text into values
//! of the domain, or into a list of everything that is wrong with it, each with
//! its place. Secrets stand in the file or in the environment; neither reaches
//! an error message or debug output.

mod error;
mod messages;
mod reader;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use hufu_connect::{MailSettings, SmsSettings, Templates};
use hufu_types::{
    ApplicationId, ApplicationKind, Association, ConnectionKind, ConnectionSettings, Email, Identifier,
    OpenPlatform, Phone, PoolId, PoolSettings, SigningAlgorithm, TokenLifetimes, UserId, Username,
};
use secrecy::SecretString;
use toml::de::DeTable;

pub use self::error::{FileError, FileErrors, Position};
pub use self::messages::DesiredSender;
use self::table::{Source, Table};

/// What the file wants there to be.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The pools, in the order of the file.
    pub pools: Vec<DesiredPool>,
}

/// A pool, `[[user_pool]]`.
#[derive(Clone, Debug)]
pub struct DesiredPool {
    /// Where it stands.
    pub at: Position,
    /// The id; unique in the file.
    pub id: PoolId,
    /// The name.
    pub name: String,
    /// What it decides for its people, `[user_pool.settings]`; left as it is where the file has none.
    pub settings: Option<PoolSettings>,
    /// How it sends e-mail, `[user_pool.email]`.
    pub email: Option<DesiredSender<MailSettings>>,
    /// How it sends text messages, `[user_pool.sms]`.
    pub sms: Option<DesiredSender<SmsSettings>>,
    /// The texts that it replaces, `[user_pool.templates.…]`.
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
    /// Where it stands.
    pub at: Position,
    /// The identifier; unique in its pool.
    pub identifier: Identifier,
    /// The login mode.
    pub kind: ConnectionKind,
    /// The text of its login button; the identifier where the file has none.
    pub display_name: String,
    /// Whether strangers are refused.
    pub login_only: bool,
    /// Where its UnionIDs are unique.
    pub open_platform: OpenPlatform,
    /// How first logins find their account.
    pub association: Association,
    /// The values of its kind's fields.
    pub settings: ConnectionSettings,
}

/// An application, `[[user_pool.application]]`.
#[derive(Clone, Debug)]
pub struct DesiredApplication {
    /// Where it stands.
    pub at: Position,
    /// The id; unique in the file.
    pub id: ApplicationId,
    /// The name.
    pub name: String,
    /// What kind of program it is.
    pub kind: ApplicationKind,
    /// Serves clients that name only the pool; at most one of a pool.
    pub is_default: bool,
    /// The connections switched on for it, in order, each once.
    pub connections: Vec<ConnectionReference>,
    /// How its tokens are signed, if the file says.
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// How long its tokens live, as far as the file says.
    pub lifetimes: DesiredLifetimes,
}

/// A connection that an application names. Whether it exists is for the planner
/// to find out: the file may leave it to the database.
#[derive(Clone, Debug)]
pub struct ConnectionReference {
    /// Where it is named.
    pub at: Position,
    /// The connection's identifier.
    pub identifier: Identifier,
}

/// The token lifetimes that the file names, `[user_pool.application.tokens]`.
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
    /// What is named, and the rest from what there is.
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

/// A user, `[[user_pool.user]]`; has a username, an e-mail address or a phone.
#[derive(Clone, Debug)]
pub struct DesiredUser {
    /// Where it stands.
    pub at: Position,
    /// The id, if the file gives one; unique in the file, as `sub` is in the instance.
    pub id: Option<UserId>,
    /// Login name; unique in the pool.
    pub username: Option<Username>,
    /// Login e-mail address; unique in the pool.
    pub email: Option<Email>,
    /// Login phone number; unique in the pool.
    pub phone: Option<Phone>,
    /// The first password: 8 to 128 characters.
    pub password: Option<SecretString>,
    /// The name the person is shown by.
    pub nickname: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// The id in the owner's original system; unique in the pool.
    pub external_id: Option<String>,
}

/// Reads a file. `file_name` is how messages call it, and `environment` looks
/// up the variables that secrets name.
///
/// # Errors
/// [`FileErrors`] names everything that is wrong. Where the text is not TOML,
/// that is all it names, one error a line: the rest cannot be told apart.
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
        // The parser recovers as it can, and one slip makes several errors in a
        // line. The library's own display would quote the line, secrets and all.
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

/// The parser's messages are fixed texts: they quote nothing of the file.
fn syntax_reason(message: &str) -> String {
    match message {
        "duplicate key" => "this key or table is there already — keep one of the two".to_owned(),
        _ => format!("not TOML: {message} — correct the syntax here"),
    }
}
