//! The operations that there are. The published management clients call many that there are not.

use std::collections::HashSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    ExecutableDocument, OperationType, Selection, TypeKind, TypeSystemDefinition,
};
use hufu_app::Refusal;
use hufu_types::refusal::Code;

use crate::management::later;

/// What the clients ask for about a user that Hufu does not have: the fields, and their subjects in English and Chinese.
const NOT_SERVED: [(&str, [&str; 2]); 4] = [
    ("roles", ["roles", "角色"]),
    ("groups", ["groups", "分组"]),
    ("departments", ["departments", "部门"]),
    ("authorizedResources", ["resources", "资源"]),
];

/// The names of the root fields.
pub(super) struct Served {
    queries: HashSet<String>,
    mutations: HashSet<String>,
}

impl Served {
    /// The root fields of a schema.
    pub(super) fn of(sdl: &str) -> Self {
        let (mut queries, mut mutations) = (HashSet::new(), HashSet::new());
        for definition in parse_schema(sdl).map(|document| document.definitions).unwrap_or_default() {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let TypeKind::Object(object) = &definition.node.kind else { continue };
            let names = match definition.node.name.node.as_str() {
                "Query" => &mut queries,
                "Mutation" => &mut mutations,
                _ => continue,
            };
            names.extend(object.fields.iter().map(|field| field.node.name.node.to_string()));
        }
        Self { queries, mutations }
    }

    /// # Errors
    /// [`Code::NotServed`] for a document that calls an operation which there is not; [`Code::NotServedYet`] for one that asks
    /// for what a user does not have.
    pub(super) fn check(&self, document: &ExecutableDocument) -> Result<(), Refusal> {
        for (_, operation) in document.operations.iter() {
            let names = match operation.node.ty {
                OperationType::Query => &self.queries,
                OperationType::Mutation => &self.mutations,
                // Validation says that there are none.
                OperationType::Subscription => continue,
            };
            for selection in &operation.node.selection_set.node.items {
                let Selection::Field(field) = &selection.node else { continue };
                let name = field.node.name.node.as_str();
                if !name.starts_with("__") && !names.contains(name) {
                    return Err(Code::NotServed.into());
                }
                let asked = field.node.selection_set.node.items.iter().filter_map(|item| match &item.node {
                    Selection::Field(field) => Some(field.node.name.node.as_str()),
                    _ => None,
                });
                let mut asked = asked.filter_map(|name| NOT_SERVED.iter().find(|(field, _)| *field == name));
                if let Some((_, subject)) = asked.next() {
                    return Err(later::no(*subject));
                }
            }
        }
        Ok(())
    }
}
