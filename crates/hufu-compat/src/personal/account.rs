//! `/api/v3/me`, `/api/v3/me/profile`, `/api/v3/me/deletion`: the account as a whole.

use axum::extract::State;
use hufu_app::{Authenticated, Confirmation, DeletionProof, LoginName, Refusal, Target};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{CustomField, PoolSettings, Profile, Scope, User, camel_case};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::envelope::Success;
use crate::fields;
use crate::request::{Body, Head, given};
use crate::server::{self, Shared};
use crate::surface::Answer;
use crate::user::phone_text;
use crate::v3::profile::{read_change, user_dto};

/// The account: profile, custom fields, login names, ways to log in.
pub(crate) async fn me(State(shared): server::State, head: Head) -> Answer<Success<Map<String, Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let user = shared.app.user(&who).await?;
    Ok(Success::new(describe(&shared, &who, &user).await?))
}

/// Changes the profile and custom data. Unlike in the calls of the published clients, an unknown field is refused.
pub(crate) async fn update(
    State(shared): server::State,
    head: Head,
    Body(request): Body<Map<String, Value>>,
) -> Answer<Success<Map<String, Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let mut unknown = |key: &str| {
        let fields: Vec<String> = Profile::FIELDS.iter().map(|field| camel_case(field)).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).chain(["gender", "customData"]).collect();
        Err(Refusal::no_such_field(key, &fields))
    };
    let user = shared.app.update_profile(&who, read_change(request, &mut unknown)?).await?;
    Ok(Success::new(describe(&shared, &who, &user).await?))
}

/// How a user confirms the deletion of the account: by password, by a code sent for this purpose to the
/// account's own phone number or e-mail address, or by a code of a mini program that they log in with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeletionRequest {
    password: Option<String>,
    password_encrypt_type: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
    email: Option<String>,
    connection: Option<String>,
    code: Option<String>,
}

impl DeletionRequest {
    /// Deletes the account if the request proves that the owner asks.
    async fn delete(&self, shared: &Shared, head: &Head, who: &Authenticated) -> Result<(), Refusal> {
        let by_name =
            [&self.password, &self.phone, &self.email].into_iter().any(|name| given(name.as_ref()).is_some());
        let config = shared.app.config();
        let (identifier, code) = (given(self.connection.as_ref()), given(self.code.as_ref()));
        let connection;
        let proof = match code.filter(|_| !by_name) {
            Some(code) => {
                connection = config.mini_program(&who.application, identifier, head.referer.as_deref())?;
                DeletionProof::MiniProgram { connection: &connection, code }
            }
            None => DeletionProof::Own(self.confirmation(shared).await?),
        };
        shared.app.delete_own_account(who, proof).await
    }

    async fn confirmation(&self, shared: &Shared) -> Result<Confirmation, Refusal> {
        if let Some(password) = given(self.password.as_ref()) {
            let declared = Some(fields::encryption_or_none(self.password_encrypt_type.as_ref())?);
            return Ok(Confirmation::Password(shared.app.open_password(password, declared).await?));
        }
        let target = match (given(self.phone.as_ref()), given(self.email.as_ref())) {
            (Some(phone), _) => Target::Phone(fields::phone(phone, self.phone_country_code.as_ref())?),
            (None, Some(email)) => Target::Email(fields::email(email)?),
            (None, None) => {
                return Err(Refusal::invalid("password, phone, email, connection", Reason::OneNeeded));
            }
        };
        let code = fields::required(self.code.as_ref(), "code")?.to_owned();
        Ok(Confirmation::Code { target, code })
    }
}

/// Deletes the account. It can be restored within the pool's grace period.
pub(crate) async fn delete(
    State(shared): server::State,
    head: Head,
    Body(request): Body<DeletionRequest>,
) -> Answer<Success<()>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    request.delete(&shared, &head, &who).await?;
    Ok(Success::empty())
}

/// The username to set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsernameRequest {
    username: Option<String>,
}

/// Sets the username of an account that has none.
pub(crate) async fn choose_username(
    State(shared): server::State,
    head: Head,
    Body(request): Body<UsernameRequest>,
) -> Answer<Success<Map<String, Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    fields::required(request.username.as_ref(), "username")?;
    let name = fields::username(request.username.as_ref())?.ok_or(Code::NotBound)?;
    let user = shared.app.choose_username(&who, name).await?;
    Ok(Success::new(describe(&shared, &who, &user).await?))
}

/// A login name that came from a merged account. Exactly one of the names must be given.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NameRequest {
    username: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
}

impl NameRequest {
    fn name(&self) -> Result<LoginName, Refusal> {
        let given = [given(self.username.as_ref()), given(self.email.as_ref()), given(self.phone.as_ref())];
        match given {
            [Some(_), None, None] => fields::username(self.username.as_ref())?
                .map(LoginName::Username)
                .ok_or_else(|| Code::NotBound.into()),
            [None, Some(email), None] => Ok(LoginName::Email(fields::email(email)?)),
            [None, None, Some(phone)] => {
                Ok(LoginName::Phone(fields::phone(phone, self.phone_country_code.as_ref())?))
            }
            _ => Err(Refusal::invalid("username, email, phone", Reason::OneNeeded)),
        }
    }
}

/// Unbinds a login name that came from a merged account.
pub(crate) async fn unbind_name(
    State(shared): server::State,
    head: Head,
    Body(request): Body<NameRequest>,
) -> Answer<Success<Map<String, Value>>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    shared.app.unbind_merged_name(&who, request.name()?).await?;
    let user = shared.app.user(&who).await?;
    Ok(Success::new(describe(&shared, &who, &user).await?))
}

async fn describe(shared: &Shared, who: &Authenticated, user: &User) -> Result<Map<String, Value>, Refusal> {
    let ways = shared.app.own_ways_in(who).await?;
    let settings = shared.app.config().settings(who.pool());
    let mut dto = user_dto(user);
    dto.insert("customData".to_owned(), settings.visible(&user.custom_data).into());
    dto.insert("customFields".to_owned(), custom_fields(&settings, user));
    let names = login_names(user, None).chain(ways.merged.iter().flat_map(|of| login_names(of, Some(of))));
    dto.insert("loginNames".to_owned(), names.collect());
    let ways = json!({
        "password": !ways.password_names.is_empty(),
        "phoneCode": !ways.phone.is_empty(),
        "emailCode": !ways.email.is_empty(),
        "identities": ways.identities.iter()
            .map(|identity| hufu_app::identity_id(who.pool(), &identity.key))
            .collect::<Vec<_>>(),
    });
    dto.insert("waysIn".to_owned(), ways);
    Ok(dto)
}

fn custom_fields(settings: &PoolSettings, user: &User) -> Value {
    let seen = settings.custom_fields.iter().filter(|field| field.visible);
    seen.map(|field: &CustomField| {
        json!({
            "key": field.key,
            "type": field.kind.as_str(),
            "label": field.label,
            "options": field.options,
            "editable": field.editable,
            "value": user.custom_data.get(&field.key),
        })
    })
    .collect()
}

/// The login names of an account. For an account that was merged into the one shown, they carry `mergedFrom`.
fn login_names<'u>(user: &'u User, merged: Option<&User>) -> impl Iterator<Item = Value> + use<'u> {
    let username = user.username.as_ref().map(|name| json!({ "type": "username", "value": name }));
    let email = user
        .email
        .as_ref()
        .map(|email| json!({ "type": "email", "value": email, "verified": user.email_verified }));
    let phone = user.phone.as_ref().map(|(phone, proof)| {
        json!({
            "type": "phone",
            "value": phone_text(phone),
            "countryCode": phone.parts().0,
            "verified": proof.is_vouched(),
        })
    });
    let from = merged.map(|merged| Value::from(merged.id.as_str()));
    username.into_iter().chain(email).chain(phone).map(move |mut name| {
        if let (Some(from), Some(name)) = (&from, name.as_object_mut()) {
            name.insert("mergedFrom".to_owned(), from.clone());
        }
        name
    })
}
