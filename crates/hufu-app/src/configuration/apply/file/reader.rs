//! Converts tables into domain values.
//!
//! Each function reads its whole table before it gives up, so that all errors are reported together.

use std::collections::HashSet;

use hufu_types::{
    ApplicationId, ApplicationKind, Association, ConnectionKind, Email, Identifier, Language, OpenPlatform,
    Phone, PoolId, SigningAlgorithm, UserId, Username, lifetime,
};
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;

use super::client::{Branded, CLIENT_KEYS, read_branding, read_client};
use super::error::Position;
use super::messages::{read_email, read_sms, read_templates};
use super::scopes::read_scopes;
use super::settings::{read_association, read_extras, read_settings};
use super::table::{Item, Table, Unique, quoted};
use super::{
    ConnectionReference, Desired, DesiredApplication, DesiredConnection, DesiredLifetimes, DesiredPool,
    DesiredUser,
};
use crate::configuration::document::check_label;
use crate::sources::{self, Field, Form, field};

/// The keys of an application beside those of the client.
pub(in crate::configuration::apply) const APPLICATION_KEYS: [&str; 8] =
    ["id", "name", "type", "enabled", "default", "connections", "signing_algorithm", "tokens"];

/// Ids that are unique across pools.
#[derive(Default)]
struct InstanceIds {
    pools: Unique,
    applications: Unique,
    users: Unique,
    resources: Unique,
    files: Unique,
}

pub(super) fn read_file(file: Table<'_>) -> Desired {
    let mut ids = InstanceIds::default();
    let known = [
        "id",
        "name",
        "settings",
        "branding",
        "email",
        "sms",
        "templates",
        "scope",
        "open_platform",
        "connection",
        "application",
        "user",
    ];
    let pools = file.tables("user_pool", "user_pool", "a user pool", &known);
    Desired { pools: pools.into_iter().filter_map(|pool| read_pool(pool, &mut ids)).collect() }
}

fn read_pool(table: Table<'_>, ids: &mut InstanceIds) -> Option<DesiredPool> {
    let id = table.required("id").and_then(|item| {
        let id = item.parse(PoolId::parse)?;
        if id == PoolId::system() {
            item.refuse("the pool `system` is reserved for administrators — choose another id");
            return None;
        }
        item.claim(&mut ids.pools, id.as_str(), &format!("the pool id `{id}`"));
        Some(id)
    });
    let name = table.required("name").and_then(read_label);

    let settings = table.optional("settings").and_then(read_settings);
    let branding = table.optional("branding").and_then(|item| read_branding(item, Branded::Pool));
    let email = table.optional("email").and_then(read_email);
    let sms = table.optional("sms").and_then(read_sms);
    let templates = table.optional("templates").and_then(read_templates);
    let scopes = read_scopes(table);

    let platforms = read_open_platforms(table);
    let mut identifiers = Unique::default();
    let known = [
        "identifier",
        "type",
        "enabled",
        "display_name",
        "login_only",
        "open_platform",
        "association",
        "logo",
        "verification_file",
        "callback",
        "return_user",
        "fields",
    ];
    let connections: Vec<_> = table
        .tables("connection", "user_pool.connection", "a connection", &known)
        .into_iter()
        .filter_map(|connection| {
            read_connection(connection, &mut identifiers, &mut ids.files, platforms.as_deref())
        })
        .collect();

    let known = [&APPLICATION_KEYS[..], &CLIENT_KEYS].concat();
    let mut first_default = None;
    let applications = table
        .tables("application", "user_pool.application", "an application", &known)
        .into_iter()
        .filter_map(|application| read_application(application, ids, &connections, &mut first_default))
        .collect();

    let mut logins = LoginNames::default();
    let known = ["id", "username", "email", "phone", "password", "nickname", "name", "external_id"];
    let users = table
        .tables("user", "user_pool.user", "a user", &known)
        .into_iter()
        .map(|user| read_user(user, ids, &mut logins))
        .collect();

    Some(DesiredPool {
        at: table.at,
        id: id?,
        name: name?,
        settings,
        branding,
        scopes,
        email,
        sms,
        templates,
        connections,
        applications,
        users,
    })
}

/// The Open Platform accounts that the pool declares, so that misspelled references can be detected. `None`
/// if it declares none; connections may then name any.
fn read_open_platforms(table: Table<'_>) -> Option<Vec<Identifier>> {
    let mut taken = Unique::default();
    table.optional("open_platform")?;
    let declared =
        table.tables("open_platform", "user_pool.open_platform", "an Open Platform account", &["name"]);
    let read = |platform: Table<'_>| {
        let item = platform.required("name")?;
        let name = item.parse(Identifier::parse)?;
        item.claim(&mut taken, name.as_str(), &format!("the Open Platform account `{name}`"));
        Some(name)
    };
    Some(declared.into_iter().filter_map(read).collect())
}

fn read_connection(
    table: Table<'_>,
    identifiers: &mut Unique,
    files: &mut Unique,
    platforms: Option<&[Identifier]>,
) -> Option<DesiredConnection> {
    let identifier = table.required("identifier").and_then(|item| {
        let identifier = item.parse(Identifier::parse)?;
        item.claim(identifiers, identifier.as_str(), &format!("the connection identifier `{identifier}`"));
        Some(identifier)
    });
    let kind = table.required("type").and_then(read_connection_kind);
    let display_name = table.optional("display_name").and_then(read_label);
    let enabled = read_enabled(table);
    let login_only = table.optional("login_only").and_then(|item| item.boolean()).unwrap_or(false);
    let open_platform = match table.optional("open_platform") {
        Some(item) => item.parse(Identifier::parse).inspect(|name| {
            if platforms.is_some_and(|declared| !declared.contains(name)) {
                let advice = "correct the name, or declare it as [[user_pool.open_platform]]";
                item.refuse(format!("the user pool declares no Open Platform account `{name}` — {advice}"));
            }
        }),
        None => Identifier::parse(OpenPlatform::DEFAULT).ok(),
    };
    let association = match table.optional("association") {
        Some(item) => read_association(item, kind),
        None => Some(Association::default()),
    };
    let extras = read_extras(table, kind, files);
    let fields = table.required("fields");
    let settings = if let Some(kind) = kind {
        fields.and_then(|item| {
            let values = read_fields(item, "the fields of a connection", sources::fields(kind))?;
            let problem = sources::problem_together(kind, &values, &|_| false);
            problem
                .as_ref()
                .inspect(|problem| item.refuse(format!("`{}`: {}", problem.path, problem.reason)));
            problem.is_none().then_some(values)
        })
    } else {
        fields.inspect(|item| check_values(*item));
        None
    };
    let identifier = identifier?;
    Some(DesiredConnection {
        at: table.at,
        display_name: display_name.unwrap_or_else(|| identifier.to_string()),
        identifier,
        kind: kind?,
        enabled,
        login_only,
        open_platform: OpenPlatform(open_platform?),
        association: association?,
        settings: settings?.into(),
        extras: extras?,
    })
}

/// Whether a connection or an application is switched on. What a file names is, unless it says otherwise.
fn read_enabled(table: Table<'_>) -> bool {
    table.optional("enabled").and_then(|item| item.boolean()).unwrap_or(true)
}

fn read_value(item: Item<'_>, field: &Field) -> Option<Json> {
    let check = |text: &str| field.form.check(text);
    match field.form {
        Form::Flag { .. } => item.boolean().map(Json::Bool),
        Form::Addresses => {
            let read = |item: Item<'_>| item.parse(|text| check(text).map(|()| Json::from(text)));
            let elements: Vec<_> = item.elements().into_iter().map(read).collect();
            elements.into_iter().collect::<Option<Vec<_>>>().map(Json::Array)
        }
        Form::ByLanguage { .. } => {
            let tags: Vec<_> = Language::ALL.iter().map(|language| language.tag()).collect();
            let table = item.table("write { zh-CN = \"…\" }", "a text by language", &tags)?;
            let read = |item: Item<'_>| {
                Some((item.key.to_owned(), item.parse(|text| check(text).map(|()| Json::from(text)))?))
            };
            let texts: Vec<_> = table.items().map(read).collect();
            texts.into_iter().collect::<Option<_>>().map(Json::Object)
        }
        Form::Table(fields) => read_fields(item, "this table", fields).map(Json::Object),
        _ if field.is_removable_secret() => {
            // A file has no null: a secret that is left out stays, and an empty one goes.
            let secret = item.secret(|text| if text.is_empty() { Ok(()) } else { check(text) })?;
            let text = secret.expose_secret();
            Some(if text.is_empty() { Json::Null } else { text.into() })
        }
        _ if field.secret => item.secret(check).map(|secret| secret.expose_secret().into()),
        _ => item.parse(|text| check(text).map(|()| text.into())),
    }
}

/// Used when the kind of a connection is invalid: reports errors in fields that any kind has.
fn check_values(item: Item<'_>) {
    let Some(table) = item.open_table("write a table", "the fields of a connection") else { return };
    let mut seen = Unique::default();
    for field in ConnectionKind::ALL.iter().flat_map(|kind| sources::fields(*kind)) {
        if let Some(item) =
            table.optional(field.name).filter(|item| seen.first(field.name, item.at).is_none())
        {
            read_value(item, field);
        }
    }
}

/// The fields of a connection, as defined by its kind, or of a table in one.
fn read_fields(item: Item<'_>, what: &'static str, fields: &[Field]) -> Option<field::Values> {
    let shown = |field: &Field| match field.form {
        Form::Table(_) => "{ … }",
        _ if field.secret => "…",
        _ => "\"…\"",
    };
    let required = fields.iter().filter(|field| field.required);
    let example: Vec<_> = required.map(|field| format!("{} = {}", field.name, shown(field))).collect();
    let advice = format!("write {{ {} }}", example.join(", "));
    let known: Vec<_> = fields.iter().map(|field| field.name).collect();
    let table = item.table(&advice, what, &known)?;
    let mut values = field::Values::new();
    let mut is_sound = true;
    for field in fields {
        let item = if field.required { table.required(field.name) } else { table.optional(field.name) };
        let Some(item) = item else {
            is_sound &= !field.required;
            continue;
        };
        match read_value(item, field) {
            Some(value) => drop(values.insert(field.name.to_owned(), value)),
            None => is_sound = false,
        }
    }
    field::add_defaults(fields, &mut values);
    is_sound.then_some(values)
}

fn read_application(
    table: Table<'_>,
    ids: &mut InstanceIds,
    in_file: &[DesiredConnection],
    first_default: &mut Option<Position>,
) -> Option<DesiredApplication> {
    let id = table.required("id").and_then(|item| {
        let id = item.parse(ApplicationId::parse)?;
        item.claim(&mut ids.applications, id.as_str(), &format!("the application id `{id}`"));
        Some(id)
    });
    let name = table.required("name").and_then(read_label);
    let kind = table.required("type").and_then(|item| {
        let names = ApplicationKind::ALL.iter().map(|kind| kind.as_str());
        item.choice("application type", &[], ApplicationKind::parse, names)
    });
    let is_default = table.optional("default").is_some_and(|item| {
        let is_default = item.boolean() == Some(true);
        if is_default && let Some(first) = *first_default {
            let reason = "a pool has one default application, and it is already at line";
            item.refuse(format!("{reason} {} — let one of them be the default", first.line));
        } else if is_default {
            *first_default = Some(item.at);
        }
        is_default
    });
    let connections = table.optional("connections").map(|item| read_references(item, kind, in_file));
    let signing_algorithm = table.optional("signing_algorithm").and_then(|item| {
        let names = SigningAlgorithm::ALL.iter().map(|algorithm| algorithm.as_str());
        item.choice("signing algorithm", &[], SigningAlgorithm::parse, names)
    });
    let lifetimes = table.optional("tokens").and_then(read_lifetimes);
    let client = read_client(table);
    if let Some(list) = table.optional("resources").filter(|_| client.resources.is_some()) {
        let mut in_own_list = HashSet::new();
        for item in list.elements() {
            // What an application names twice itself is reported already.
            let resource = item.text().unwrap_or_default();
            if in_own_list.insert(resource) {
                item.claim(&mut ids.resources, resource, &format!("the resource {}", quoted(resource)));
            }
        }
    }
    Some(DesiredApplication {
        at: table.at,
        id: id?,
        name: name?,
        kind: kind?,
        enabled: read_enabled(table),
        is_default,
        connections: connections.unwrap_or_default(),
        signing_algorithm,
        lifetimes: lifetimes.unwrap_or_default(),
        client,
    })
}

/// The connections that an application lists, checked against those of its pool in the file.
fn read_references(
    list: Item<'_>,
    kind: Option<ApplicationKind>,
    in_file: &[DesiredConnection],
) -> Vec<ConnectionReference> {
    let mut named = Unique::default();
    let read = |item: Item<'_>| {
        let identifier = item.parse(Identifier::parse)?;
        if named.first(identifier.as_str(), item.at).is_some() {
            item.refuse(format!("`{identifier}` stands in this list already — name each connection once"));
        }
        let connection = in_file.iter().find(|connection| connection.identifier == identifier);
        if let (Some(kind), Some(connection)) = (kind, connection)
            && !kind.may_use(connection.kind)
        {
            item.refuse(format!(
                "an application of type {} cannot use `{identifier}`, which is {} — take it out of the list",
                kind.as_str(),
                connection.kind.as_str()
            ));
        }
        Some(ConnectionReference { at: item.at, identifier })
    };
    list.elements().into_iter().filter_map(read).collect()
}

fn read_lifetimes(item: Item<'_>) -> Option<DesiredLifetimes> {
    let known = ["user_token", "session", "access_token", "refresh_token"];
    let table = item.table("write [user_pool.application.tokens]", "the tokens of an application", &known)?;
    let duration = |key| table.optional(key).and_then(|item| item.parse(lifetime::parse));
    Some(DesiredLifetimes {
        user_token: duration("user_token"),
        session: duration("session"),
        access_token: duration("access_token"),
        refresh_token: duration("refresh_token"),
    })
}

/// The values that must be unique among the users of a pool.
#[derive(Default)]
struct LoginNames {
    usernames: Unique,
    emails: Unique,
    phones: Unique,
    external_ids: Unique,
}

fn read_user(table: Table<'_>, ids: &mut InstanceIds, logins: &mut LoginNames) -> DesiredUser {
    if ["username", "email", "phone"].iter().all(|key| table.optional(key).is_none()) {
        table.refuse("a user that cannot log in — add `username`, `email` or `phone`");
    }
    // Error messages do not repeat the values, because they are personal data.
    DesiredUser {
        at: table.at,
        id: table.optional("id").and_then(|item| {
            let id = item.parse(UserId::parse)?;
            item.claim(&mut ids.users, id.as_str(), &format!("the user id `{id}`"));
            Some(id)
        }),
        username: table.optional("username").and_then(|item| {
            let username = item.parse(Username::parse)?;
            item.claim(&mut logins.usernames, username.as_str(), "this username");
            Some(username)
        }),
        email: table.optional("email").and_then(|item| {
            let email = item.parse(Email::parse)?;
            item.claim(&mut logins.emails, email.as_str(), "this e-mail address");
            Some(email)
        }),
        phone: table.optional("phone").and_then(|item| {
            let phone = item.parse(Phone::parse)?;
            item.claim(&mut logins.phones, phone.as_str(), "this phone number");
            Some(phone)
        }),
        password: table.optional("password").and_then(|item| item.secret(check_password)),
        nickname: table.optional("nickname").and_then(read_label),
        name: table.optional("name").and_then(read_label),
        external_id: table.optional("external_id").and_then(|item| {
            let external_id = read_label(item)?;
            item.claim(&mut logins.external_ids, &external_id, "this external_id");
            Some(external_id)
        }),
    }
}

fn read_connection_kind(item: Item<'_>) -> Option<ConnectionKind> {
    let text = item.text()?;
    let kind = ConnectionKind::parse(text);
    if kind.is_none() {
        let served = ConnectionKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        item.refuse(format!("unknown connection type {} — this version serves {served}", quoted(text)));
    }
    kind
}

/// Text for display.
fn read_label(item: Item<'_>) -> Option<String> {
    item.parse(|text| check_label(text).map(|()| text.to_owned()))
}

fn check_password(text: &str) -> Result<(), &'static str> {
    if (8..=128).contains(&text.chars().count()) { Ok(()) } else { Err("a password has 8 to 128 characters") }
}
