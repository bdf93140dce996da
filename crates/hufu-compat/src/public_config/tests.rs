//! What everybody may read holds no secret, whatever the kind of connection.

use hufu_app::sources;
use hufu_types::{
    ApplicationId, ApplicationKind, Association, Branding, ClientSettings, ConnectionId, ConnectionKind,
    ConnectionSettings, Identifier, LoginControl, OpenPlatform, PoolId, SigningAlgorithm, TokenLifetimes,
};

use super::*;

const ID: &str = "6560c0ffee00000000000009";

/// A connection with a marker in every field, also in those that do not exist.
fn connection(kind: ConnectionKind) -> Connection {
    let mut settings = ConnectionSettings::default();
    let known = sources::fields(kind).iter().map(|field| field.name);
    for name in known.chain(["app_secret", "token", "aes_key", "relay", "welcome", "of_a_later_version"]) {
        let value = json!({ "url": format!("MARK-{name}"), "token": format!("MARK-{name}") });
        let is_table = matches!(name, "relay" | "welcome");
        settings.set(name, if is_table { value } else { format!("MARK-{name}").into() });
    }
    Connection {
        id: ConnectionId::parse(ID).unwrap(),
        pool: PoolId::parse(ID).unwrap(),
        identifier: Identifier::parse("some").unwrap(),
        kind,
        display_name: "Some".to_owned(),
        login_only: false,
        enabled: true,
        open_platform: OpenPlatform(Identifier::parse("default").unwrap()),
        association: Association::default().into(),
        settings: settings.into(),
        extras: hufu_types::ConnectionExtras::default().into(),
    }
}

fn application() -> Application {
    Application {
        id: ApplicationId::parse(ID).unwrap(),
        pool: PoolId::parse(ID).unwrap(),
        name: "Some".to_owned(),
        kind: ApplicationKind::Native,
        is_default: false,
        position: 0,
        enabled: true,
        connections: Vec::new(),
        signing_algorithm: SigningAlgorithm::Es256,
        lifetimes: TokenLifetimes::default(),
        client: ClientSettings::default().into(),
        secrets: Vec::new(),
        login: LoginControl::default().into(),
        branding: Branding::default().into(),
    }
}

#[test]
fn no_setting_of_a_connection_is_public_but_those_that_are_listed() {
    let application = application();
    for kind in ConnectionKind::ALL {
        let connection = connection(*kind);
        let source = Source {
            application: &application,
            pool_name: "Some",
            settings: &PoolSettings::default(),
            connections: vec![&connection],
            public_url: "https://id.example.com",
            public_key: "key",
            default_original_id: None,
            tells_codes_apart: false,
        };
        let text = Value::from(source.describe()).to_string();
        let shown = text.split("MARK-").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
        for field in shown {
            let is_listed =
                connections::PUBLIC.iter().any(|(of, name, _)| *of == kind.as_str() && *name == field);
            assert!(is_listed, "{} {field}", kind.as_str());
        }
    }
}

#[test]
fn what_is_public_is_no_secret() {
    for (kind, name, _) in connections::PUBLIC {
        let Some(kind) = ConnectionKind::parse(kind) else { continue };
        let field = sources::fields(kind).iter().find(|field| field.name == *name);
        assert!(field.is_some_and(|field| !field.secret), "{} {name}", kind.as_str());
    }
}
