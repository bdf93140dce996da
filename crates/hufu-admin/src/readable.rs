//! The readable page of this surface, made of its OpenAPI document: no script of its own, nothing from elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::response::Response;
use hufu_html::styles;
use hufu_types::{Language, Texts};
use hufu_web::page::{Asset, Page, View, Viewer, respond};
use serde_json::{Map, Value};

/// The texts of the page around what the document says.
pub static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(&[
        (Language::SimplifiedChinese, include_str!("../texts/zh-CN.ftl")),
        (Language::TraditionalChinese, include_str!("../texts/zh-TW.ftl")),
        (Language::English, include_str!("../texts/en.ftl")),
        (Language::Japanese, include_str!("../texts/ja.ftl")),
    ])
});

pub(crate) static STYLES: Asset = Asset::css("api", &[styles::DEV, include_str!("../assets/api.css")]);

/// How deep the members of members are listed.
const DEPTH: usize = 4;

/// What the document says, in the order in which it is read.
pub(crate) struct Content {
    groups: Vec<Group>,
    objects: Vec<Object>,
}

struct Group {
    name: String,
    routes: Vec<Route>,
}

struct Route {
    id: String,
    method: String,
    path: String,
    summary: Words,
    description: Vec<Words>,
    is_open: bool,
    parameters: Vec<Parameter>,
    body: Option<Kind>,
    responses: Vec<(String, Kind)>,
}

struct Parameter {
    name: String,
    place: String,
    kind: String,
    is_required: bool,
    meaning: Words,
}

/// A type, and where on the page it is described.
struct Kind {
    kind: String,
    link: Option<String>,
}

struct Object {
    name: String,
    meaning: Words,
    members: Vec<Member>,
}

struct Member {
    name: String,
    kind: Kind,
    meaning: Words,
}

impl Route {
    fn badge(&self) -> &'static str {
        match self.method.as_str() {
            "GET" => "badge-accent",
            "POST" => "badge-ok",
            "DELETE" => "badge-bad",
            _ => "badge-warn",
        }
    }
}

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    view: View,
    page: Arc<Content>,
}

impl Page for ApiPage {
    fn view(&self) -> &View {
        &self.view
    }
}

/// The page, for a reader.
pub(crate) fn page(content: &Arc<Content>, viewer: &Viewer) -> Response {
    respond(&ApiPage { view: viewer.view(&TEXTS), page: Arc::clone(content) })
}

/// Sentences, some words of which are code.
struct Words(Vec<(bool, String)>);

impl Words {
    fn of(text: &str) -> Self {
        let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
        Self(parts.map(|(place, part)| (place % 2 == 1, part.to_owned())).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

impl Content {
    /// Reads the document.
    pub(crate) fn of(document: &Value) -> Self {
        let mut groups: BTreeMap<String, Vec<Route>> = BTreeMap::new();
        for (path, methods) in members(document.get("paths")) {
            for (method, operation) in members(Some(methods)) {
                let tag = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or("other");
                groups.entry(tag.to_owned()).or_default().push(Route::of(path, method, operation));
            }
        }
        let groups = groups.into_iter().map(|(name, routes)| Group { name, routes }).collect();
        let schemas = members(document.pointer("/components/schemas"));
        let objects = schemas.map(|(name, schema)| Object::of(name, schema)).collect();
        Self { groups, objects }
    }
}

impl Route {
    fn of(path: &str, method: &str, operation: &Value) -> Self {
        let description = text(operation, "description");
        let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
        let parameters = parameters.map(|parameter| Parameter {
            name: text(parameter, "name"),
            place: text(parameter, "in"),
            kind: parameter.get("schema").map(|schema| Kind::of(schema).kind).unwrap_or_default(),
            is_required: parameter.get("required").and_then(Value::as_bool).unwrap_or_default(),
            meaning: Words::of(&text(parameter, "description")),
        });
        let content = |of: &Value| {
            let (_, media) = members(of.get("content")).next()?;
            media.get("schema").map(Kind::of)
        };
        let responses = members(operation.get("responses")).map(|(status, response)| {
            let kind = content(response).unwrap_or(Kind { kind: String::new(), link: None });
            (status.clone(), kind)
        });
        Self {
            id: text(operation, "operationId"),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: Words::of(&text(operation, "summary")),
            description: description.split("\n\n").filter(|it| !it.is_empty()).map(Words::of).collect(),
            is_open: operation.get("security").and_then(Value::as_array).is_some_and(Vec::is_empty),
            parameters: parameters.collect(),
            body: operation.get("requestBody").and_then(content),
            responses: responses.collect(),
        }
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.rsplit('/').next()) {
            return Self { kind: name.to_owned(), link: Some(format!("object-{name}")) };
        }
        for join in ["oneOf", "anyOf", "allOf"] {
            if let Some(all) = schema.get(join).and_then(Value::as_array) {
                let kinds: Vec<Self> = all.iter().map(Self::of).collect();
                let kind = kinds.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>().join(" | ");
                return Self { kind, link: kinds.into_iter().find_map(|it| it.link) };
            }
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            return Self { kind: values.join(" | "), link: None };
        }
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ")
            }
            _ => "any".to_owned(),
        };
        match schema.get("items") {
            Some(items) => {
                let inner = Self::of(items);
                Self { kind: kind.replace("array", &format!("array of {}", inner.kind)), link: inner.link }
            }
            None => Self { kind, link: None },
        }
    }
}

impl Object {
    fn of(name: &str, schema: &Value) -> Self {
        let mut found = Vec::new();
        list(schema, "", DEPTH, &mut found);
        if found.is_empty() {
            found.push(Member { name: "–".to_owned(), kind: Kind::of(schema), meaning: Words::of("") });
        }
        Self { name: name.to_owned(), meaning: Words::of(&text(schema, "description")), members: found }
    }
}

/// Lists the members of an object, and theirs below them.
fn list(schema: &Value, within: &str, depth: usize, found: &mut Vec<Member>) {
    if depth == 0 {
        return;
    }
    for (name, member) in members(schema.get("properties")) {
        let name = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        let meaning = Words::of(&text(member, "description"));
        found.push(Member { name: name.clone(), kind: Kind::of(member), meaning });
        list(member, &name, depth - 1, found);
        if let Some(items) = member.get("items") {
            list(items, &format!("{name}.*"), depth - 1, found);
        }
    }
}
