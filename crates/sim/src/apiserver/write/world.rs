//! Writes to objects that follow the world: patches, replacements, removals, scale and evictions.

use http::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{Options, Write, namespace, patch, precondition, read};
use crate::apiserver::list::Renderer;
use crate::apiserver::parameters::Parameters;
use crate::apiserver::status::Status;
use crate::apiserver::{Api, Place, Request, json as respond, resource};
use crate::http::Body;
use crate::objects::{Object, Version, difference};
use crate::store::{Extent, Key, Kind};

/// Whether the world, and not a client, made the object.
pub(super) fn is_worlds(version: &Version) -> bool {
    !matches!(version.object, Object::Written(_))
}

impl Write<'_> {
    /// The object of `name`, where there is one.
    pub(super) fn found(&self, name: &str) -> Option<(Kind, Key, Version)> {
        let kind = self.resource.stored?;
        let key: Key = (self.namespace, name.into());
        let version = self.api.store.get(kind, &key)?;
        Some((kind, key, version))
    }

    /// Changes an object of the world.
    pub(super) fn change_world(
        &self,
        name: &str,
        request: &Request,
        options: &Options,
    ) -> Result<Response<Body>, Status> {
        let (kind, key, version) =
            self.found(name).ok_or_else(|| Status::not_found(self.resource, name))?;
        let now = self.whole(&version);
        let next = if request.method == Method::PUT {
            read(&request.body)?
        } else {
            patched(&now, request)?
        };
        let (next, unless) = self.settled(&now, next, name, options)?;
        if unless.resource_version.is_some_and(|seen| seen != version.resource_version) {
            return Err(Status::conflict(self.resource, name));
        }
        if options.dry_run {
            return Ok(respond(StatusCode::OK, &next));
        }
        let version = self.overlay(kind, &key, &version, &next, name)?;
        let whole = self.whole(&version);
        if matches!(kind, Kind::StatefulSets | Kind::DaemonSets) {
            self.keep_revision(name, &whole);
        }
        Ok(respond(StatusCode::OK, &whole))
    }

    /// `next` with what only the server says of it, checked.
    fn settled(
        &self,
        now: &Value,
        mut next: Value,
        name: &str,
        options: &Options,
    ) -> Result<(Value, crate::store::Precondition), Status> {
        let unless = precondition(&next["metadata"])?;
        self.named(&mut next)?;
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
            next["metadata"][field] = now["metadata"][field].clone();
        }
        if let Some(metadata) = next["metadata"].as_object_mut() {
            metadata.retain(|_, value| !value.is_null());
        }
        if !now["status"].is_null() {
            next["status"] = now["status"].clone();
        }
        self.check(&next, name, options)?;
        Ok((next, unless))
    }

    fn overlay(
        &self,
        kind: Kind,
        key: &Key,
        version: &Version,
        next: &Value,
        name: &str,
    ) -> Result<Version, Status> {
        let base = match &version.object {
            Object::Changed { base, .. } => Version { object: (**base).clone(), ..version.clone() },
            _ => version.clone(),
        };
        let mut patch = difference(&self.whole(&base), next).unwrap_or_else(|| json!({}));
        // What the world says of itself goes on.
        if let Some(patch) = patch.as_object_mut() {
            patch.remove("status");
        }
        let unless = crate::store::Precondition {
            resource_version: Some(version.resource_version),
            uid: None,
        };
        let changed = self.api.store.overlay(kind, key, &unless, patch, self.now());
        changed.map_err(|why| self.refused(why, name))
    }

    /// Removes an object of the world.
    pub(super) fn delete_world(
        &self,
        name: &str,
        body: &[u8],
        options: &Options,
    ) -> Result<Response<Body>, Status> {
        let asked = if body.is_empty() { Value::Null } else { read(body)? };
        let unless = precondition(&asked["preconditions"])?;
        let (kind, key, version) =
            self.found(name).ok_or_else(|| Status::not_found(self.resource, name))?;
        if options.dry_run {
            return Ok(respond(StatusCode::OK, &self.whole(&version)));
        }
        let removed = self.api.store.banish(kind, &key, &unless, self.now());
        let version = removed.map_err(|why| self.refused(why, name))?;
        Ok(respond(StatusCode::OK, &self.whole(&version)))
    }
}

/// `now` after the patch in `request`.
fn patched(now: &Value, request: &Request) -> Result<Value, Status> {
    let kind = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut next = now.clone();
    match kind.unwrap_or("").split(';').next().unwrap_or("") {
        "application/json-patch+json" => {
            let steps = once::json(&request.body)
                .map_err(|error| Status::bad_request(format!("the patch: {error}")))?;
            for step in steps.as_array().into_iter().flatten() {
                apply_step(&mut next, step)?;
            }
        }
        "application/apply-patch+yaml" => {
            let change = read(&request.body)?;
            patch::merge(&mut next, &change);
        }
        "application/strategic-merge-patch+json" => {
            let mut change = read(&request.body)?;
            replace_whole(&mut next, &mut change);
            patch::merge(&mut next, &change);
        }
        _ => patch::merge(&mut next, &patch::read(&request.headers, &request.body)?),
    }
    Ok(next)
}

/// Carries out `$patch: replace` of a strategic patch: what is there goes first.
fn replace_whole(target: &mut Value, change: &mut Value) {
    let Value::Object(change) = change else { return };
    if change.remove("$patch").is_some_and(|order| order == "replace") {
        *target = json!({});
    }
    for (key, value) in change {
        if let Some(below) = target.get_mut(key) {
            replace_whole(below, value);
        }
    }
}

/// A step of a JSON patch (RFC 6902): `test`, `add`, `replace`, `remove` of object members.
fn apply_step(target: &mut Value, step: &Value) -> Result<(), Status> {
    let path = step["path"].as_str().unwrap_or_default();
    let (above, name) = path.rsplit_once('/').unwrap_or(("", ""));
    let missing = || Status::invalid(format!("the patch: there is no {path}"));
    let name = name.replace("~1", "/").replace("~0", "~");
    match step["op"].as_str() {
        Some("test") if target.pointer(path) == Some(&step["value"]) => Ok(()),
        Some("test") => Err(Status::invalid(format!("the patch: testing {path} failed"))),
        Some("add" | "replace") => {
            let above = target.pointer_mut(above).and_then(Value::as_object_mut);
            above.ok_or_else(missing)?.insert(name, step["value"].clone());
            Ok(())
        }
        Some("remove") => {
            let above = target.pointer_mut(above).and_then(Value::as_object_mut);
            above.and_then(|above| above.remove(&name)).map(|_| ()).ok_or_else(missing)
        }
        _ => Err(Status::bad_request("the patch has a step that is not known here")),
    }
}

/// `…/scale`: how many replicas a controller is to have.
pub(in crate::apiserver) fn scale(
    api: &Api,
    place: &Place,
    request: &Request,
) -> Result<Response<Body>, Status> {
    let name = place.name.as_deref().unwrap_or_default();
    let write = Write { api, resource: place.resource, namespace: namespace(api, place)? };
    let options = Options::read(request.query.as_deref())?;
    let (kind, key, version) =
        write.found(name).ok_or_else(|| Status::not_found(place.resource, name))?;
    let mut object = write.whole(&version);
    let show = |object: &Value| {
        json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1",
            "metadata": {
                "name": name, "namespace": place.namespace, "uid": object["metadata"]["uid"],
                "resourceVersion": object["metadata"]["resourceVersion"],
            },
            "spec": { "replicas": object["spec"]["replicas"] },
            "status": { "replicas": object["status"]["replicas"] },
        })
    };
    if request.method == Method::GET {
        return Ok(respond(StatusCode::OK, &show(&object)));
    }
    let mut scale = show(&object);
    match request.method {
        Method::PUT => scale = read(&request.body)?,
        Method::PATCH => {
            patch::merge(&mut scale, &patch::read(&request.headers, &request.body)?);
        }
        _ => return Err(Status::method_not_allowed()),
    }
    let replicas = scale["spec"]["replicas"].as_u64();
    let replicas = replicas.ok_or_else(|| Status::invalid("spec.replicas: must be a number"))?;
    object["spec"]["replicas"] = replicas.into();
    if options.dry_run || !is_worlds(&version) {
        return Ok(respond(StatusCode::OK, &show(&object)));
    }
    let version = write.overlay(kind, &key, &version, &object, name)?;
    Ok(respond(StatusCode::OK, &show(&write.whole(&version))))
}

/// `POST …/eviction`: removes a pod unless a disruption budget holds it.
pub(in crate::apiserver) fn evict(
    api: &Api,
    place: &Place,
    request: &Request,
) -> Result<Response<Body>, Status> {
    if request.method != Method::POST {
        return Err(Status::method_not_allowed());
    }
    let name = place.name.as_deref().unwrap_or_default();
    let write = Write { api, resource: place.resource, namespace: namespace(api, place)? };
    let (_, _, version) =
        write.found(name).ok_or_else(|| Status::not_found(place.resource, name))?;
    let pod = write.whole(&version);
    if let Some(budget) = holding(api, write.namespace, &pod) {
        return Err(Status::disruption(&budget));
    }
    let eviction = read(&request.body)?;
    let options = Options::read(request.query.as_deref())?;
    let unless = json!({ "preconditions": eviction["deleteOptions"]["preconditions"] });
    write.delete_world(name, unless.to_string().as_bytes(), &options)?;
    Ok(respond(
        StatusCode::CREATED,
        &json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }),
    ))
}

/// The budget that would be broken without `pod`.
fn holding(api: &Api, namespace: u32, pod: &Value) -> Option<String> {
    let extent = Extent { namespace: Some(namespace), ..Extent::default() };
    let budgets = api.store.list(Kind::Budgets, &extent).ok()?.items;
    let pods = resource::find("", "v1", "pods")?;
    for (_, budget) in budgets {
        let Object::Written(budget) = &budget.object else { continue };
        let wanted = budget.body["spec"]["selector"]["matchLabels"].as_object()?;
        let covers = |pod: &Value| {
            wanted.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value)
        };
        let least = budget.body["spec"]["minAvailable"].as_u64()?;
        if !covers(pod) {
            continue;
        }
        let parameters = Parameters::default();
        let renderer = Renderer::new(api, pods, &parameters, (api.now)().secs());
        let held = api.store.list(Kind::Pods, &extent).ok()?.items;
        let ready = held.iter().filter(|(_, version)| {
            let one = Value::Object(renderer.whole(version));
            covers(&one) && one["status"]["phase"] == "Running"
        });
        if (ready.count() as u64) <= least {
            return budget.body["metadata"]["name"].as_str().map(str::to_owned);
        }
    }
    None
}
