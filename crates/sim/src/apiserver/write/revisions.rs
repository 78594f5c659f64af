//! What the controllers of stateful sets and daemon sets do when a template changes: keep it as a
//! `ControllerRevision`, or number the one that holds it already as the newest.

use serde_json::{Value, json};

use super::Write;
use crate::apiserver::list::Renderer;
use crate::apiserver::parameters::Parameters;
use crate::apiserver::resource;
use crate::objects::{Object, Version};
use crate::seed::{suffix, text};
use crate::store::{Extent, Key, Kind, Precondition};

const KIND: Kind = Kind::ControllerRevisions;

/// A revision that is kept.
struct Kept {
    key: Key,
    version: Version,
    template: Value,
    number: i64,
}

impl Write<'_> {
    /// Follows a change of the owner called `name`, which is `owner` now.
    pub(super) fn keep_revision(&self, name: &str, owner: &Value) {
        let mut template = owner["spec"]["template"].clone();
        if let Some(metadata) = template["metadata"].as_object_mut() {
            metadata.remove("creationTimestamp");
        }
        template["$patch"] = "replace".into();
        let kept = self.revisions(owner);
        let newest = kept.iter().map(|one| one.number).max().unwrap_or(0);
        let (at, number) = (self.now(), newest + 1);
        match kept.into_iter().find(|one| one.template == template) {
            Some(same) if same.number == newest => {}
            // What a write of somebody else hinders is written with the next change.
            Some(same) => drop(self.number(&same, number)),
            None => {
                let hash = suffix(text(&template.to_string()), 10);
                let body = revision(owner, name, &hash, &template, number);
                let key: Key = (self.namespace, format!("{name}-{hash}").into());
                drop(self.api.store.create(KIND, &key, true, body, at));
            }
        }
    }

    /// Those that `owner` controls.
    fn revisions(&self, owner: &Value) -> Vec<Kept> {
        let extent = Extent { namespace: Some(self.namespace), ..Extent::default() };
        let (Ok(found), Some(resource)) = (
            self.api.store.list(KIND, &extent),
            resource::find("apps", "v1", "controllerrevisions"),
        ) else {
            return Vec::new();
        };
        let parameters = Parameters::default();
        let renderer = Renderer::new(self.api, resource, &parameters, self.now());
        let kept = found.items.into_iter().filter_map(|(key, version)| {
            let mut whole = Value::Object(renderer.whole(&version));
            let owners = whole["metadata"]["ownerReferences"].as_array();
            let own = owners?.iter().any(|one| one["uid"] == owner["metadata"]["uid"]);
            let number = whole["revision"].as_i64()?;
            let template = whole["data"]["spec"]["template"].take();
            own.then_some(Kept { key, version, template, number })
        });
        kept.collect()
    }

    fn number(&self, kept: &Kept, number: i64) -> Result<Version, crate::store::Refused> {
        let (store, at) = (&self.api.store, self.now());
        let unless = Precondition {
            resource_version: Some(kept.version.resource_version),
            ..Precondition::default()
        };
        match &kept.version.object {
            Object::Written(written) => {
                let mut body = written.body.clone();
                body["revision"] = number.into();
                store.replace(KIND, &kept.key, &unless, body, at)
            }
            _ => store.overlay(KIND, &kept.key, &unless, json!({ "revision": number }), at),
        }
    }
}

fn revision(owner: &Value, name: &str, hash: &str, template: &Value, number: i64) -> Value {
    let metadata = &owner["metadata"];
    let mut labels = owner["spec"]["template"]["metadata"]["labels"].clone();
    labels["controller.kubernetes.io/hash"] = hash.into();
    json!({
        "kind": "ControllerRevision", "apiVersion": "apps/v1",
        "metadata": {
            "name": format!("{name}-{hash}"), "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": owner["kind"], "name": name,
                "uid": metadata["uid"], "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "data": { "spec": { "template": template } },
        "revision": number,
    })
}
