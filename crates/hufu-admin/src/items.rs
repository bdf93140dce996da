//! The lists in a pool's settings, element by element: scopes, agreements, custom fields.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hufu_app::administration::Item;
use hufu_web::request::Path;
use hufu_web::surface::Answer;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::caller::{Body, Caller, ProblemBody, done, ok, pool_id};
use super::case;
use super::configuration::{if_match, tagged};
use super::schema::{AgreementItem, CustomFieldItem, ScopeItem};

type Document = Map<String, Value>;

#[derive(Serialize, ToSchema)]
pub(crate) struct Scopes {
    #[schema(value_type = Vec<ScopeItem>)]
    scopes: Vec<Document>,
    /// The revision of the pool.
    revision: i64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Agreements {
    #[schema(value_type = Vec<AgreementItem>)]
    agreements: Vec<Document>,
    /// The revision of the pool.
    revision: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomFields {
    #[schema(value_type = Vec<CustomFieldItem>)]
    custom_fields: Vec<Document>,
    /// The revision of the pool.
    revision: i64,
}

/// The routes of one list. All of them change the settings of the pool, and so its revision.
macro_rules! items {
    ($module:ident, $item:ident, $list:ident { $member:ident }, $view:ident, $path:tt, $one:tt, $name:tt) => {
        pub(crate) mod $module {
            use super::*;

            /// List them, in the order of the settings.
            #[utoipa::path(get, path = $path, tag = "configuration", operation_id = concat!("list_", stringify!($module)),
                params(("pool" = String, Path)),
                responses((status = 200, body = $list), (status = 404, body = ProblemBody)))]
            pub(crate) async fn list(caller: Caller, Path(pool): Path<String>) -> Answer<Response> {
                let (found, revision) = caller.app.list_items(&caller.by, &pool_id(&pool)?, Item::$item).await?;
                Ok(ok(&$list { $member: found.into_iter().map(case::shown).collect(), revision }))
            }

            /// Get one.
            #[utoipa::path(get, path = $one, tag = "configuration", operation_id = concat!("get_of_", stringify!($module)),
                params(("pool" = String, Path), ($name = String, Path)),
                responses((status = 200, body = $view), (status = 404, body = ProblemBody)))]
            pub(crate) async fn get(
                caller: Caller,
                Path((pool, name)): Path<(String, String)>,
            ) -> Answer<Response> {
                let found = caller.app.item(&caller.by, &pool_id(&pool)?, Item::$item, &name).await?;
                Ok(tagged(StatusCode::OK, found))
            }

            /// Create one, or replace it as a whole.
            ///
            /// The revision is that of the pool. With `If-Match`, or `revision` in the body, only if the pool has not been
            /// changed in the meantime.
            #[utoipa::path(put, path = $one, tag = "configuration", operation_id = concat!("put_of_", stringify!($module)),
                params(("pool" = String, Path), ($name = String, Path)), request_body = $view,
                responses((status = 200, body = $view), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
                    (status = 422, body = ProblemBody)))]
            pub(crate) async fn put(
                caller: Caller,
                Path((pool, name)): Path<(String, String)>,
                headers: HeaderMap,
                Body(body): Body<Document>,
            ) -> Answer<Response> {
                let pool = pool_id(&pool)?;
                let (value, revision) = (case::written(body), if_match(&headers)?);
                let now = caller.app.put_item(&caller.by, &pool, Item::$item, &name, value, revision).await?;
                Ok(tagged(StatusCode::OK, now))
            }

            /// Delete one.
            #[utoipa::path(delete, path = $one, tag = "configuration", operation_id = concat!("delete_of_", stringify!($module)),
                params(("pool" = String, Path), ($name = String, Path)),
                responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
                    (status = 422, body = ProblemBody)))]
            pub(crate) async fn remove(
                caller: Caller,
                Path((pool, name)): Path<(String, String)>,
                headers: HeaderMap,
            ) -> Answer<Response> {
                let pool = pool_id(&pool)?;
                caller.app.remove_item(&caller.by, &pool, Item::$item, &name, if_match(&headers)?).await?;
                Ok(done())
            }
        }
    };
}

items!(
    scopes,
    Scope,
    Scopes { scopes },
    ScopeItem,
    "/admin/v1/pools/{pool}/scopes",
    "/admin/v1/pools/{pool}/scopes/{scope}",
    "scope"
);
items!(
    agreements,
    Agreement,
    Agreements { agreements },
    AgreementItem,
    "/admin/v1/pools/{pool}/agreements",
    "/admin/v1/pools/{pool}/agreements/{agreement}",
    "agreement"
);
items!(
    custom_fields,
    CustomField,
    CustomFields { custom_fields },
    CustomFieldItem,
    "/admin/v1/pools/{pool}/custom-fields",
    "/admin/v1/pools/{pool}/custom-fields/{field}",
    "field"
);
