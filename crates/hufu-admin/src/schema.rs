//! The schemas of configuration objects, made of their shapes.

use std::sync::LazyLock;

use hufu_app::configuration::SenderKind;
use hufu_app::configuration::document::{self, Shape};
use hufu_app::sources::{self, Field, Form};
use hufu_types::ConnectionKind;
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
        Shape::Localized => localized().into(),
        Shape::Choice(values) => {
            let values = values.iter().map(|value| Some(*value)).chain([None]);
            ObjectBuilder::new().schema_type(nullable(Type::String)).enum_values(Some(values)).into()
        }
        Shape::List(inner) => {
            let items = match &**inner {
                Shape::Object(_) => object_of(inner).into(),
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

/// A string, or strings by language.
fn localized() -> ObjectBuilder {
    let string = ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Object, Type::Null]))
        .additional_properties(Some(AdditionalProperties::RefOr(string.into())))
        .description(Some("A string, or strings by language: `zh-CN`, `zh-TW`, `en`, `ja`."))
}

/// The elements of a list in a pool's settings.
fn element(list: &str) -> &'static Shape {
    let settings = document::pool::shape().member("settings");
    match settings.and_then(|settings| settings.member(list)) {
        Some(Shape::List(inner)) => inner,
        _ => &Shape::Any,
    }
}

/// The keys of all providers of both channels.
fn sender() -> ObjectBuilder {
    let shapes = [SenderKind::Email, SenderKind::Sms].map(document::sender::shape);
    let closed = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let all = shapes.iter().flat_map(|shape| shape.members());
    let object = all.fold(closed, |object, (name, shape)| {
        let schema = schema_of(shape);
        let schema = if document::sender::is_secret(name) { written(schema) } else { schema };
        object.property(case::camel(name), schema)
    });
    let mut providers: Vec<Option<&'static str>> = vec![None];
    for shape in shapes {
        if let Some(Shape::Choice(names)) = shape.member("provider") {
            providers.extend(names.iter().copied().map(Some));
        }
    }
    providers.sort_unstable();
    providers.dedup();
    let provider = ObjectBuilder::new()
        .schema_type(nullable(Type::String))
        .enum_values(Some(providers))
        .description(Some(
            "Determines the other keys: `smtp` for mail, `aliyun`, `tencent` or `http` for text messages.",
        ));
    object
        .property("provider", provider)
        .property("channel", text("`email` or `sms`. It is read only."))
        .property("revision", revision())
        .property("secrets", connection_secrets())
        .description(Some("The keys of the provider: docs/apply.md. Secrets are never shown."))
}

fn templates() -> ObjectBuilder {
    object_of(document::sender::shape(SenderKind::Templates)).property("revision", revision())
}

fn object_of(shape: &'static Shape) -> ObjectBuilder {
    let closed = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)));
    case::members(shape).fold(closed, |object, (name, shape)| object.property(name, schema_of(shape)))
}

/// A text; `null` in a request is as if it were not there.
fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(nullable(Type::String)).description(Some(description))
}

/// A member that is written and never shown.
fn written(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.write_only = Some(true);
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

/// The `fields` of connections of all kinds together. Secrets are only in what is written.
fn fields(with_secrets: bool) -> ObjectBuilder {
    let kinds: Vec<_> = ConnectionKind::ALL.iter().map(|kind| sources::fields(*kind)).collect();
    fields_of(&kinds, with_secrets)
        .description(Some("Which of them it has depends on its type: docs/apply.md."))
}

fn fields_of(kinds: &[&'static [Field]], with_secrets: bool) -> ObjectBuilder {
    let closed = ObjectBuilder::new()
        .schema_type(nullable(Type::Object))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let all = kinds.iter().copied().flatten().filter(|field| with_secrets || !field.secret);
    all.fold(closed, |object, field| {
        let schema = match field.form {
            Form::Table(inner) => fields_of(&[inner], with_secrets).into(),
            Form::Flag { .. } => schema_of(&Shape::Flag),
            Form::Addresses => schema_of(&TEXTS),
            Form::ByLanguage { .. } => schema_of(&BY_LANGUAGE),
            _ => schema_of(&Shape::Text),
        };
        let schema = if field.secret { written(schema) } else { schema };
        object.property(case::camel(field.name), schema)
    })
}

static TEXTS: LazyLock<Shape> = LazyLock::new(|| Shape::List(Box::new(Shape::Text)));
static BY_LANGUAGE: LazyLock<Shape> = LazyLock::new(|| Shape::Map(Box::new(Shape::Text)));

/// The public keys of a client. What a private one has beside them is not named.
fn jwks() -> ObjectBuilder {
    let named = ["kty", "kid", "use", "alg", "crv", "x", "y", "n", "e"];
    let key =
        named.into_iter().fold(ObjectBuilder::new(), |key, name| key.property(name, schema_of(&Shape::Text)));
    let key = key.property("key_ops", schema_of(&TEXTS)).property("x5c", schema_of(&TEXTS));
    let keys = ArrayBuilder::new().schema_type(nullable(Type::Array)).items(key);
    ObjectBuilder::new()
        .schema_type(nullable(Type::Object))
        .property("keys", keys)
        .description(Some("The public keys of the client (RFC 7517)."))
}

fn revision() -> ObjectBuilder {
    let description =
        "Rises with each change. In a request: the change is refused if it is another one by now.";
    ObjectBuilder::new().schema_type(nullable(Type::Integer)).description(Some(description))
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

fn confirmation() -> ObjectBuilder {
    let description = "Confirms another `appId` though people have logged in through the present one.";
    ObjectBuilder::new().schema_type(nullable(Type::Boolean)).description(Some(description))
}

fn application_secrets() -> ArrayBuilder {
    let secret = ObjectBuilder::new()
        .property("id", text("The id, to end it."))
        .property("createdAt", text("RFC 3339."))
        .property(
            "createdBy",
            text("The administrator who made or set it, directly or with a key of theirs. Null if that is not known."),
        )
        .property(
            "createdByDismissed",
            ObjectBuilder::new()
                .schema_type(nullable(Type::Boolean))
                .description(Some("Whether they have no role in the pool any more.")),
        );
    ArrayBuilder::new()
        .schema_type(nullable(Type::Array))
        .items(secret)
        .description(Some("The client secrets, newest first. At most two are valid at a time."))
}

fn connection_secrets() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(nullable(Type::Object))
        .additional_properties(Some(AdditionalProperties::RefOr(
            ObjectBuilder::new().schema_type(Type::Boolean).into(),
        )))
        .description(Some("The secret fields of its type, and whether they are set. They are never shown."))
}

fn availability() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(nullable(Type::Object))
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
        .property("secret", text("A client secret to set.").write_only(true))
        .property("jwks", jwks())
        .property("secrets", application_secrets())
        .description(Some("The keys of `[[user_pool.application]]`: docs/apply.md. `secret` is never shown."));
    /// An application.
    ApplicationView = view(document::application::shape())
        .property("secret", text("The client secret that was made. Only in the response that made it."))
        .property("secrets", application_secrets());
    /// A connection to create, or a patch of one.
    ConnectionBody = body(document::connection::shape())
        .property("fields", fields(true))
        .property("secrets", connection_secrets())
        .property("availability", availability())
        .property("confirm", confirmation())
        .description(Some("The keys of `[[user_pool.connection]]`: docs/apply.md. Secrets of `fields` are never shown."));
    /// A connection.
    ConnectionView = view(document::connection::shape())
        .property("fields", fields(false))
        .property("secrets", connection_secrets())
        .property("availability", availability());
    /// A pool to create, or a patch of one.
    PoolBody = body(document::pool::shape())
        .property("state", text("As it was shown. It cannot be written."))
        .property("goesAt", ObjectBuilder::new().schema_type(nullable(Type::String)))
        .description(Some("The keys of `[[user_pool]]`: docs/apply.md."));
    /// A pool with its settings.
    PoolConfiguration = view(document::pool::shape())
        .property("state", text("`on`, `off` or `removed`. It is read only."))
        .property("goesAt", ObjectBuilder::new().schema_type(nullable(Type::String))
            .description(Some("When the rows of a removed pool go, RFC 3339. It is read only.")));
    /// A scope of a pool.
    ScopeItem = object_of(element("scopes")).property("revision", revision());
    /// An agreement.
    AgreementItem = object_of(element("agreements")).property("revision", revision());
    /// A custom field.
    CustomFieldItem = object_of(element("custom_fields")).property("revision", revision());
    /// How a pool sends e-mail or text messages.
    SenderView = sender();
    /// The texts that a pool has of its own, by purpose and language.
    TemplatesBody = templates();
}
