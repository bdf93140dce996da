//! `/graphql/v2`: the GraphQL endpoint of the v2 clients.
//!
//! Every answer is HTTP 200 with `{data, errors}`, and `errors[].message` is an
//! object `{code, message, data}`: so do the clients read it, against the custom of
//! GraphQL. A document is checked before the library sees it ([`document`]); the
//! operations are in [`query`], [`mutation`], [`login`] and [`credentials`].

mod answer;
mod credentials;
mod custom_data;
mod document;
mod login;
mod mutation;
mod profile;
mod query;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_graphql::{Context, EmptySubscription, Variables};
use axum::extract::{Request, State};
use axum::response::Response;
use hufu_app::{Authenticated, Refusal, named};
use serde::Deserialize;
use serde_json::{Map, Value};

use self::mutation::Mutation;
use self::query::Query;
use super::user::{UserV2, token_to_keep};
use crate::problem::Failure;
use crate::request::{Head, given, parse, read};
use crate::server::{self, Shared};
use crate::waiting::NoTokens;
use hufu_types::refusal::Code;

/// The schema of the endpoint.
type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. Without introspection nothing, suggestions in error texts included, tells what it contains.
fn schema(introspection: bool) -> Schema {
    let builder = Schema::build(Query, Mutation::default(), EmptySubscription);
    if introspection {
        builder.finish()
    } else {
        builder.disable_introspection().disable_suggestions().finish()
    }
}

/// The endpoint: the schema, and whether it tells about itself.
pub(crate) struct Endpoint {
    schema: Schema,
    introspection: bool,
}

impl Endpoint {
    pub(crate) fn new(introspection: bool) -> Self {
        Self { schema: schema(introspection), introspection }
    }
}

/// What the clients send.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    query: String,
    variables: Option<Map<String, Value>>,
    operation_name: Option<String>,
}

/// `POST /graphql/v2`
pub(crate) async fn handle(
    endpoint: Arc<Endpoint>,
    State(shared): server::State,
    request: Request,
) -> Response {
    let (head, bytes) = match read(request, &shared).await {
        Ok(read) => read,
        Err(failure) => return answer::failed(&failure),
    };
    match prepare(&bytes, endpoint.introspection) {
        Ok(request) => {
            let call = Call { shared: shared.clone(), head: head.clone() };
            let response = endpoint.schema.execute(request.data(call)).await;
            answer::executed(response, head.language, &head.request_id)
        }
        Err(refusal) => answer::failed(&head.refuse(refusal)),
    }
}

/// Reads the body and checks the document in it.
fn prepare(bytes: &[u8], introspection: bool) -> Result<async_graphql::Request, Refusal> {
    let body: Body = parse(bytes)?;
    let document = document::read(&body.query, introspection)?;
    let variables = Variables::from_json(body.variables.unwrap_or_default().into());
    let mut request = async_graphql::Request::new(String::new()).variables(variables);
    request.set_parsed_query(document);
    Ok(match given(body.operation_name.as_ref()) {
        Some(name) => request.operation_name(name),
        None => request,
    })
}

/// The request that resolvers work for.
struct Call {
    shared: Arc<Shared>,
    head: Head,
}

/// A refusal on its way through the library.
struct Refused(Failure);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message())
    }
}

impl Call {
    fn of<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Self> {
        context.data::<Self>()
    }

    fn refuse(&self, refusal: Refusal) -> Refused {
        Refused(self.head.refuse(refusal))
    }

    fn no_tokens(&self, why: NoTokens) -> Refused {
        Refused(self.head.no_tokens(why))
    }

    /// The user who is logged in, who must be the one that the client names, if it names one.
    async fn authenticate(&self, id: Option<&str>) -> Result<Authenticated, Refused> {
        let who = self.head.authenticate(&self.shared).await.map_err(Refused)?;
        match id.and_then(named) {
            Some(id) if id != who.user.as_str() && id != who.subject.as_str() => {
                Err(self.refuse(Code::NotYourself.into()))
            }
            _ => Ok(who),
        }
    }

    /// The user with identities, and with the token that the client is to keep.
    async fn user(&self, who: &Authenticated) -> Result<UserV2, Refused> {
        let answer = async {
            let (user, identities) = self.shared.app.user_with_identities(who).await?;
            Ok(UserV2::new(user, token_to_keep(&self.head, who).as_ref()).with_identities(identities))
        };
        answer.await.map_err(|refusal| self.refuse(refusal))
    }
}
