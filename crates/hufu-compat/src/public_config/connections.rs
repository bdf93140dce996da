//! The connections of an application, as the clients draw and start them.

use hufu_types::{Connection, ConnectionKind, Identifier};
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
    json!({
        "ecConnections": connections.iter().map(|connection| brief(source, connection)).collect::<Vec<_>>(),
        "socialConnections": connections.iter().map(|connection| social(source, connection)).collect::<Vec<_>>(),
        "qrcodeTabsSettings": qr_tabs(source),
        "qrCodeSortConfig": { "loginMethodsSort": qr_tab_names(source) },
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

/// A connection as Guard draws its button. Those that cannot be used in a browser are hidden there.
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

fn of_tab<'a>(source: &'a Source<'_>, kind: &'a str) -> impl Iterator<Item = &'a &'a Connection> {
    source.connections.iter().filter(move |connection| connection.kind.as_str() == kind)
}

/// The tab with the QR code of a connection of the application.
pub(super) fn qr_tab_of(source: &Source<'_>, identifier: &Identifier) -> Option<&'static str> {
    let connection = source.connections.iter().find(|connection| connection.identifier == *identifier)?;
    QR_TABS.iter().find(|(kind, _)| *kind == connection.kind.as_str()).map(|(_, tab)| *tab)
}

/// The tabs with a QR code that the application has connections for.
pub(super) fn qr_tab_names(source: &Source<'_>) -> Vec<&'static str> {
    let has_one = |(kind, _): &&(&str, &str)| of_tab(source, kind).next().is_some();
    QR_TABS.iter().filter(has_one).map(|(_, tab)| *tab).collect()
}

fn qr_tabs(source: &Source<'_>) -> Map<String, Value> {
    let tab = |(kind, tab): &(&str, &str)| {
        let items = of_tab(source, kind).enumerate().map(|(nth, connection)| {
            json!({ "id": connection.id.as_str(), "title": connection.display_name, "isDefault": nth == 0 })
        });
        ((*tab).to_owned(), items.collect::<Value>())
    };
    QR_TABS.iter().map(tab).collect()
}
