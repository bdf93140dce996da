//! The schemas of configuration objects, made of their shapes.

use hufu_app::configuration::document::{self, Shape};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::case;

/// A schema that accepts `null` as well: in an answer it means that nothing is set, in a request the default.
fn nullable(of: Type) -> SchemaType {
    SchemaType::from_iter([of, Type::Null])
}

fn schema_of(shape: &'static Shape) -> RefOr<Schema> {
    match shape {
        Shape::Any => ObjectBuilder::new().schema_type(SchemaType::AnyValue).into(),
        Shape::Flag => ObjectBuilder::new().schema_type(nullable(Type::Boolean)).into(),
        Shape::Number => ObjectBuilder::new().schema_type(nullable(Type::Integer)).into(),
        Shape::Text => ObjectBuilder::new().schema_type(nullable(Type::String)).into(),
        Shape::Choice(values) => {
            let values = values.iter().map(|value| Some(*value)).chain([None]);
            ObjectBuilder::new().schema_type(nullable(Type::String)).enum_values(Some(values)).into()
        }
        Shape::List(inner) => {
            let items = match &**inner {
                Shape::Text => ObjectBuilder::new().schema_type(Type::String).into(),
                Shape::Choice(values) => ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(values.iter().copied()))
                    .into(),
                other => schema_of(other),
            };
            ArrayBuilder::new().schema_type(nullable(Type::Array)).items(items).into()
        }
        Shape::Map(inner) => ObjectBuilder::new()
            .schema_type(nullable(Type::Object))
            .additional_properties(Some(AdditionalProperties::RefOr(schema_of(inner))))
            .into(),
        Shape::Object(_) => object_of(shape).schema_type(nullable(Type::Object)).into(),
    }
}

fn object_of(shape: &'static Shape) -> ObjectBuilder {
    let closed = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)));
    case::members(shape).fold(closed, |object, (name, shape)| object.property(name, schema_of(shape)))
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn revision() -> ObjectBuilder {
    let description =
        "Rises with each change. In a request: the change is refused if it is another one by now.";
    ObjectBuilder::new().schema_type(Type::Integer).description(Some(description))
}

/// The body of a request: the members of a shape, and what a client may send back as it was shown.
fn body(shape: &'static Shape) -> ObjectBuilder {
    let id = text("Of a new object: the wish for an id. Otherwise it cannot be changed.");
    object_of(shape).property("id", id).property("revision", revision())
}

/// An object as it is shown.
fn view(shape: &'static Shape) -> ObjectBuilder {
    object_of(shape).property("id", text("The id.")).property("revision", revision())
}

fn application_secrets() -> ArrayBuilder {
    let secret = ObjectBuilder::new()
        .property("id", text("The id, to end it."))
        .property("createdAt", text("RFC 3339."));
    ArrayBuilder::new()
        .items(secret)
        .description(Some("The client secrets, newest first. At most two are valid at a time."))
}

fn connection_secrets() -> ObjectBuilder {
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::RefOr(
            ObjectBuilder::new().schema_type(Type::Boolean).into(),
        )))
        .description(Some("The secret fields of its type, and whether they are set. They are never shown."))
}

fn availability() -> ObjectBuilder {
    ObjectBuilder::new()
        .property("available", ObjectBuilder::new().schema_type(Type::Boolean))
        .property("since", text("RFC 3339. Only if it is unavailable, as the members below."))
        .property("reason", text("What WeChat's answer means: a key of docs/doctor.md."))
        .property("errcode", ObjectBuilder::new().schema_type(Type::Integer))
        .property("rid", text("WeChat's id of the request that it answered so."))
        .description(Some("Whether WeChat serves the app. It is read only."))
}

macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::into($schema)
            }
        }

        impl ToSchema for $name {}
    )*};
}

schemas! {
    /// An application to create, or a patch of one.
    ApplicationBody = body(document::application::shape())
        .property("secrets", application_secrets())
        .description(Some("The keys of `[[user_pool.application]]`: docs/apply.md. `secret` is never shown."));
    /// An application.
    ApplicationView = view(document::application::shape())
        .property("secret", text("The client secret that was made. Only in the response that made it."))
        .property("secrets", application_secrets());
    /// A connection to create, or a patch of one.
    ConnectionBody = body(document::connection::shape())
        .property("secrets", connection_secrets())
        .property("availability", availability())
        .description(Some("The keys of `[[user_pool.connection]]`: docs/apply.md. Secrets of `fields` are never shown."));
    /// A connection.
    ConnectionView = view(document::connection::shape())
        .property("secrets", connection_secrets())
        .property("availability", availability());
    /// A pool to create, or a patch of one.
    PoolBody = body(document::pool::shape()).description(Some("The keys of `[[user_pool]]`: docs/apply.md."));
    /// A pool with its settings.
    PoolConfiguration = view(document::pool::shape());
}
