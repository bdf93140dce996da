//! Reading users.

use hufu_app::administration::{Found, Matching, Name, NumberedPage, UserName, UserQuery};
use hufu_app::{Refusal, named};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Timestamp, User, UserId, UserStatus, Username};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::sent::Sent;
use crate::envelope::Success;
use crate::fields;
use crate::surface::Answer;
use crate::v3::profile::{identity_dto, user_dto};

/// The most users of one call.
pub(crate) const BATCH: usize = 50;

/// The kinds of ids that a call may name a user by.
const ID_TYPES: &str = "user_id, external_id, phone, email, username, identity";

/// The user that a text of this kind names.
pub(super) fn user_name(kind: Option<&str>, text: &str) -> Result<UserName, Refusal> {
    Ok(match kind.unwrap_or("user_id") {
        "user_id" => UserName::Id(UserId::parse(text).map_err(|_| Code::UserUnknown)?),
        "external_id" => UserName::Name(Name::ExternalId(text.to_owned())),
        "phone" => UserName::Name(Name::Phone(fields::phone(text, None)?)),
        "email" => UserName::Name(Name::Email(fields::email(text)?)),
        "username" => UserName::Name(Name::Username(username(text)?)),
        "identity" => {
            let (connection, value) =
                text.split_once(':').ok_or_else(|| Refusal::invalid("userId", Reason::Malformed))?;
            UserName::Identity { connection: connection.to_owned(), value: value.to_owned() }
        }
        "sync_relation" | "custom_field" => return Err(Code::FieldNotServed.with("field", "userIdType")),
        _ => return Err(Refusal::invalid("userIdType", Reason::NotOneOf { choices: ID_TYPES.into() })),
    })
}

pub(super) fn username(text: &str) -> Result<Username, Refusal> {
    Username::parse(text).map_err(|error| Refusal::invalid("username", error.into()))
}

impl Call {
    /// The account that `userId` names, by `userIdType` beside it or in `options`.
    pub(super) async fn user_id(&self) -> Result<UserId, Refusal> {
        let options = self.sent.object("options")?;
        let kind = self.sent.text("userIdType")?.or(options.text("userIdType")?);
        let name = user_name(kind, self.sent.required("userId")?)?;
        self.app.find_user_id(&self.by, &self.pool, name).await
    }

    /// An account with what the options ask for.
    pub(super) async fn told(&self, user: &User, options: &Sent) -> Result<Value, Refusal> {
        let identities = if options.is("withIdentities")? {
            Some(self.app.find_user(&self.by, &self.pool, &user.id).await?.identities)
        } else {
            None
        };
        let mut dto = user_dto(user);
        if options.is("withCustomData")? {
            dto.insert("customData".to_owned(), user.custom_data.clone().into());
        }
        if options.is("flatCustomData")? {
            for (key, value) in &user.custom_data {
                dto.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        if let Some(identities) = identities {
            let identities = identities.iter().map(|identity| identity_dto(&self.pool, identity));
            dto.insert("identities".to_owned(), identities.collect());
        }
        if options.is("withDepartmentIds")? {
            dto.insert("departmentIds".to_owned(), json!([]));
        }
        Ok(Value::Object(dto))
    }

    /// A page of users.
    async fn page_of_users(&self, query: UserQuery, paging: &Sent, options: &Sent) -> Answer<Success<Value>> {
        let page = paging.page()?;
        let found = self.app.numbered_users(&self.by, &self.pool, query, page.number, page.rows).await?;
        let mut list = Vec::with_capacity(found.rows.len());
        for user in &found.rows {
            list.push(self.told(user, options).await?);
        }
        Ok(listed(NumberedPage { rows: list, total: found.total }))
    }
}

/// A page as the clients read it.
pub(super) fn listed(page: NumberedPage<Value>) -> Success<Value> {
    let NumberedPage { rows, total } = page;
    Success::new(json!({ "totalCount": total, "list": rows }))
}

/// That it worked, as the clients read it.
pub(super) fn success() -> Success<Value> {
    Success::new(json!({ "success": true }))
}

/// `GET get-user`
pub(crate) async fn get(call: Call) -> Answer<Success<Value>> {
    let id = call.user_id().await?;
    let Found { user, .. } = call.app.find_user(&call.by, &call.pool, &id).await?;
    Ok(Success::new(call.told(&user, &call.sent).await?))
}

/// `GET get-user-batch`: those that there are.
pub(super) async fn get_batch(call: Call) -> Answer<Success<Value>> {
    let kind = call.sent.text("userIdType")?;
    let mut list = Vec::new();
    for id in call.sent.texts("userIds", BATCH)? {
        let found = call.app.find_named_user(&call.by, &call.pool, user_name(kind, &id)?).await;
        match found {
            Ok(found) => list.push(call.told(&found.user, &call.sent).await?),
            Err(refusal) if refusal.is(Code::UserUnknown) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(Success::new(list.into()))
}

/// `GET list-users`, which the clients call by an older name.
pub(super) async fn list_by_query(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["updatedAtStart", "updatedAtEnd"])?;
    let query = UserQuery { status: status(call.sent.text("status")?)?, ..UserQuery::default() };
    call.page_of_users(query, &call.sent, &call.sent).await
}

/// `POST list-users`
pub(super) async fn list(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["searchQuery"])?;
    let options = call.sent.object("options")?;
    let mut query = UserQuery::default();
    if let Some(text) = call.sent.text("keywords")? {
        query.matching = if text.chars().count() < 3 { Matching::Prefix } else { Matching::Substring };
        query.text = Some(text.to_owned());
    }
    for filter in call.sent.objects("advancedFilter", BATCH)? {
        narrow(&mut query, &filter)?;
    }
    for order in options.objects("sort", BATCH)? {
        if (order.text("field")?, order.text("order")?) != (Some("createdAt"), Some("desc")) {
            return Err(Code::FieldNotServed.with("field", "options.sort").into());
        }
    }
    call.page_of_users(query, &options.object("pagination")?, &options).await
}

/// `GET list-archived-users`
pub(super) async fn list_archived(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["startAt"])?;
    let query = UserQuery { status: Some(UserStatus::Archived), ..UserQuery::default() };
    let page = call.sent.page()?;
    let found = call.app.numbered_users(&call.by, &call.pool, query, page.number, page.rows).await?;
    let rows = found.rows.iter().map(|user| json!({ "userId": user.id })).collect();
    Ok(listed(NumberedPage { rows, total: found.total }))
}

pub(super) fn status(text: Option<&str>) -> Result<Option<UserStatus>, Refusal> {
    let choices = "Activated, Suspended, Archived, Deactivated".into();
    let read = |text| {
        UserStatus::parse(text).ok_or_else(|| Refusal::invalid("status", Reason::NotOneOf { choices }))
    };
    text.map(read).transpose()
}

/// Narrows a search by a filter: names and ids exactly, statuses, and the time of creation.
fn narrow(query: &mut UserQuery, filter: &Sent) -> Result<(), Refusal> {
    let not_served = || Code::FieldNotServed.with("field", "advancedFilter");
    let (field, operator) = (filter.required("field")?, filter.required("operator")?);
    match (field, operator) {
        ("status", "EQUAL") => query.status = status(filter.text("value")?)?,
        ("id" | "userId" | "username" | "email" | "phone" | "externalId", "EQUAL")
            if query.text.is_none() =>
        {
            query.matching = Matching::Exact;
            query.text = Some(filter.required("value")?.to_owned());
        }
        ("createdAt", "GREATER") => query.created_from = Some(after(moment(filter.0.get("value"))?)),
        ("createdAt", "LESSER") => query.created_before = Some(moment(filter.0.get("value"))?),
        ("createdAt", "BETWEEN") => {
            let Some(Value::Array(ends)) = filter.0.get("value") else {
                return Err(Refusal::invalid("value", Reason::NotAList));
            };
            let [from, to] = ends.as_slice() else { return Err(Refusal::invalid("value", Reason::NotAList)) };
            query.created_from = Some(moment(Some(from))?);
            query.created_before = Some(after(moment(Some(to))?));
        }
        _ => return Err(not_served()),
    }
    Ok(())
}

const fn after(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_add(1))
}

/// A time: RFC 3339, or milliseconds.
fn moment(value: Option<&Value>) -> Result<Timestamp, Refusal> {
    let found = match value {
        Some(Value::String(text)) => Timestamp::parse_iso(text),
        Some(Value::Number(number)) => number.as_i64().map(Timestamp),
        _ => None,
    };
    found.ok_or_else(|| Refusal::invalid("value", Reason::NotADatetime))
}

/// `POST is-user-exists`: whether an account has one of the names.
pub(super) async fn exists(call: Call) -> Answer<Success<Value>> {
    let mut exists = false;
    let mut is_asked = false;
    for (field, kind) in
        [("username", "username"), ("email", "email"), ("phone", "phone"), ("externalId", "external_id")]
    {
        let Some(text) = call.sent.text(field)?.and_then(named) else { continue };
        is_asked = true;
        match call.app.find_user_id(&call.by, &call.pool, user_name(Some(kind), text)?).await {
            Ok(_) => exists = true,
            Err(refusal) if refusal.is(Code::UserUnknown) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    if !is_asked {
        return Err(Refusal::invalid("username, email, phone, externalId", Reason::OneNeeded).into());
    }
    Ok(Success::new(json!({ "exists": exists })))
}

/// `GET get-user-identities`
pub(super) async fn identities(call: Call) -> Answer<Success<Value>> {
    let id = call.user_id().await?;
    let found = call.app.find_user(&call.by, &call.pool, &id).await?;
    let list: Vec<_> = found.identities.iter().map(|identity| identity_dto(&call.pool, identity)).collect();
    Ok(Success::new(list.into()))
}

/// `GET get-user-mfa-info`: there are no second factors.
pub(super) async fn mfa_info(call: Call) -> Answer<Success<Value>> {
    call.user_id().await?;
    let names = ["totpStatus", "faceMfaStatus", "smsMfaStatus", "emailMfaStatus"];
    let told: Map<_, _> = names.iter().map(|name| ((*name).to_owned(), "disabled".into())).collect();
    Ok(Success::new(told.into()))
}
