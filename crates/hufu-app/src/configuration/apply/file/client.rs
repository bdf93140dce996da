//! Reads an application as an OAuth client: its addresses, its secret, its login page and its branding.

use std::collections::BTreeMap;
use std::fmt;

use hufu_types::{
    Access, Branding, ClientSecret, ClientSettings, Grant, Language, LoginControl, LoginMethod, LoginTab,
    PageTheme, RegistrationMethod, SettingProblem, SigningAlgorithm, SubjectType, TokenAuth,
};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::error::Position;
use super::table::{Item, ONLY, Table};
use crate::configuration::applications::key_problem;

/// The keys of an application that describe it as a client.
pub(in crate::configuration::apply) const CLIENT_KEYS: [&str; 34] = [
    "secret",
    "token_auth",
    "jwks_uri",
    "jwks",
    "redirect_uris",
    "logout_redirect_uris",
    "backchannel_logout_uri",
    "frontchannel_logout_uri",
    "allowed_origins",
    "init_login_uri",
    "resources",
    "grants",
    "logo",
    "description",
    "request_uris",
    "subject_type",
    "sector_identifier_uri",
    "userinfo_signed_response_alg",
    "dpop_bound_access_tokens",
    "dpop_nonce_required",
    "client_uri",
    "policy_uri",
    "tos_uri",
    "contacts",
    "response_types",
    "scopes",
    "default_max_age",
    "default_acr_values",
    "request_object_signing_alg",
    "token_auth_signing_alg",
    "software_id",
    "software_version",
    "login",
    "branding",
];

/// The keys that are as clients write them when they register, and how to write them. `""` and `[]` stand for none.
const REGISTERED_KEYS: [(&str, &str); 12] = [
    ("client_uri", "write an address in quotes"),
    ("policy_uri", "write an address in quotes"),
    ("tos_uri", "write an address in quotes"),
    ("contacts", "write a list of texts, such as [\"it@shop.example.com\"]"),
    ("response_types", "write a list of response types, such as [\"code\", \"id_token token\"]"),
    ("scopes", "write a list of texts, such as [\"openid\", \"profile\"]"),
    ("default_max_age", "write a number of seconds, such as 3600"),
    ("default_acr_values", "write a list of texts"),
    ("request_object_signing_alg", "write RS256, PS256, ES256 or EdDSA in quotes"),
    ("token_auth_signing_alg", "write RS256, PS256, ES256 or EdDSA in quotes"),
    ("software_id", "write a text in quotes"),
    ("software_version", "write a text in quotes"),
];

/// The keys of `[user_pool.application.login]`.
pub(super) const LOGIN_KEYS: [&str; 9] = [
    "methods",
    "default_method",
    "registration",
    "merged",
    "mfa",
    "consent",
    "keep_signed_in",
    "agreements",
    "access",
];
/// The keys of `[user_pool.branding]` and `[user_pool.application.branding]`.
pub(super) const BRANDING_KEYS: [&str; 5] = ["title", "logo", "primary_color", "theme", "language"];

/// An application as an OAuth client, as far as the file specifies it. What it leaves out stays as it is.
#[derive(Clone, Default)]
pub struct DesiredClient {
    /// Its secret.
    pub secret: Option<SecretString>,
    /// See [`ClientSettings::token_auth`].
    pub token_auth: Option<TokenAuth>,
    /// See [`ClientSettings::jwks_uri`]. Empty for none.
    pub jwks_uri: Option<String>,
    /// See [`ClientSettings::jwks`]. Without keys for none.
    pub jwks: Option<Value>,
    /// See [`ClientSettings::grants`].
    pub grants: Option<Vec<Grant>>,
    /// See [`ClientSettings::redirect_uris`].
    pub redirect_uris: Option<Vec<String>>,
    /// See [`ClientSettings::logout_redirect_uris`].
    pub logout_redirect_uris: Option<Vec<String>>,
    /// See [`ClientSettings::backchannel_logout_uri`]. Empty for none, as all addresses here.
    pub backchannel_logout_uri: Option<String>,
    /// See [`ClientSettings::frontchannel_logout_uri`].
    pub frontchannel_logout_uri: Option<String>,
    /// See [`ClientSettings::allowed_origins`].
    pub allowed_origins: Option<Vec<String>>,
    /// See [`ClientSettings::init_login_uri`].
    pub init_login_uri: Option<String>,
    /// See [`ClientSettings::resources`].
    pub resources: Option<Vec<String>>,
    /// See [`ClientSettings::logo`].
    pub logo: Option<String>,
    /// See [`ClientSettings::description`].
    pub description: Option<String>,
    /// See [`ClientSettings::request_uris`].
    pub request_uris: Option<Vec<String>>,
    /// See [`ClientSettings::subject_type`].
    pub subject_type: Option<SubjectType>,
    /// See [`ClientSettings::sector_identifier_uri`].
    pub sector_identifier_uri: Option<String>,
    /// See [`ClientSettings::userinfo_signed_response_alg`]. The name of the algorithm, or empty for none.
    pub userinfo_signed_response_alg: Option<String>,
    /// See [`ClientSettings::dpop_bound_access_tokens`].
    pub dpop_bound_access_tokens: Option<bool>,
    /// See [`ClientSettings::dpop_nonce_required`].
    pub dpop_nonce_required: Option<bool>,
    /// The values of [`REGISTERED_KEYS`], each of the right type; null for none.
    registered: Map<String, Value>,
    /// What its login page offers, `[user_pool.application.login]`.
    pub login: Option<LoginControl>,
    /// How its login page looks, `[user_pool.application.branding]`.
    pub branding: Option<Branding>,
    /// Where the keys are in the file, also `login.agreements.N`.
    places: BTreeMap<String, Position>,
}

impl DesiredClient {
    /// Replaces the present settings where the file specifies them.
    #[must_use]
    pub fn over(&self, present: ClientSettings) -> ClientSettings {
        let address = |wanted: &Option<String>, present| match wanted {
            Some(address) => some_text(address.clone()),
            None => present,
        };
        let list = |wanted: &Option<Vec<String>>, present| wanted.clone().unwrap_or(present);
        let jwks = match &self.jwks {
            Some(keys) => Some(keys.clone()).filter(|keys| !has_no_keys(keys)),
            // The keys are at an address now.
            None if self.jwks_uri.as_ref().is_some_and(|uri| !uri.is_empty()) => None,
            None => present.jwks,
        };
        let jwks_uri = match &self.jwks_uri {
            None if self.jwks.is_some() && jwks.is_some() => None,
            wanted => address(wanted, present.jwks_uri),
        };
        let settings = ClientSettings {
            token_auth: self.token_auth.or(present.token_auth),
            jwks_uri,
            jwks,
            grants: self.grants.clone().or(present.grants),
            redirect_uris: list(&self.redirect_uris, present.redirect_uris),
            logout_redirect_uris: list(&self.logout_redirect_uris, present.logout_redirect_uris),
            backchannel_logout_uri: address(&self.backchannel_logout_uri, present.backchannel_logout_uri),
            frontchannel_logout_uri: address(&self.frontchannel_logout_uri, present.frontchannel_logout_uri),
            allowed_origins: list(&self.allowed_origins, present.allowed_origins),
            init_login_uri: address(&self.init_login_uri, present.init_login_uri),
            resources: list(&self.resources, present.resources),
            logo: address(&self.logo, present.logo),
            description: self.description.clone().unwrap_or(present.description),
            request_uris: list(&self.request_uris, present.request_uris),
            subject_type: self.subject_type.unwrap_or(present.subject_type),
            sector_identifier_uri: address(&self.sector_identifier_uri, present.sector_identifier_uri),
            userinfo_signed_response_alg: match &self.userinfo_signed_response_alg {
                Some(name) => SigningAlgorithm::parse(name),
                None => present.userinfo_signed_response_alg,
            },
            dpop_bound_access_tokens: self
                .dpop_bound_access_tokens
                .unwrap_or(present.dpop_bound_access_tokens),
            dpop_nonce_required: self.dpop_nonce_required.unwrap_or(present.dpop_nonce_required),
            // A client that restricted itself when it registered is the file's now.
            response_types: present.response_types.filter(|_| self.grants.is_none()),
            ..present
        };
        with_registered(settings, &self.registered)
    }

    /// Where a key is in the file, if it is there.
    pub(in crate::configuration::apply) fn place_of(&self, path: &str) -> Option<Position> {
        self.places.get(path).copied()
    }
}

impl fmt::Debug for DesiredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.over(ClientSettings::default());
        let Self { login, branding, .. } = self;
        f.debug_struct("DesiredClient")
            .field("settings", &settings)
            .field("login", login)
            .field("branding", branding)
            .finish_non_exhaustive()
    }
}

/// Reads what an application's table says of it as a client. Whether its parts fit together, and fit what the database
/// has, is the planner's to judge.
pub(super) fn read_client(table: Table<'_>) -> DesiredClient {
    let strings =
        |key| table.optional(key).and_then(|item| read_list(item, |item| item.text().map(str::to_owned)));
    let text = |key| table.optional(key).and_then(|item| item.text()).map(str::to_owned);
    let flag = |key| table.optional(key).and_then(|item| item.boolean());
    // What is wrong with them is said where they are read.
    let connections = table.optional("connections").and_then(|item| item.json());
    let connections: Option<Vec<String>> = connections.and_then(|list| serde_json::from_value(list).ok());
    let connections = connections.unwrap_or_default();
    let mut client = DesiredClient {
        secret: table.optional("secret").and_then(|item| item.secret(ClientSecret::check)),
        token_auth: table.optional("token_auth").and_then(|item| {
            let names = TokenAuth::ALL.iter().map(|auth| auth.as_str());
            item.choice("token_auth", &[], TokenAuth::parse, names)
        }),
        jwks_uri: text("jwks_uri"),
        jwks: table.optional("jwks").and_then(read_keys),
        grants: table.optional("grants").and_then(|item| {
            let names = || Grant::ALL.iter().map(|grant| grant.as_str());
            read_list(item, |item| item.choice("grant", &[], Grant::parse, names()))
        }),
        redirect_uris: strings("redirect_uris"),
        logout_redirect_uris: strings("logout_redirect_uris"),
        backchannel_logout_uri: text("backchannel_logout_uri"),
        frontchannel_logout_uri: text("frontchannel_logout_uri"),
        allowed_origins: strings("allowed_origins"),
        init_login_uri: text("init_login_uri"),
        resources: strings("resources"),
        logo: text("logo"),
        description: text("description"),
        request_uris: strings("request_uris"),
        subject_type: table.optional("subject_type").and_then(|item| {
            let names = SubjectType::ALL.iter().map(|kind| kind.as_str());
            item.choice("subject type", &[], SubjectType::parse, names)
        }),
        sector_identifier_uri: text("sector_identifier_uri"),
        userinfo_signed_response_alg: table.optional("userinfo_signed_response_alg").and_then(read_algorithm),
        dpop_bound_access_tokens: flag("dpop_bound_access_tokens"),
        dpop_nonce_required: flag("dpop_nonce_required"),
        registered: read_registered(table),
        login: table.optional("login").and_then(|item| read_login(item, &connections)),
        branding: table.optional("branding").and_then(|item| read_branding(item, Branded::Application)),
        places: BTreeMap::new(),
    };
    let settings = client.over(ClientSettings::default());
    let mut problems = settings.problems();
    problems.extend(key_problem(&settings));
    refuse_all(table, &problems);
    for key in CLIENT_KEYS {
        if let Some(item) = table.optional(key) {
            client.places.insert(key.to_owned(), item.at);
        }
    }
    if let (Some(item), Some(resources)) = (table.optional("resources"), &client.resources) {
        for index in 0..resources.len() {
            let place = item.place_of(&index.to_string());
            client.places.insert(format!("resources.{index}"), place);
        }
    }
    if let (Some(item), Some(login)) = (table.optional("login"), &client.login) {
        for index in 0..login.agreements.len() {
            let path = format!("agreements.{index}");
            client.places.insert(format!("login.{path}"), item.place_of(&path));
        }
    }
    client
}

/// Reads the values of [`REGISTERED_KEYS`].
fn read_registered(table: Table<'_>) -> Map<String, Value> {
    let mut read = Map::new();
    for (key, rule) in REGISTERED_KEYS {
        let Some(item) = table.optional(key) else { continue };
        let Some(value) = item.json() else { continue };
        let is_none = value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty);
        let settings = Map::from_iter([(key.to_owned(), value.clone())]);
        if is_none {
            read.insert(key.to_owned(), Value::Null);
        } else if serde_json::from_value::<ClientSettings>(settings.into()).is_ok() {
            read.insert(key.to_owned(), value);
        } else {
            item.refuse(rule);
        }
    }
    read
}

/// The settings with these values of [`REGISTERED_KEYS`], which have the right types.
fn with_registered(settings: ClientSettings, values: &Map<String, Value>) -> ClientSettings {
    if values.is_empty() {
        return settings;
    }
    let Ok(Value::Object(mut members)) = serde_json::to_value(&settings) else { return settings };
    for (key, value) in values {
        if value.is_null() {
            members.remove(key);
        } else {
            members.insert(key.clone(), value.clone());
        }
    }
    serde_json::from_value(members.into()).unwrap_or(settings)
}

/// Reads the name of an algorithm, or nothing for none.
fn read_algorithm(item: Item<'_>) -> Option<String> {
    let name = item.text()?;
    if !name.is_empty() {
        let names = SigningAlgorithm::ALL.iter().map(|algorithm| algorithm.as_str());
        item.choice("signing algorithm", &[], SigningAlgorithm::parse, names)?;
    }
    Some(name.to_owned())
}

/// Reads a key set.
fn read_keys(item: Item<'_>) -> Option<Value> {
    item.table("write { keys = [ … ] }", "the keys of an application", &["keys"])?;
    item.json()
}

/// Whether the file says that there are no keys.
fn has_no_keys(set: &Value) -> bool {
    set.get("keys").is_none_or(|keys| keys.as_array().is_some_and(Vec::is_empty))
}

/// Reads `[user_pool.application.login]`. Absent keys get their defaults. `connections` are the identifiers of those that
/// the application has.
fn read_login(item: Item<'_>, connections: &[String]) -> Option<LoginControl> {
    let table =
        item.table("write [user_pool.application.login]", "the login of an application", &LOGIN_KEYS)?;
    let defaults = LoginControl::default();
    let flag = |key, default| table.optional(key).and_then(|item| item.boolean()).unwrap_or(default);
    for (_, key, value) in ONLY.iter().filter(|(of, ..)| *of == "login") {
        only(table, key, value, &["optional", "required"]);
    }
    let read_method = |item| read_method(item, connections);
    let methods = table.optional("methods").map(|item| read_list(item, read_method));
    let login = LoginControl {
        default_method: table.optional("default_method").and_then(read_method),
        registration: match table.optional("registration") {
            Some(item) => read_list(item, read_registration).unwrap_or_default(),
            None => defaults.registration,
        },
        merged: flag("merged", defaults.merged),
        consent: flag("consent", defaults.consent),
        keep_signed_in: flag("keep_signed_in", defaults.keep_signed_in),
        agreements: table
            .optional("agreements")
            .and_then(|item| read_list(item, |item| item.text().map(str::to_owned)))
            .unwrap_or_default(),
        access: table.optional("access").and_then(read_access).unwrap_or_default(),
        methods: match &methods {
            Some(methods) => methods.clone().unwrap_or_default(),
            None => defaults.methods,
        },
    };
    // If a method could not be read, nothing can be said of the default.
    let is_read = methods.is_none_or(|methods| methods.is_some());
    let mut problems = login.problems();
    problems.retain(|problem| is_read || problem.path != "default_method");
    refuse_all(table, &problems);
    Some(login)
}

/// A form, or a connection of the application. Whether that shows a QR code is the planner's to judge.
fn read_method(item: Item<'_>, connections: &[String]) -> Option<LoginTab> {
    if let Some(tab) = item.quiet_text().filter(|text| connections.iter().any(|one| one == text)) {
        return LoginTab::parse(tab);
    }
    let names = LoginMethod::ALL.iter().map(|method| method.as_str());
    item.choice("login method", &[], LoginMethod::parse, names).map(LoginTab::Form)
}

fn read_access(item: Item<'_>) -> Option<Access> {
    item.choice("access", &[], Access::parse, Access::ALL.iter().map(|access| access.as_str()))
}

fn read_registration(item: Item<'_>) -> Option<RegistrationMethod> {
    let names = RegistrationMethod::ALL.iter().map(|method| method.as_str());
    item.choice("way to register", &[], RegistrationMethod::parse, names)
}

/// What a table of branding is for.
#[derive(Clone, Copy)]
pub(super) enum Branded {
    Pool,
    Application,
}

/// Reads `[user_pool.branding]` or `[user_pool.application.branding]`. Absent keys get their defaults.
pub(super) fn read_branding(item: Item<'_>, of: Branded) -> Option<Branding> {
    let (advice, what) = match of {
        Branded::Pool => ("write [user_pool.branding]", "the branding of a user pool"),
        Branded::Application => ("write [user_pool.application.branding]", "the branding of an application"),
    };
    let table = item.table(advice, what, &BRANDING_KEYS)?;
    let text =
        |key| table.optional(key).and_then(|item| item.text()).and_then(|text| some_text(text.to_owned()));
    let branding = Branding {
        title: table
            .optional("title")
            .and_then(|item| read_title(item, "the title of a login page"))
            .unwrap_or_default(),
        logo: text("logo"),
        primary_color: text("primary_color"),
        theme: table.optional("theme").and_then(|item| {
            let names = PageTheme::ALL.iter().map(|theme| theme.as_str());
            item.choice("theme", &[], PageTheme::parse, names)
        }),
        language: text("language"),
    };
    refuse_all(table, &branding.problems());
    Some(branding)
}

pub(super) fn read_title(item: Item<'_>, what: &'static str) -> Option<BTreeMap<String, String>> {
    let tags = Language::ALL.map(Language::tag);
    let table = item.table("write { en = \"…\" }", what, &tags)?;
    let titles = tags.into_iter().filter_map(|tag| {
        let title = table.optional(tag)?.text()?;
        Some((tag.to_owned(), title.to_owned()))
    });
    Some(titles.collect())
}

/// The elements of a list; `None` if one of them is not valid, so that the others keep their places.
fn read_list<'a, T>(item: Item<'a>, read: impl Fn(Item<'a>) -> Option<T>) -> Option<Vec<T>> {
    let elements = item.elements();
    let values: Vec<_> = elements.into_iter().map(read).collect();
    values.into_iter().collect()
}

/// A key that has a single value for now.
fn only(table: Table<'_>, key: &'static str, value: &'static str, later: &[&str]) {
    let parse: fn(&str) -> Option<()> = |_| None;
    if let Some(item) = table.optional(key).filter(|item| item.text() != Some(value)) {
        item.choice(key, later, parse, std::iter::once(value));
    }
}

fn some_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn refuse_all(table: Table<'_>, problems: &[SettingProblem]) {
    for SettingProblem { path, reason } in problems {
        table.refuse_within(path, reason);
    }
}
