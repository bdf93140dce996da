//! Identities of a row: ids at a source, through a connection of the pool.

use std::sync::Arc;

use hufu_store::identities::NewIdentity;
use hufu_types::{Connection, IdentityKind, IdpUserInfo, Timestamp};
use serde_json::{Value, json};

use super::fields;
use super::reader::Fields;
use crate::Limits;
use crate::sources::identity_key;

/// The maximum length of an OpenID or UnionID, in bytes. WeChat's have 28.
const LONGEST_VALUE: usize = 128;
/// The maximum number of identities per user.
const MAX_IDENTITIES: usize = 64;

/// Takes the identities out of a row: the list `identities`, and the fields `openid` and `unionid`.
pub(super) fn read(
    row: &mut Fields,
    sources: &[Arc<Connection>],
    created_at: Timestamp,
    limits: &Limits,
) -> Result<Vec<NewIdentity>, String> {
    let mut all: Vec<NewIdentity> = Vec::new();
    match fields::take(row, &["identities"]).map(fields::document) {
        None => {}
        Some(Some(Value::Array(listed))) => {
            for identity in listed {
                let Value::Object(identity) = identity else {
                    return Err("identities: one of them is no JSON object".to_owned());
                };
                all.push(listed_identity(identity, sources, created_at, limits)?);
            }
        }
        Some(_) => return Err("identities: it is no JSON list".to_owned()),
    }
    let connection = fields::text(row, &["connection"])?;
    let values = [
        (IdentityKind::Openid, fields::text(row, &["openid"])?),
        (IdentityKind::Unionid, fields::text(row, &["unionid"])?),
    ];
    for (kind, value) in values {
        let Some(value) = value else { continue };
        let source =
            source(sources, connection.as_deref()).map_err(|reason| format!("connection: {reason}"))?;
        let key = identity_key(
            source,
            kind,
            checked(&value).map_err(|reason| format!("{}: {reason}", kind.as_str()))?,
        );
        let user_info = IdpUserInfo::default();
        all.push(NewIdentity { connection: source.id.clone(), key, created_at, user_info });
    }
    // Two connections of one Open Platform account have the same UnionID.
    let mut kept: Vec<NewIdentity> = Vec::with_capacity(all.len());
    for identity in all {
        if kept.iter().all(|other| other.key != identity.key) {
            kept.push(identity);
        }
    }
    if kept.len() > MAX_IDENTITIES {
        return Err(format!("identities: more than {MAX_IDENTITIES}"));
    }
    Ok(kept)
}

/// One entry of the list: `{connection, type, value}`, or in the format of the published clients
/// `{extIdpId, type, userIdInIdp, userInfoInIdp, originConnIds}`.
fn listed_identity(
    mut identity: Fields,
    sources: &[Arc<Connection>],
    created_at: Timestamp,
    limits: &Limits,
) -> Result<NewIdentity, String> {
    let within = |reason: String| format!("identities: {reason}");
    let kind = fields::text(&mut identity, &["type"]).map_err(within)?.unwrap_or_default();
    let kind = IdentityKind::parse(&kind)
        .ok_or_else(|| "identities: a type is neither openid nor unionid".to_owned())?;
    let value = fields::text(&mut identity, &["value", "userIdInIdp"]).map_err(within)?.unwrap_or_default();
    let value = checked(&value).map_err(|reason| within(reason.to_owned()))?;
    let realm = fields::text(&mut identity, &["realm"]).map_err(within)?;
    let created_at = match fields::take(&mut identity, &["createdAt"]) {
        None => created_at,
        Some(at) => fields::time(&at).ok_or_else(|| "identities: a createdAt is no time".to_owned())?,
    };
    let user_info = match fields::take(&mut identity, &["userInfoInIdp"]).map(fields::document) {
        None => IdpUserInfo::default(),
        Some(Some(Value::Object(said))) => IdpUserInfo::of(said, limits.idp_user_info).ok_or_else(|| {
            format!("identities: a userInfoInIdp is longer than {} bytes", limits.idp_user_info)
        })?,
        Some(_) => return Err("identities: a userInfoInIdp is no JSON object".to_owned()),
    };
    let origin = match identity.get("originConnIds") {
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let connection = fields::text(&mut identity, &["connection"]).map_err(within)?;
    let provider = fields::text(&mut identity, &["extIdpId"]).map_err(within)?;
    // A named connection must exist. Other systems' names for their connections are only hints.
    let source = match &connection {
        Some(connection) => source(sources, Some(connection)),
        None => provider
            .iter()
            .chain(&origin)
            .find_map(|name| source(sources, Some(name)).ok())
            .map_or_else(|| source(sources, None), Ok),
    };
    let source = source.map_err(within)?;
    let mut key = identity_key(source, kind, value);
    if let Some(realm) = realm {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.');
        if realm.len() > 128 || !realm.contains(':') || !realm.chars().all(plain) {
            return Err("identities: a realm looks like wechat:wx0123456789abcdef".to_owned());
        }
        key.realm = realm;
    }
    Ok(NewIdentity { connection: source.id.clone(), key, created_at, user_info })
}

/// The connection with this identifier or id. Without a name, the pool's only one.
fn source<'s>(sources: &'s [Arc<Connection>], name: Option<&str>) -> Result<&'s Connection, String> {
    match (name, sources) {
        (None, [only]) => Ok(&**only),
        (None, _) => Err("they do not say of which connection of the pool they are".to_owned()),
        (Some(name), _) => sources
            .iter()
            .find(|source| source.identifier.as_str() == name || source.id.as_str() == name)
            .map(|source| &**source)
            .ok_or_else(|| "the pool has no such connection".to_owned()),
    }
}

fn checked(value: &str) -> Result<&str, &'static str> {
    let plain =
        !value.is_empty() && value.len() <= LONGEST_VALUE && value.bytes().all(|b| b.is_ascii_graphic());
    if plain { Ok(value) } else { Err("a value is not 1 to 128 printable ASCII characters") }
}

/// An identity in the format of exports. The realm is included only if it is not the connection's own.
pub(super) fn identity_json(identity: &NewIdentity, sources: &[Arc<Connection>]) -> Value {
    let NewIdentity { connection, key, created_at, user_info } = identity;
    let source = sources.iter().find(|source| source.id == *connection);
    let mut written = json!({
        "connection": source.map_or(connection.as_str(), |source| source.identifier.as_str()),
        "type": key.kind.as_str(),
        "value": key.value,
        "createdAt": created_at.to_iso(),
    });
    let own_realm =
        source.is_some_and(|source| identity_key(source, key.kind, &key.value).realm == key.realm);
    if let Value::Object(written) = &mut written {
        if !own_realm {
            written.insert("realm".to_owned(), Value::from(key.realm.clone()));
        }
        if !user_info.is_empty() {
            written.insert("userInfoInIdp".to_owned(), Value::from(user_info.members().clone()));
        }
    }
    written
}
