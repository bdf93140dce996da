//! What the published v2 management client asks for. Its token names the pool: see [`crate::management`].

use async_graphql::{
    Context, InputObject, InputValueError, InputValueResult, Object, Result, Scalar, ScalarType,
    SimpleObject, Value,
};
use hufu_app::administration::{AccountChange, Matching, UserQuery};
use hufu_app::{App, Refusal};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{UserId, UserStatus};
use serde_json::{Map, Value as Json};

use super::Call;
use super::credentials::CommonMessage;
use super::custom_data::{
    self, DataType, TargetType, UserDefinedData, UserDefinedDataInput, UserDefinedDataMap, UserDefinedField,
};
use crate::management::call::Call as Managed;
use crate::management::custom_data as fields;
use crate::management::users::BATCH;
use crate::management::v2::{self, pool::UserPool};
use crate::user::UserV2;

/// The queries.
#[derive(Default)]
pub(crate) struct ManagementQuery;

/// The mutations.
#[derive(Default)]
pub(crate) struct ManagementMutation;

/// Inputs that are read as the REST calls read theirs: what is not known is ignored.
macro_rules! inputs {
    ($($name:ident)*) => {
        $(
            pub(super) struct $name(Json);

            #[Scalar]
            impl ScalarType for $name {
                fn parse(value: Value) -> InputValueResult<Self> {
                    value.into_json().map(Self).map_err(InputValueError::custom)
                }

                fn to_value(&self) -> Value {
                    Value::from_json(self.0.clone()).unwrap_or_default()
                }
            }
        )*
    };
}

inputs! {
    CreateUserInput CreateUserIdentityInput FindUserByIdentityInput SortByEnum SearchUserDepartmentOpt
    SearchUserGroupOpt SearchUserRoleOpt UpdateUserpoolInput
}

/// A value of one user's custom data to set, as JSON.
#[derive(InputObject)]
pub(super) struct SetUdfValueBatchInput {
    target_id: String,
    key: String,
    value: String,
}

/// A page of users.
#[derive(SimpleObject)]
pub(super) struct PaginatedUsers {
    total_count: u64,
    list: Vec<UserV2>,
}

/// A token of a management client. Times are Unix seconds.
#[derive(SimpleObject)]
pub(super) struct AccessTokenRes {
    access_token: String,
    exp: i64,
    iat: i64,
}

impl Call {
    /// The management client that calls, if its token is one.
    pub(super) async fn manager(&self) -> Result<Option<Managed>, Refusal> {
        if !self.head.bearer().is_some_and(App::is_management_token) {
            return Ok(None);
        }
        self.managed().await.map(Some)
    }

    async fn managed(&self) -> Result<Managed, Refusal> {
        Managed::of_token(&self.head, &self.shared).await
    }
}

/// The arguments of the call as JSON.
pub(super) fn argument(context: &Context<'_>, name: &str) -> Result<Map<String, Json>> {
    let arguments = context.field().arguments()?;
    let found = arguments.into_iter().find(|(argument, _)| argument.as_str() == name);
    let value = found.and_then(|(_, value)| value.into_json().ok());
    Ok(value.and_then(|value| value.as_object().cloned()).unwrap_or_default())
}

async fn page(
    call: &Managed,
    query: UserQuery,
    number: Option<i32>,
    limit: Option<i32>,
) -> Result<PaginatedUsers, Refusal> {
    let read = |name, value: Option<i32>, usual: u32, max: u32| {
        let value = u32::try_from(value.unwrap_or_default()).unwrap_or(max.saturating_add(1));
        match value {
            0 => Ok(usual),
            value if value <= max => Ok(value),
            _ => Err(Refusal::invalid(name, Reason::OutOfRange { min: 1, max })),
        }
    };
    let (number, limit) = (read("page", number, 1, u32::MAX - 1)?, read("limit", limit, 10, 50)?);
    let found = call.app.numbered_users(&call.by, &call.pool, query, number, limit).await?;
    let mut list = Vec::with_capacity(found.rows.len());
    for user in found.rows {
        list.push(v2::with_identities(call, &user.id).await?);
    }
    Ok(PaginatedUsers { total_count: found.total, list })
}

#[Object]
impl ManagementQuery {
    /// A token for the management key of a pool. A bearer token is ignored.
    async fn access_token(
        &self,
        context: &Context<'_>,
        user_pool_id: String,
        secret: String,
    ) -> Result<AccessTokenRes> {
        let Call { shared, head } = Call::of(context)?;
        let made = shared.app.management_token(&user_pool_id, &secret, &head.origin()).await?;
        let (exp, iat) = (made.expires_at.seconds(), made.issued_at.seconds());
        Ok(AccessTokenRes { access_token: made.token, exp, iat })
    }

    /// The users of the pool, newest first. There are no organizations to leave out.
    async fn users(
        &self,
        context: &Context<'_>,
        page: Option<i32>,
        limit: Option<i32>,
        sort_by: Option<SortByEnum>,
        exclude_users_in_org: Option<bool>,
    ) -> Result<PaginatedUsers> {
        let _ = exclude_users_in_org;
        let call = Call::of(context)?.managed().await?;
        if sort_by.is_some_and(|SortByEnum(by)| !by.is_null() && by != "CREATEDAT_DESC") {
            return Err(Code::FieldNotServed.with("field", "sortBy").into());
        }
        Ok(self::page(&call, UserQuery::default(), page, limit).await?)
    }

    /// The archived users.
    async fn archived_users(
        &self,
        context: &Context<'_>,
        page: Option<i32>,
        limit: Option<i32>,
    ) -> Result<PaginatedUsers> {
        let call = Call::of(context)?.managed().await?;
        let query = UserQuery { status: Some(UserStatus::Archived), ..UserQuery::default() };
        Ok(self::page(&call, query, page, limit).await?)
    }

    /// The users of whose names one contains the text, or begins with it if it is short.
    #[expect(clippy::too_many_arguments, reason = "the client's arguments")]
    async fn search_user(
        &self,
        context: &Context<'_>,
        query: String,
        fields: Option<Vec<Option<String>>>,
        page: Option<i32>,
        limit: Option<i32>,
        department_opts: Option<Vec<Option<SearchUserDepartmentOpt>>>,
        group_opts: Option<Vec<Option<SearchUserGroupOpt>>>,
        role_opts: Option<Vec<Option<SearchUserRoleOpt>>>,
    ) -> Result<PaginatedUsers> {
        let _ = fields;
        let call = Call::of(context)?.managed().await?;
        for (name, narrows) in [
            ("departmentOpts", department_opts.is_some_and(|list| !list.is_empty())),
            ("groupOpts", group_opts.is_some_and(|list| !list.is_empty())),
            ("roleOpts", role_opts.is_some_and(|list| !list.is_empty())),
        ] {
            if narrows {
                return Err(Code::FieldNotServed.with("field", name).into());
            }
        }
        let matching = if query.chars().count() < 3 { Matching::Prefix } else { Matching::Substring };
        let query = UserQuery { text: Some(query), matching, ..UserQuery::default() };
        Ok(self::page(&call, query, page, limit).await?)
    }

    /// The custom fields of users.
    async fn udf(&self, context: &Context<'_>, target_type: TargetType) -> Result<Vec<UserDefinedField>> {
        let call = Call::of(context)?.managed().await?;
        of_users(target_type)?;
        let fields = fields::declared(&call).await?;
        Ok(fields.iter().map(UserDefinedField::of).collect())
    }

    /// The custom data of users.
    async fn udf_value_batch(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        target_ids: Vec<String>,
    ) -> Result<Vec<UserDefinedDataMap>> {
        let call = Call::of(context)?.managed().await?;
        check_batch("targetIds", target_ids.len())?;
        let mut told = Vec::with_capacity(target_ids.len());
        for target_id in target_ids {
            let data = data_of(&call, target_type, &target_id).await?;
            told.push(UserDefinedDataMap { target_id, data });
        }
        Ok(told)
    }

    /// The user with one of these names.
    async fn find_user(
        &self,
        context: &Context<'_>,
        email: Option<String>,
        phone: Option<String>,
        username: Option<String>,
        external_id: Option<String>,
        identity: Option<FindUserByIdentityInput>,
    ) -> Result<Option<UserV2>> {
        let call = Call::of(context)?.managed().await?;
        match identity {
            None | Some(FindUserByIdentityInput(Json::Null)) => {}
            Some(FindUserByIdentityInput(Json::Object(identity))) => {
                return Ok(v2::find_by_identity(&call, identity).await?);
            }
            Some(_) => return Err(Refusal::invalid("identity", Reason::NotAnObject).into()),
        }
        let names =
            [("email", email), ("phone", phone), ("username", username), ("external_id", external_id)];
        Ok(v2::find(&call, names).await?)
    }
}

#[Object]
impl ManagementMutation {
    /// Creates a user.
    async fn create_user(
        &self,
        context: &Context<'_>,
        user_info: CreateUserInput,
        params: Option<String>,
        identity: Option<CreateUserIdentityInput>,
        keep_password: Option<bool>,
        reset_password_on_first_login: Option<bool>,
    ) -> Result<UserV2> {
        let call = Call::of(context)?.managed().await?;
        if keep_password == Some(true) {
            return Err(Code::FieldNotServed.with("field", "keepPassword").into());
        }
        let mut sent = match user_info {
            CreateUserInput(Json::Object(sent)) => sent,
            CreateUserInput(_) => return Err(Refusal::invalid("userInfo", Reason::NotAnObject).into()),
        };
        let custom = crate::fields::params(params.as_ref())?;
        if !custom.is_empty() {
            sent.insert("customData".to_owned(), custom.into());
        }
        let identity = identity.map(|CreateUserIdentityInput(identity)| identity);
        let reset = reset_password_on_first_login.unwrap_or_default();
        Ok(v2::create(&call, sent, identity, reset).await?)
    }

    /// Deletes a user.
    async fn delete_user(&self, context: &Context<'_>, id: String) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        v2::delete(&call.managed().await?, &[id]).await?;
        Ok(CommonMessage::done(call.head.language))
    }

    /// Changes the pool's name and settings.
    async fn update_userpool(&self, context: &Context<'_>, input: UpdateUserpoolInput) -> Result<UserPool> {
        let call = Call::of(context)?.managed().await?;
        let UpdateUserpoolInput(Json::Object(input)) = input else {
            return Err(Refusal::invalid("input", Reason::NotAnObject).into());
        };
        Ok(v2::pool::change(&call, input).await?)
    }

    /// Makes a custom field of users, or changes one.
    async fn set_udf(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        key: String,
        data_type: DataType,
        label: String,
        options: Option<String>,
    ) -> Result<UserDefinedField> {
        let call = Call::of(context)?.managed().await?;
        of_users(target_type)?;
        let options = custom_data::options(options.as_deref())?;
        let field = fields::declare(&call, &key, data_type.of_the_newer_clients(), &label, options).await?;
        Ok(UserDefinedField::of(&field))
    }

    /// Removes a custom field of users. The data stays.
    async fn remove_udf(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        key: String,
    ) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        let manager = call.managed().await?;
        of_users(target_type)?;
        fields::remove(&manager, &[key.into()]).await?;
        Ok(CommonMessage::done(call.head.language))
    }

    /// Sets custom data of users, one user after the other. If a user's is refused, that of those before is set.
    async fn set_udf_value_batch(
        &self,
        context: &Context<'_>,
        target_type: TargetType,
        input: Vec<SetUdfValueBatchInput>,
    ) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        let manager = call.managed().await?;
        check_batch("input", input.len())?;
        let mut values: Vec<(String, Vec<UserDefinedDataInput>)> = Vec::new();
        for SetUdfValueBatchInput { target_id, key, value } in input {
            let value = UserDefinedDataInput { key, value: Some(value) };
            match values.iter_mut().find(|(id, _)| *id == target_id) {
                Some((_, list)) => list.push(value),
                None => values.push((target_id, vec![value])),
            }
        }
        for (id, list) in values {
            change_data(&manager, target_type, &id, custom_data::read(list)?).await?;
        }
        Ok(CommonMessage::done(call.head.language))
    }

    /// Deletes users.
    async fn delete_users(&self, context: &Context<'_>, ids: Vec<String>) -> Result<CommonMessage> {
        let call = Call::of(context)?;
        v2::delete(&call.managed().await?, &ids).await?;
        Ok(CommonMessage::done(call.head.language))
    }
}

/// Refuses targets other than users.
fn of_users(kind: TargetType) -> Result<(), Refusal> {
    match kind {
        TargetType::User => Ok(()),
        _ => Err(Refusal::invalid("targetType", Reason::NotOneOf { choices: "USER".into() })),
    }
}

/// Refuses more in one call than the other calls of these clients take.
fn check_batch(name: &'static str, count: usize) -> Result<(), Refusal> {
    if count > BATCH {
        return Err(Refusal::invalid(name, Reason::TooManyItems { max: BATCH }));
    }
    Ok(())
}

/// The custom data of a user, for a management client.
pub(super) async fn data_of(
    call: &Managed,
    kind: TargetType,
    id: &str,
) -> Result<Vec<UserDefinedData>, Refusal> {
    change_data(call, kind, id, Map::new()).await
}

/// Changes the custom data of a user, for a management client. Null removes a value.
pub(super) async fn change_data(
    call: &Managed,
    kind: TargetType,
    id: &str,
    values: Map<String, Json>,
) -> Result<Vec<UserDefinedData>, Refusal> {
    of_users(kind)?;
    let id = UserId::parse(id).map_err(|_| Code::UserUnknown)?;
    let user = if values.is_empty() {
        call.app.find_user(&call.by, &call.pool, &id).await?.user
    } else {
        let mut change = AccountChange::default();
        change.profile.custom_data = values;
        call.app.update_user(&call.by, &call.pool, &id, change).await?
    };
    Ok(custom_data::list(&user.custom_data, &call.app.config().settings(&call.pool)))
}
