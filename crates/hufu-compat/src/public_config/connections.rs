//! The connections of an application, as the clients draw and start them.

use hufu_types::{Connection, ConnectionKind, Identifier, LoginTab};
use serde_json::{Map, Value, json};

use super::Source;

/// What of the settings of a connection the clients may see: its type, the field, and the clients' names of it. A field
/// that is not here is never shown, whatever it is.
pub(super) const PUBLIC: &[(&str, &str, &[&str])] = &[
    ("wechat:mobile", "app_id", &["appId", "clientID"]),
    ("wechat:miniprogram:app-launch", "mobile_app_id", &["mobileAppID"]),
    ("wechat:miniprogram:app-launch", "original_id", &["originalID"]),
];

/// The types whose QR code is a tab of the login page, and the clients' names of the tabs.
const QR_TABS: [(&str, &str); 2] =
    [("wechatmp-qrcode", "wechatmp-qrcode"), ("wechat:miniprogram:qrconnect", "wechat-miniprogram-qrcode")];

/// The members about connections.
pub(super) fn of(source: &Source<'_>) -> Value {
    let connections = &source.connections;
    let shown = qr_codes(source);
    json!({
        "ecConnections": connections.iter().map(|connection| brief(source, connection)).collect::<Vec<_>>(),
        "socialConnections": connections
            .iter()
            .filter(|connection| qr_tab(connection).is_none())
            .map(|connection| social(source, connection))
            .collect::<Vec<_>>(),
        "qrcodeTabsSettings": qr_tabs(source, &shown),
        // By their ids: to Guard everything else is the QR code of an app.
        "qrCodeSortConfig": { "loginMethodsSort": shown.iter().map(|one| one.id.as_str()).collect::<Vec<_>>() },
    })
}

/// A connection as the mobile SDKs read it.
fn brief(source: &Source<'_>, connection: &Connection) -> Value {
    json!({
        "id": connection.id.as_str(),
        "type": connection.kind.as_str(),
        "provider": "wechat",
        "identifier": connection.identifier.as_str(),
        "displayName": connection.display_name,
        "fields": public_fields(source, connection),
    })
}

fn public_fields(source: &Source<'_>, connection: &Connection) -> Map<String, Value> {
    let of_kind = PUBLIC.iter().filter(|(kind, ..)| *kind == connection.kind.as_str());
    let shown = of_kind.filter_map(|(_, field, names)| Some((names, connection.settings.text(field)?)));
    let shown =
        shown.flat_map(|(names, value)| names.iter().map(move |name| ((*name).to_owned(), value.into())));
    let mut shown: Map<String, Value> = shown.collect();
    if let (ConnectionKind::WechatAppLaunch, Some(original_id)) =
        (connection.kind, source.default_original_id)
    {
        // The connection's own mini program, if it has one.
        shown.entry("originalID").or_insert_with(|| original_id.into());
    }
    shown
}

/// A connection as Guard draws its button. It draws none for most of those that cannot be used in a browser.
fn social(source: &Source<'_>, connection: &Connection) -> Value {
    let name = &connection.display_name;
    json!({
        "id": connection.id.as_str(),
        "provider": connection.kind.as_str(),
        "identifier": connection.identifier.as_str(),
        "name": name,
        "name_en": name,
        "displayName": name,
        "tooltip": { "zh-CN": name, "en-US": name },
        "logo": connection.extras.logo,
        "authorizationUrl": format!("{}/connections/social/{}", source.public_url, connection.identifier),
    })
}

/// The clients' name of the tab with the QR code of such a connection.
fn qr_tab(connection: &Connection) -> Option<&'static str> {
    QR_TABS.iter().find(|(kind, _)| *kind == connection.kind.as_str()).map(|(_, tab)| *tab)
}

/// The tab with the QR code of a connection of the application.
pub(super) fn qr_tab_of(source: &Source<'_>, identifier: &Identifier) -> Option<&'static str> {
    of_identifier(source, identifier).and_then(qr_tab)
}

fn of_identifier<'a>(source: &'a Source<'_>, identifier: &Identifier) -> Option<&'a Connection> {
    source.connections.iter().copied().find(|connection| connection.identifier == *identifier)
}

/// Whether the login page has QR codes.
pub(super) fn shows_qr_codes(source: &Source<'_>) -> bool {
    !qr_codes(source).is_empty()
}

/// The connections whose QR codes are tabs of the login page, in its order. All that have one if the page has none: a
/// page of the application's own may show them.
fn qr_codes<'a>(source: &'a Source<'_>) -> Vec<&'a Connection> {
    let tabs = source.application.login.methods.iter();
    let named = tabs.filter_map(|tab| match tab {
        LoginTab::QrCode(identifier) => of_identifier(source, identifier),
        LoginTab::Form(_) => None,
    });
    let named: Vec<_> = named.filter(|connection| qr_tab(connection).is_some()).collect();
    if named.is_empty() {
        return source
            .connections
            .iter()
            .copied()
            .filter(|connection| qr_tab(connection).is_some())
            .collect();
    }
    named
}

/// What `shown` of QR codes is in each tab. One of each tab is its default.
fn qr_tabs(source: &Source<'_>, shown: &[&Connection]) -> Map<String, Value> {
    let first = source.application.login.default_method.as_ref();
    let tab = |(kind, tab): &(&str, &str)| {
        let of_tab: Vec<_> = shown.iter().filter(|connection| connection.kind.as_str() == *kind).collect();
        let default = of_tab.iter().position(|connection| {
            matches!(first, Some(LoginTab::QrCode(identifier)) if *identifier == connection.identifier)
        });
        let items = of_tab.iter().enumerate().map(|(nth, connection)| {
            let title = &connection.display_name;
            json!({ "id": connection.id.as_str(), "title": title, "isDefault": nth == default.unwrap_or(0) })
        });
        ((*tab).to_owned(), items.collect::<Value>())
    };
    QR_TABS.iter().map(tab).collect()
}
