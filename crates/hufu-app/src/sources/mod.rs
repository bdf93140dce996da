//! Sources of identities: the kinds of connections. Each kind is one module and one row of `kind`. Its
//! module defines the fields, how a login starts, how evidence becomes a [`Proof`], and how a connection can
//! be checked. Which applications may use a kind is in the table of [`ConnectionKind`].

pub(crate) mod availability;
pub(crate) mod field;
pub(crate) mod settings;
pub(crate) mod wechat;

use std::time::Duration;

use futures::future::BoxFuture;
use hufu_store::config::Realms;
use hufu_store::qr_pictures::StoredPicture;
use hufu_types::{
    Application, Connection, ConnectionKind, ConnectionSettings, IdentityKey, IdentityKind, Language,
    OpaqueToken, OpenPlatform, Proof, SettingProblem, TicketKind,
};
use hufu_wechat::Budget;
use serde_json::{Value, json};

use self::wechat::exchange::SpentCode;
use crate::doctor::checks::{ConnectionCheck, Menus, Probe};
use crate::failures::LoginFailure;
use crate::{App, Refusal};

pub(crate) use field::is_wechat_app_id;
pub use field::{Field, Form, Text};

/// Finds the text of a field among the settings of a connection.
pub(crate) type TextOf<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// A kind of connection, as its module defines it.
pub(crate) struct Kind {
    /// The fields, in the order of a form.
    pub(crate) fields: &'static [Field],
    /// How a login starts.
    pub(crate) start: Start,
    /// The realm of this kind of id. None if the source does not issue it.
    pub(crate) realm: fn(TextOf<'_>, &OpenPlatform, IdentityKind) -> Option<String>,
    /// Turns the client's evidence into a proof.
    pub(crate) prove: for<'a> fn(&'a App, Attempt<'a>) -> BoxFuture<'a, Result<Proved<'a>, LoginFailure>>,
    /// How the source is asked whether it serves the app at all.
    pub(crate) probe: Probe,
    /// Where its apps are set up.
    pub(crate) menus: Menus,
    /// Whether its apps have app tokens.
    pub(crate) has_app_tokens: bool,
    /// What can be checked about a connection, in the order in which it is read.
    pub(crate) checks: &'static [ConnectionCheck],
}

/// How a login starts.
pub(crate) enum Start {
    /// A client sends a code that it got from the source.
    Code {
        /// The names that the published clients use for such logins.
        client_names: &'static [&'static str],
        /// The page of a connection's mini program to which a page in its web-view leads, and which opens the web-view
        /// again with a code. `None`: there is none.
        from_web_view: Option<FromWebView>,
    },
    /// The browser is sent to a page of the source, and comes back with a code.
    Redirect {
        /// The address of that page.
        page: fn(&App, &Departure<'_>) -> Result<String, Refusal>,
        /// The browsers in which it is of use.
        browsers: &'static [BrowserKind],
    },
    /// The browser shows a QR code, which a phone scans.
    QrCode(QrCodes),
}

/// What a kind whose clients send codes does for pages in a mini program's web-view.
pub(crate) struct FromWebView {
    /// Whether a connection has a page for that.
    pub(crate) is_there: fn(&Connection) -> bool,
    /// The page, with the state of a login.
    pub(crate) page: fn(&Departure<'_>) -> Result<String, Refusal>,
}

/// Where a login leads a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To this address of the source.
    ToSource(String),
    /// To this page of the mini program in whose web-view it is.
    ToMiniProgram(String),
}

/// Asks WeChat for the picture of a connection's scene that holds so long.
type MakePicture =
    for<'a> fn(&'a App, &'a Connection, &'a str, Duration) -> BoxFuture<'a, Result<StoredPicture, Refusal>>;

/// How a kind shows QR codes.
pub(crate) struct QrCodes {
    /// Who scans them.
    pub(crate) scanned_by: TicketKind,
    /// Whether there is no picture for one login alone, so that followers send a short code instead.
    pub(crate) has_short_codes: fn(&Connection) -> bool,
    /// Asks WeChat for the picture of a scene that holds so long.
    pub(crate) picture: MakePicture,
}

/// How connections of this kind show QR codes. `None` if they do not.
pub(crate) const fn qr_codes(of: ConnectionKind) -> Option<&'static QrCodes> {
    match &kind(of).start {
        Start::QrCode(codes) => Some(codes),
        Start::Code { .. } | Start::Redirect { .. } => None,
    }
}

/// A login for which the browser is about to be sent to a source.
pub(crate) struct Departure<'a> {
    pub(crate) connection: &'a Connection,
    /// What the source brings back, unchanged: letters and digits.
    pub(crate) state: &'a OpaqueToken,
    /// Where the source sends the browser back to.
    pub(crate) callback: &'a str,
    /// The person's language.
    pub(crate) language: Language,
}

/// What kind of browser somebody logs in with, as far as that says which logins work there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserKind {
    /// WeChat's own, on a phone or a computer.
    Wechat,
    /// The same within a mini program: its web-view.
    WebView,
    /// Any other on a phone or a tablet.
    Phone,
    /// Any other.
    Desktop,
}

impl BrowserKind {
    /// Reads a `User-Agent`. `WeCom` names WeChat too, and is another app.
    pub fn of(user_agent: &str) -> Self {
        let has = |mark: &str| user_agent.contains(mark);
        if has("MicroMessenger") && !has("wxwork") {
            if has("miniProgram") { Self::WebView } else { Self::Wechat }
        } else if ["Mobile", "Android", "iPhone", "iPad", "HarmonyOS"].iter().any(|mark| has(mark)) {
            Self::Phone
        } else {
            Self::Desktop
        }
    }

    /// Whether it is WeChat's own, in a mini program or not.
    pub const fn is_wechat(self) -> bool {
        matches!(self, Self::Wechat | Self::WebView)
    }
}

/// The definition of a kind.
pub(crate) const fn kind(kind: ConnectionKind) -> &'static Kind {
    match kind {
        ConnectionKind::WechatMiniProgram => &wechat::mini_program::KIND,
        ConnectionKind::WechatMiniProgramScan => &wechat::mini_program_scan::KIND,
        ConnectionKind::WechatMobile => &wechat::mobile::KIND,
        ConnectionKind::WechatAppLaunch => &wechat::app_launch::KIND,
        ConnectionKind::WechatPc => &wechat::pc::KIND,
        ConnectionKind::WechatWebpage => &wechat::webpage::KIND,
        ConnectionKind::WechatOfficialAccount => &wechat::official_account::KIND,
    }
}

/// The evidence that a client sends to prove who the user is.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The code from `wx.login` or `SendAuth`.
    pub code: &'a str,
    /// Mini programs: encrypted data from `wx.getUserInfo`.
    pub user_info: Option<SealedData<'a>>,
    /// Mini programs: plain data from `wx.getUserInfo`, not proved.
    pub raw_data: Option<&'a str>,
    /// Mini programs: a phone number.
    pub phone: Option<PhoneEvidence<'a>>,
    /// Mini programs: whether the code came in a ticket that belongs to the pool, and not from an app.
    pub is_of_pool: bool,
}

impl<'a> Evidence<'a> {
    /// A code without other evidence.
    pub const fn code(code: &'a str) -> Self {
        Self { code, user_info: None, raw_data: None, phone: None, is_of_pool: false }
    }
}

/// Data that WeChat encrypted with the session key.
#[derive(Clone, Copy)]
pub struct SealedData<'a> {
    /// The initialization vector, base64.
    pub iv: &'a str,
    /// The data, base64.
    pub encrypted_data: &'a str,
}

/// How a phone number is proved.
#[derive(Clone, Copy)]
pub enum PhoneEvidence<'a> {
    /// With the dynamic code of the phone button.
    Code(&'a str),
    /// With the ciphertext of the old phone button.
    Sealed(SealedData<'a>),
}

/// Whether somebody with this proof may log in.
pub(crate) type Permit<'a> = dyn Fn(Proof) -> BoxFuture<'a, Result<(), LoginFailure>> + Sync + 'a;

/// An attempt to prove who a user is.
pub(crate) struct Attempt<'a> {
    pub(crate) application: &'a Application,
    pub(crate) connection: &'a Connection,
    pub(crate) evidence: Evidence<'a>,
    /// The client's address.
    pub(crate) ip: Option<&'a str>,
    /// Refuses a login that would not be permitted, before a single-use code is spent on it.
    pub(crate) permit: &'a Permit<'a>,
    pub(crate) budget: Budget,
}

/// What a source proved, and the code that was spent for it.
pub(crate) struct Proved<'a> {
    pub(crate) proof: Proof,
    pub(crate) code: SpentCode<'a>,
}

/// The fields of a kind, in the order of its form.
pub fn fields(of: ConnectionKind) -> &'static [Field] {
    kind(of).fields
}

/// What is wrong with the values of a kind's fields. `stays` says whether a secret without a value keeps the one that is
/// set.
pub(crate) fn problems(
    of: ConnectionKind,
    values: &field::Values,
    stays: &field::Stays<'_>,
) -> Vec<SettingProblem> {
    let mut found = field::problems(fields(of), values, stays);
    found.extend(problem_together(of, values, stays));
    found
}

/// What is wrong with the values of a kind's fields together, where each by itself is right.
pub(crate) fn problem_together(
    of: ConnectionKind,
    values: &field::Values,
    stays: &field::Stays<'_>,
) -> Option<SettingProblem> {
    match of {
        ConnectionKind::WechatOfficialAccount => wechat::official_account::problem(values, stays),
        _ => None,
    }
}

/// The kinds whose logins the published clients call by this name, for example `wechat`. The first one is meant unless
/// the client names a connection, or the application has none of that kind.
pub fn kinds_by_client_name(client_name: &str) -> Vec<ConnectionKind> {
    let is_called = |of: &&ConnectionKind| names_of(**of).contains(&client_name);
    ConnectionKind::ALL.iter().filter(is_called).copied().collect()
}

/// The names that the published clients use for logins of all kinds.
pub fn client_names_of_kinds() -> impl Iterator<Item = &'static str> {
    let firsts = |of: &ConnectionKind| {
        let of = *of;
        names_of(of).iter().copied().filter(move |name| kinds_by_client_name(name).first() == Some(&of))
    };
    ConnectionKind::ALL.iter().flat_map(firsts)
}

const fn names_of(of: ConnectionKind) -> &'static [&'static str] {
    match kind(of).start {
        Start::Code { client_names, .. } => client_names,
        Start::Redirect { .. } | Start::QrCode(_) => &[],
    }
}

/// The browsers in which a login through a connection starts by leaving the page. None: it starts in another way.
pub fn redirecting_browsers(connection: &Connection) -> &'static [BrowserKind] {
    match &kind(connection.kind).start {
        Start::Redirect { browsers, .. } => browsers,
        Start::Code { from_web_view: Some(way), .. } if (way.is_there)(connection) => &[BrowserKind::WebView],
        Start::Code { .. } | Start::QrCode(_) => &[],
    }
}

/// The JSON Schema (draft 2020-12) of the parts of `[[user_pool.connection]]` in `hufu apply` that depend on
/// the kind.
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

/// The fields of all kinds, as the table in docs/apply.md.
pub fn markdown() -> String {
    let mut table = String::from("| type | field | label | where to find it |\n|---|---|---|---|\n");
    for of in ConnectionKind::ALL {
        field::markdown(of.as_str(), "", fields(*of), &mut table);
    }
    table
}

/// The key of an id that a connection's source issued.
pub(crate) fn identity_key(connection: &Connection, of: IdentityKind, value: &str) -> IdentityKey {
    let Connection { settings, open_platform, .. } = connection;
    let text_of = |field: &str| settings.text(field);
    let realm = (kind(connection.kind).realm)(&text_of, open_platform, of).unwrap_or_default();
    IdentityKey { realm, kind: of, value: value.to_owned() }
}

/// The realms of a connection, for its row.
pub(crate) fn realms(of: ConnectionKind, settings: &ConnectionSettings, platform: &OpenPlatform) -> Realms {
    let (realm, text_of) = (kind(of).realm, |field: &str| settings.text(field));
    Realms {
        own: realm(&text_of, platform, IdentityKind::Openid),
        shared: realm(&text_of, platform, IdentityKind::Unionid),
    }
}

/// Whether a connection's source gives both ids to the same person: one per app, one for all apps of its
/// owner.
pub(crate) fn are_of_one_source(connection: &Connection, one: &IdentityKey, other: &IdentityKey) -> bool {
    let is_own = |key: &IdentityKey| *key == identity_key(connection, key.kind, &key.value);
    one.kind != other.kind && is_own(one) && is_own(other)
}
