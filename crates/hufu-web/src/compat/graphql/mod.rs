//! `/graphql/v2`: the GraphQL endpoint of the v2 clients.

use async_graphql::{ComplexObject, EmptySubscription, Object, SimpleObject};
use axum::response::{IntoResponse as _, Response};

use super::user::UserV2;

#[derive(Default)]
pub(crate) struct Query;
#[Object]
impl Query {
    async fn user(&self) -> UserV2 {
        UserV2::default()
    }
}
#[derive(SimpleObject)]
struct Todo {
    key: String,
}
#[ComplexObject]
impl UserV2 {
    async fn custom_data(&self) -> Vec<Todo> {
        Vec::new()
    }
}

pub(crate) type Schema = async_graphql::Schema<Query, async_graphql::EmptyMutation, EmptySubscription>;

pub(crate) fn schema(_introspection: bool) -> Schema {
    Schema::new(Query, async_graphql::EmptyMutation, EmptySubscription)
}

pub(crate) async fn handle() -> Response {
    axum::http::StatusCode::NOT_IMPLEMENTED.into_response()
}
