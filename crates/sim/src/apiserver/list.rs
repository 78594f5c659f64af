//! Single objects and lists, whole, as tables or as metadata only. Lists are rendered while they
//! are sent.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::parameters::{Form, Match, Parameters, Token};
use super::resource::Resource;
use super::selector::fields_of;
use super::status::Status;
use super::{Api, table};
use crate::http::{Body, JSON, streamed};
use crate::objects::{Cluster, Object, Version, metadata, metadata_json, render, render_new_event};
use crate::plan::Sec;
use crate::store::{Extent, Key, Snapshot};

/// Objects rendered for each chunk sent.
const CHUNK: usize = 64;

/// How objects of one answer are rendered.
#[derive(Clone)]
pub(super) struct Renderer {
    pub cluster: Arc<Cluster>,
    pub resource: &'static Resource,
    pub parameters: Arc<Parameters>,
    pub now: Sec,
}

impl Renderer {
    pub(super) fn new(
        api: &Api,
        resource: &'static Resource,
        parameters: &Parameters,
        now: Sec,
    ) -> Self {
        let cluster = Arc::clone(api.store.cluster());
        Self { cluster, resource, parameters: Arc::new(parameters.clone()), now }
    }

    /// An object as an item of a list: without kind and version unless it is a partial one.
    fn item(&self, version: &Version) -> Value {
        match self.parameters.form {
            Form::Whole => Value::Object(self.whole(version)),
            Form::Partial => Value::Object(self.partial(version)),
            Form::Table => table::row(self, version),
        }
    }

    /// An object on its own.
    pub(super) fn single(&self, version: &Version, headers: bool) -> Value {
        match self.parameters.form {
            Form::Whole => {
                let mut object = self.whole(version);
                object.insert("kind".to_owned(), self.resource.kind.into());
                object.insert("apiVersion".to_owned(), self.resource.api_version().into());
                Value::Object(object)
            }
            Form::Partial => Value::Object(self.partial(version)),
            Form::Table => {
                let version_text = version.resource_version.to_string();
                let mut table = table::frame(
                    self.resource,
                    headers,
                    &json!({ "resourceVersion": version_text }),
                );
                table["rows"] = json!([table::row(self, version)]);
                table
            }
        }
    }

    pub(super) fn whole(&self, version: &Version) -> Map<String, Value> {
        let mut object = render(&self.cluster, version, self.now);
        if self.resource.is_new_event() {
            render_new_event(&mut object);
        }
        object
    }

    pub(super) fn partial(&self, version: &Version) -> Map<String, Value> {
        let metadata = if let Object::Written(written) = &version.object {
            written.metadata_json(&self.cluster.plan, version.resource_version)
        } else {
            let metadata = metadata(&self.cluster, version);
            let mut json = metadata_json(&metadata, version.resource_version);
            if let Object::Changed { patch, .. } = &version.object {
                crate::objects::lay(&mut json, &patch["metadata"]);
            }
            json
        };
        let mut object = Map::new();
        object.insert("kind".to_owned(), "PartialObjectMetadata".into());
        object.insert("apiVersion".to_owned(), "meta.k8s.io/v1".into());
        object.insert("metadata".to_owned(), metadata);
        object
    }
}

/// The index of a namespace; `None` when there is no such namespace.
pub(super) fn namespace_index(cluster: &Cluster, name: &str) -> Option<u32> {
    let found = cluster.plan.namespaces.binary_search_by(|one| (**one).cmp(name)).ok()?;
    u32::try_from(found).ok()
}

pub(super) fn get(
    api: &Arc<Api>,
    resource: &'static Resource,
    namespace: Option<&str>,
    name: &str,
    parameters: &Parameters,
) -> Result<Response<Body>, Status> {
    let missing = || Status::not_found(resource, name);
    let index = match namespace {
        Some(namespace) => namespace_index(api.store.cluster(), namespace).ok_or_else(missing)?,
        None if resource.namespaced => return Err(Status::no_such_path()),
        None => 0,
    };
    let key: Key = (index, name.into());
    let version = resource.stored.and_then(|kind| api.store.get(kind, &key)).ok_or_else(missing)?;
    let renderer = Renderer::new(api, resource, parameters, (api.now)().secs());
    Ok(super::json(StatusCode::OK, &renderer.single(&version, true)))
}

pub(super) fn list(
    api: &Arc<Api>,
    resource: &'static Resource,
    namespace: Option<&str>,
    parameters: &Parameters,
) -> Result<Response<Body>, Status> {
    parameters.selection.check_fields(resource.kind, &fields_of(resource.kind))?;
    let page = page(api, resource, namespace, parameters)?;
    let mut list = json!({ "resourceVersion": page.resource_version.to_string() });
    if let Some(token) = page.token {
        list["continue"] = token.write().into();
    }
    if let Some(remaining) = page.remaining {
        list["remainingItemCount"] = remaining.into();
    }
    let renderer = Renderer::new(api, resource, parameters, (api.now)().secs());
    let (head, items) = match parameters.form {
        Form::Table => (table::frame(resource, true, &list), "rows"),
        Form::Partial => (
            json!({ "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": list }),
            "items",
        ),
        Form::Whole => {
            let kind = format!("{}List", resource.kind);
            (
                json!({ "kind": kind, "apiVersion": resource.api_version(), "metadata": list }),
                "items",
            )
        }
    };
    Ok(streamed(JSON, chunks(renderer, &head, items, page.versions)))
}

/// The list's bytes: `head` opened again, then its items.
fn chunks(
    renderer: Renderer,
    head: &Value,
    items: &str,
    versions: Vec<Version>,
) -> impl futures_util::Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    let mut opening = head.to_string();
    opening.pop();
    opening.extend([",\"", items, "\":["]);
    let mut rest = versions.into_iter().peekable();
    let mut first = true;
    let mut opening = Some(opening);
    let mut done = false;
    stream::iter(std::iter::from_fn(move || {
        if let Some(opening) = opening.take() {
            return Some(Ok(Bytes::from(opening)));
        }
        if done {
            return None;
        }
        let mut chunk = Vec::new();
        for version in rest.by_ref().take(CHUNK) {
            if !std::mem::replace(&mut first, false) {
                chunk.push(b',');
            }
            if let Err(error) = serde_json::to_writer(&mut chunk, &renderer.item(&version)) {
                return Some(Err(error.into()));
            }
        }
        if rest.peek().is_none() {
            done = true;
            chunk.extend_from_slice(b"]}\n");
        }
        Some(Ok(Bytes::from(chunk)))
    }))
}

struct Page {
    resource_version: u64,
    versions: Vec<Version>,
    token: Option<Token>,
    remaining: Option<usize>,
}

fn page(
    api: &Arc<Api>,
    resource: &'static Resource,
    namespace: Option<&str>,
    parameters: &Parameters,
) -> Result<Page, Status> {
    let cluster = api.store.cluster();
    let empty = |resource_version| Page {
        resource_version,
        versions: Vec::new(),
        token: None,
        remaining: None,
    };
    let latest = api.store.version();
    let Some(kind) = resource.stored else { return Ok(empty(latest)) };
    let namespace = match namespace.map(|name| namespace_index(cluster, name)) {
        Some(None) => return Ok(empty(latest)),
        Some(found) => found,
        None => None,
    };
    let everything = parameters.selection.is_everything();
    let extent = Extent {
        namespace,
        after: parameters.token.as_ref().map(|token| (token.namespace, token.name.as_str().into())),
        resource_version: at_version(parameters, latest)?,
        limit: parameters.limit.filter(|_| everything),
    };
    let snapshot = api.store.list(kind, &extent).map_err(|why| match &parameters.token {
        Some(_) => Status::stale_continue(),
        None => Status::unavailable(extent.resource_version.unwrap_or(0), why),
    })?;
    let Snapshot { resource_version, mut items, mut remaining } = snapshot;
    if !everything {
        items.retain(|(key, version)| parameters.selection.matches(cluster, key, version));
        let limit = parameters.limit.unwrap_or(usize::MAX);
        remaining = items.len().saturating_sub(limit);
        items.truncate(limit);
    }
    let last = items.last().filter(|_| remaining > 0);
    let token =
        last.map(|(key, _)| Token { resource_version, namespace: key.0, name: key.1.to_string() });
    // As the real one, which does not count what it would have to filter.
    let remaining = (remaining > 0 && everything).then_some(remaining);
    let versions = items.into_iter().map(|(_, version)| version).collect();
    Ok(Page { resource_version, versions, token, remaining })
}

/// The version to list at; `None` is the newest.
fn at_version(parameters: &Parameters, latest: u64) -> Result<Option<u64>, Status> {
    if let Some(token) = &parameters.token {
        return Ok(Some(token.resource_version));
    }
    let Some(asked) = parameters.resource_version.filter(|version| *version > 0) else {
        return Ok(None);
    };
    if asked > latest {
        return Err(Status::unavailable(asked, crate::store::Unavailable::Future { latest }));
    }
    let exact = parameters.resource_version_match == Some(Match::Exact)
        || (parameters.resource_version_match.is_none() && parameters.limit.is_some());
    Ok(exact.then_some(asked))
}
