//! `/graphql/v2`: the GraphQL endpoint of the v2 clients.
//!
//! Every response is HTTP 200 with `{data, errors}`, and `errors[].message` is an object `{code, message,
//! data}`. That is unusual for GraphQL, but the clients expect it. A document is checked before the library
//! sees it ([`document`]). The operations are in [`query`], [`mutation`], [`login`] and [`credentials`].

pub(crate) mod answer;
mod credentials;
pub(crate) mod custom_data;
mod document;
mod login;
mod management;
mod mutation;
mod profile;
mod query;
mod served;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_graphql::{Context, EmptySubscription, Variables};
use axum::extract::{Request, State};
use axum::response::Response;
use hufu_app::{Authenticated, Needs, Refusal, named};
use hufu_types::refusal::Code;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::mutation::Mutation;
use self::query::Query;
use self::served::Served;
use super::user::{UserV2, token_to_keep};
use crate::request::{Head, given, parse, read_json};
use crate::server::{self, Shared};
use crate::surface::{Answer, Reader};

/// The schema of the endpoint.
type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. Without introspection, nothing reveals its contents, and error texts make no
/// suggestions.
fn schema(introspection: bool) -> Schema {
    let builder = Schema::build(Query::default(), Mutation::default(), EmptySubscription);
    if introspection {
        builder.finish()
    } else {
        builder.disable_introspection().disable_suggestions().finish()
    }
}

/// The endpoint: the schema, the operations in it, and whether introspection is enabled.
pub(crate) struct Endpoint {
    schema: Schema,
    served: Served,
    introspection: bool,
}

impl Endpoint {
    pub(crate) fn new(introspection: bool) -> Self {
        let schema = schema(introspection);
        Self { served: Served::of(&schema.sdl()), schema, introspection }
    }
}

/// The request of the clients.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    query: String,
    variables: Option<Map<String, Value>>,
    operation_name: Option<String>,
}

/// `POST /graphql/v2`. A request that is refused before execution gets a response of the same form: see
/// [`answer::refused`].
pub(crate) async fn handle(
    endpoint: Arc<Endpoint>,
    State(shared): server::State,
    head: Head,
    request: Request,
) -> Answer<Response> {
    let reader = Reader::of(&request);
    let request = prepare(&read_json(request, &shared).await?, &endpoint)?;
    let response = endpoint.schema.execute(request.data(Call { shared, head })).await;
    Ok(answer::executed(response, &reader))
}

/// Parses the body and checks the document in it.
fn prepare(bytes: &[u8], endpoint: &Endpoint) -> Result<async_graphql::Request, Refusal> {
    let body: Body = parse(bytes)?;
    let document = document::read(&body.query, endpoint.introspection)?;
    endpoint.served.check(&document)?;
    let variables = Variables::from_json(body.variables.unwrap_or_default().into());
    let mut request = async_graphql::Request::new(String::new()).variables(variables);
    request.set_parsed_query(document);
    Ok(match given(body.operation_name.as_ref()) {
        Some(name) => request.operation_name(name),
        None => request,
    })
}

/// The request that a resolver works on.
struct Call {
    shared: Arc<Shared>,
    head: Head,
}

impl Call {
    fn of<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Self> {
        context.data::<Self>()
    }

    /// Authenticates the user. If the client names a user, it must be the logged-in one.
    async fn authenticate(
        &self,
        id: Option<&str>,
        needs: impl Into<Needs>,
    ) -> Result<Authenticated, Refusal> {
        let who = self.head.authenticate(&self.shared, needs).await?;
        match id.and_then(named) {
            Some(id) if id != who.user.as_str() && id != who.subject.as_str() => {
                Err(Code::NotYourself.into())
            }
            _ => Ok(who),
        }
    }

    /// The user with identities, and with the token that the client stores.
    async fn user(&self, who: &Authenticated) -> Result<UserV2, Refusal> {
        let (user, identities) = self.shared.app.user_with_identities(who).await?;
        Ok(UserV2::new(user, token_to_keep(&self.head, who).as_ref()).with_identities(identities))
    }
}
