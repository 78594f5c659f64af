//! Objects that clients wrote: their own body, with what the API server adds to `metadata`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Metadata, time};
use crate::plan::{Plan, Sec};

/// A client's object.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// `None` of a cluster-wide kind.
    pub namespace: Option<u32>,
    pub uid: String,
    pub created: Sec,
    /// Rises with each change of `spec`.
    pub generation: u32,
    /// As the client sent it.
    pub body: Value,
}

impl Written {
    pub(super) fn metadata(&self, plan: &Plan) -> Metadata {
        let text = |field: &str| self.body["metadata"][field].as_str().map(str::to_owned);
        Metadata {
            name: text("name").unwrap_or_default(),
            generate_name: text("generateName"),
            namespace: self.namespace.map(|index| Arc::clone(plan.namespace(index))),
            uid: self.uid.clone(),
            created: self.created,
            ..Metadata::default()
        }
    }

    /// A label's value.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.body["metadata"]["labels"][key].as_str()
    }

    /// `metadata` as the client sent it, with the server's fields.
    pub(crate) fn metadata_json(&self, plan: &Plan, resource_version: u64) -> Value {
        let mut metadata = self.body["metadata"].clone();
        if let Some(index) = self.namespace {
            metadata["namespace"] = (**plan.namespace(index)).into();
        }
        metadata["uid"] = self.uid.clone().into();
        metadata["resourceVersion"] = resource_version.to_string().into();
        metadata["creationTimestamp"] = time(self.created).into();
        metadata
    }

    /// The whole object without `kind` and `apiVersion`.
    pub(super) fn render(&self, plan: &Plan, resource_version: u64) -> Map<String, Value> {
        let Value::Object(mut object) = self.body.clone() else { return Map::new() };
        object.remove("kind");
        object.remove("apiVersion");
        object.insert("metadata".to_owned(), self.metadata_json(plan, resource_version));
        object
    }
}
