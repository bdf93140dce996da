//! `GET /api/v3/get-profile` and `POST /api/v3/update-profile`.

use axum::extract::State;
use hufu_app::{Authenticated, ProfileChange, Refusal, identity_id};
use hufu_types::refusal::Reason;
use hufu_types::{Gender, Identity, PoolId, Profile, Scope, User, camel_case};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::entry::field_of;
use crate::envelope::Success;
use crate::request::{Body, Head, Query};
use crate::server::{self, Shared};
use crate::surface::{Answer, Refused};
use crate::user::phone_text;

/// The optional parts that the client requests. Booleans are sent as text.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Wanted {
    with_custom_data: Option<String>,
    with_identities: Option<String>,
    with_department_ids: Option<String>,
}

fn yes(text: Option<&String>) -> bool {
    text.is_some_and(|text| text == "true")
}

/// The user that the token belongs to.
pub(crate) async fn get_profile(
    State(shared): server::State,
    head: Head,
    wanted: Result<Query<Wanted>, Refused>,
) -> Answer<Success<Map<String, Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    profile_of(&shared, &who, wanted).await
}

/// `GET /api/v3/get-user`: the same for the mobile SDKs, which send their id token.
pub(crate) async fn get_user(
    State(shared): server::State,
    head: Head,
    wanted: Result<Query<Wanted>, Refused>,
) -> Answer<Success<Map<String, Value>>> {
    let who = head.authenticate_mobile(&shared, Scope::Profile).await?;
    profile_of(&shared, &who, wanted).await
}

async fn profile_of(
    shared: &Shared,
    who: &Authenticated,
    wanted: Result<Query<Wanted>, Refused>,
) -> Answer<Success<Map<String, Value>>> {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let (user, identities) = if yes(wanted.with_identities.as_ref()) {
        let (user, identities) = shared.app.user_with_identities(who).await?;
        (user, Some(identities))
    } else {
        (shared.app.user(who).await?, None)
    };
    let mut dto = user_dto(&user);
    if let Some(identities) = identities {
        dto.insert(
            "identities".to_owned(),
            identities.iter().map(|identity| identity_dto(who.pool(), identity)).collect(),
        );
    }
    if yes(wanted.with_custom_data.as_ref()) {
        let settings = shared.app.config().settings(who.pool());
        dto.insert("customData".to_owned(), settings.visible(&user.custom_data).into());
    }
    if yes(wanted.with_department_ids.as_ref()) {
        dto.insert("departmentIds".to_owned(), json!([]));
    }
    Ok(Success::new(dto))
}

/// Changes the fields that may be changed. Other fields are ignored; login names have separate calls.
pub(crate) async fn update_profile(
    State(shared): server::State,
    head: Head,
    Body(request): Body<Map<String, Value>>,
) -> Answer<Success<Map<String, Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let change = read_change(request, &mut |_| Ok(()))?;
    let user = shared.app.update_profile(&who, change).await?;
    let mut dto = user_dto(&user);
    let settings = shared.app.config().settings(who.pool());
    dto.insert("customData".to_owned(), settings.visible(&user.custom_data).into());
    Ok(Success::new(dto))
}

/// Reads a change of a profile. `unknown` decides about each field that is none of a profile.
pub(crate) fn read_change(
    request: Map<String, Value>,
    unknown: &mut dyn FnMut(&str) -> Result<(), Refusal>,
) -> Result<ProfileChange, Refusal> {
    let mut change = ProfileChange::default();
    for (key, value) in request {
        match key.as_str() {
            "gender" => change.gender = read_gender(&value)?.or(change.gender),
            "customData" => match value {
                Value::Object(data) => change.custom_data = data,
                Value::Null => {}
                _ => {
                    return Err(Refusal::invalid("customData", Reason::NotAnObject));
                }
            },
            _ => {
                let Some(field) = field_of(&key) else {
                    unknown(&key)?;
                    continue;
                };
                match value {
                    Value::String(text) => change.fields.push((field, Some(text))),
                    Value::Null => change.fields.push((field, None)),
                    _ => return Err(Refusal::invalid(key.clone(), Reason::NotText)),
                }
            }
        }
    }
    Ok(change)
}

pub(crate) fn read_gender(value: &Value) -> Result<Option<Gender>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Gender::parse(text)
            .map(Some)
            .ok_or_else(|| Refusal::invalid("gender", Reason::NotOneOf { choices: "M, F, U".into() })),
        _ => Err(Refusal::invalid("gender", Reason::NotText)),
    }
}

/// The `UserDto` of v3.
pub(crate) fn user_dto(user: &User) -> Map<String, Value> {
    let phone = user.phone.as_ref().map(|(phone, _)| phone);
    let fields = json!({
        "userId": user.id,
        "createdAt": user.created_at.to_iso(),
        "updatedAt": user.updated_at.to_iso(),
        "signedUp": user.created_at.to_iso(),
        "status": user.status.as_str(),
        "workStatus": "Active",
        "username": user.username,
        "email": user.email,
        "emailVerified": user.email_verified,
        "phone": phone.map(phone_text),
        "phoneCountryCode": phone.map(|phone| phone.parts().0),
        "phoneVerified": user.vouched_phone().is_some(),
        "externalId": user.external_id,
        "loginsCount": user.logins_count,
        "lastLogin": user.last_login_at.map(hufu_types::Timestamp::to_iso),
        "lastIp": user.last_ip,
        "lastLoginApp": user.last_application,
        "userSourceType": match user.register_source.as_str() {
            "admin" => "adminCreated",
            "import" => "excel",
            _ => "register",
        },
        "registerSource": [user.register_source],
        "gender": user.profile.gender.unwrap_or(Gender::Unknown).as_str(),
        "passwordLastSetAt": user.password_set_at.map(hufu_types::Timestamp::to_iso),
        "resetPasswordOnNextLogin": user.must_reset,
    });
    let mut dto = match fields {
        Value::Object(dto) => dto,
        _ => Map::new(),
    };
    let mut profile = user.profile.clone();
    for field in Profile::FIELDS {
        let value = profile.field_mut(field).and_then(Option::take);
        dto.insert(camel_case(field), value.into());
    }
    dto
}

/// An identity in v3 responses.
pub(super) fn identity_dto(pool: &PoolId, identity: &Identity) -> Value {
    json!({
        "identityId": identity_id(pool, &identity.key),
        "extIdpId": identity.connection,
        "provider": identity.key.provider(),
        "type": identity.key.kind.as_str(),
        "userIdInIdp": identity.key.value,
        "userInfoInIdp": identity.user_info,
        "originConnIds": [identity.connection],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hufu_types::refusal::Code;

    #[test]
    fn login_names_cannot_be_changed_here() {
        let Value::Object(request) = json!({
            "nickname": "Bob", "username": "root", "phone": "+8613800000000", "externalId": "1",
            "email": "a@example.com", "gender": "M", "customData": {"k": 1},
        }) else {
            panic!("an object")
        };
        let change = read_change(request, &mut |_| Ok(())).unwrap();
        assert_eq!(change.fields, [("nickname", Some("Bob".to_owned()))]);
        assert_eq!(change.gender, Some(Gender::Male));
        assert_eq!(change.custom_data.len(), 1);
    }

    #[test]
    fn where_an_account_comes_from_is_told_in_the_words_of_the_clients() {
        let id = "6560c0ffee00000000000009";
        let (pool, user) = (PoolId::parse(id).unwrap(), hufu_types::UserId::parse(id).unwrap());
        for (source, expected) in
            [("admin", "adminCreated"), ("import", "excel"), ("wechat:miniprogram:default", "register")]
        {
            let user = User::new(pool.clone(), user.clone(), source, hufu_types::Timestamp(0));
            let dto = user_dto(&user);
            assert_eq!(
                (&dto["userSourceType"], &dto["registerSource"]),
                (&json!(expected), &json!([source]))
            );
        }
    }

    #[test]
    fn wrong_types_are_told() {
        for request in [json!({"nickname": 5}), json!({"gender": "X"}), json!({"customData": []})] {
            let Value::Object(request) = request else { panic!("an object") };
            assert!(
                matches!(read_change(request, &mut |_| Ok(())), Err(ref refusal) if refusal.is(Code::Invalid))
            );
        }
    }
}
