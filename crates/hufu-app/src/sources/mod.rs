//! Where people come from: the kinds of connections. Each kind is one module and one row of `kind`. It answers five
//! questions: what are its fields, which applications may use it (the table of [`ConnectionKind`]), how does a login
//! start, how does what came back become a [`Proof`], and what can be checked about a connection.

mod field;
pub(crate) mod settings;
pub(crate) mod wechat;

use async_recursion::async_recursion as boxed;
use std::fmt::Write as _;
use std::sync::Arc;

use futures::future::BoxFuture;
use hufu_store::config::Realms;
use hufu_types::resolution::Rules;
use hufu_types::{
    Application, Connection, ConnectionKind, ConnectionSettings, IdentityKey, IdentityKind, OpenPlatform,
    Proof,
};
use hufu_wechat::Budget;
use serde_json::{Value, json};

use self::wechat::exchange::SpentCode;
use crate::failures::LoginFailure;
use crate::{App, Refusal};

pub(crate) use field::is_wechat_app_id;
pub use field::{Field, Form, Text};

/// A kind of connection, as its module describes it.
pub(crate) struct Kind {
    /// The fields, in the order of a form.
    pub(crate) fields: &'static [Field],
    /// How a login starts.
    pub(crate) start: Start,
    /// The realm of the ids of a kind that the source gives, where it gives such.
    pub(crate) realm: fn(&ConnectionSettings, &OpenPlatform, IdentityKind) -> Option<String>,
    /// Turns what a client brought into a proof.
    pub(crate) prove: for<'a> fn(&'a App, Attempt<'a>) -> BoxFuture<'a, Result<Proved<'a>, LoginFailure>>,
    /// Checks a connection against the source.
    pub(crate) check: for<'a> fn(&'a App, &'a Connection) -> BoxFuture<'a, Vec<Finding>>,
}

/// How a login starts.
pub(crate) enum Start {
    /// A client hands in a code that it drew itself.
    Code {
        /// What the published clients call such logins.
        client_names: &'static [&'static str],
    },
}

/// The kinds, by name.
pub(crate) const fn kind(kind: ConnectionKind) -> &'static Kind {
    match kind {
        ConnectionKind::WechatMiniProgram => &wechat::mini_program::KIND,
        ConnectionKind::WechatMobile => &wechat::mobile::KIND,
    }
}

/// What a client brings to prove who its person is.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// What `wx.login` or `SendAuth` gave.
    pub code: &'a str,
    /// Mini programs: what `wx.getUserInfo` gave, sealed.
    pub user_info: Option<SealedData<'a>>,
    /// Mini programs: what `wx.getUserInfo` gave, plain and unproved.
    pub raw_data: Option<&'a str>,
    /// Mini programs: a phone number.
    pub phone: Option<PhoneEvidence<'a>>,
}

impl<'a> Evidence<'a> {
    /// A code and nothing else.
    pub const fn code(code: &'a str) -> Self {
        Self { code, user_info: None, raw_data: None, phone: None }
    }
}

/// Data that WeChat sealed with the session key.
#[derive(Clone, Copy)]
pub struct SealedData<'a> {
    /// The initial vector, base64.
    pub iv: &'a str,
    /// The data, base64.
    pub encrypted_data: &'a str,
}

/// How a phone number is proved.
#[derive(Clone, Copy)]
pub enum PhoneEvidence<'a> {
    /// By the dynamic code of the phone button.
    Code(&'a str),
    /// By the ciphertext of the old phone button.
    Sealed(SealedData<'a>),
}

/// An attempt to prove who a person is.
pub(crate) struct Attempt<'a> {
    pub(crate) application: &'a Application,
    pub(crate) connection: &'a Connection,
    pub(crate) evidence: Evidence<'a>,
    /// What may come of it: a phone code is spent only where the login itself is permitted.
    pub(crate) rules: Rules,
    pub(crate) budget: Budget,
}

/// What a source proved, and the code that was spent for it.
pub(crate) struct Proved<'a> {
    pub(crate) proof: Proof,
    pub(crate) code: SpentCode<'a>,
}

/// What a check of a connection found.
#[derive(Debug)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// What is wrong, if anything is.
    pub fault: Option<Refusal>,
}

/// Something that can be checked about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Whether the source accepts the id and the secret of the app.
    Credentials,
}

/// The fields of a kind, in the order of its form.
pub fn fields(of: ConnectionKind) -> &'static [Field] {
    kind(of).fields
}

/// The kind whose logins the published clients call by this name, such as `wechat`.
pub fn kind_by_client_name(client_name: &str) -> Option<ConnectionKind> {
    let is_called = |of: &&ConnectionKind| match kind(**of).start {
        Start::Code { client_names } => client_names.contains(&client_name),
    };
    ConnectionKind::ALL.iter().find(is_called).copied()
}

/// What the published clients call logins, of all kinds.
pub fn client_names_of_kinds() -> impl Iterator<Item = &'static str> {
    ConnectionKind::ALL
        .iter()
        .flat_map(|of| match kind(*of).start {
            Start::Code { client_names } => client_names,
        })
        .copied()
}

/// The `[[user_pool.connection]]` of `hufu apply` as JSON Schema (draft 2020-12), as far as it depends on the kind.
pub fn json_schema() -> Value {
    let of_kind = |of: &ConnectionKind| {
        json!({
            "properties": { "type": { "const": of.as_str() }, "fields": field::json_schema(fields(*of)) },
            "required": ["type", "fields"],
        })
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A connection of hufu apply",
        "type": "object",
        "oneOf": ConnectionKind::ALL.iter().map(of_kind).collect::<Vec<_>>(),
    })
}

/// The fields of all kinds as the table of docs/apply.md.
pub fn markdown() -> String {
    let mut table = String::from("| type | field | label | where to find it |\n|---|---|---|---|\n");
    for of in ConnectionKind::ALL {
        for Field { name, form, secret, required, label, hint } in fields(*of) {
            let name = if *required { format!("**`{name}`**") } else { format!("`{name}`") };
            let secret = if *secret { ", a secret" } else { "" };
            let _ = writeln!(
                table,
                "| `{}` | {name}{secret}: {} | {} | {} ({}) |",
                of.as_str(),
                form.rule(),
                label.en,
                hint.en,
                hint.zh
            );
        }
    }
    table
}

/// The name of a required field that the settings lack, if there is one.
pub(crate) fn missing_field(of: ConnectionKind, settings: &ConnectionSettings) -> Option<&'static str> {
    fields(of)
        .iter()
        .find(|field| field.required && settings.get(field.name).is_none())
        .map(|field| field.name)
}

/// The key of an id that the source behind a connection gives to a person.
pub(crate) fn identity_key(connection: &Connection, of: IdentityKind, value: &str) -> IdentityKey {
    let Connection { settings, open_platform, .. } = connection;
    let realm = (kind(connection.kind).realm)(settings, open_platform, of).unwrap_or_default();
    IdentityKey { realm, kind: of, value: value.to_owned() }
}

/// The realms of a connection, for its row.
pub(crate) fn realms(of: ConnectionKind, settings: &ConnectionSettings, platform: &OpenPlatform) -> Realms {
    let realm = kind(of).realm;
    Realms {
        own: realm(settings, platform, IdentityKind::Openid),
        shared: realm(settings, platform, IdentityKind::Unionid),
    }
}

/// Whether a connection's source gives both ids to one person: one of the app and one of all apps of its owner.
pub(crate) fn are_of_one_source(connection: &Connection, one: &IdentityKey, other: &IdentityKey) -> bool {
    let is_own = |key: &IdentityKey| *key == identity_key(connection, key.kind, &key.value);
    one.kind != other.kind && is_own(one) && is_own(other)
}

impl App {
    /// Checks a connection against its source: for whoever configures it. The calls cost the app's own quota.
    #[boxed]
    pub async fn check_connection(&self, connection: &Arc<Connection>) -> Vec<Finding> {
        (kind(connection.kind).check)(self, connection).await
    }
}
