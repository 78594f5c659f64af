//! Writes: objects that clients create, replace, change and delete. What stands for itself is kept
//! (leases, services, rights, …); of kinds that something would have to run only dry runs are taken.

mod patch;
mod revisions;
pub(super) mod world;

use http::{Method, Response, StatusCode};
use serde_json::Value;

use super::list::{Renderer, namespace_index};
use super::parameters::Parameters;
use super::resource::{self, Resource};
use super::schema::{self, Flaw};
use super::status::Status;
use super::{Api, Place, Request, json as respond};
use crate::http::Body;
use crate::objects::Version;
use crate::store::{Key, Kind, Precondition, Refused};

/// What the query of a write may say.
#[derive(Default)]
struct Options {
    dry_run: bool,
    strict: bool,
}

impl Options {
    fn read(query: Option<&str>) -> Result<Self, Status> {
        let mut read = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.unwrap_or("").as_bytes()) {
            match (&*key, &*value) {
                ("dryRun", "All") => read.dry_run = true,
                ("dryRun", "") | ("fieldValidation", "" | "Ignore" | "Warn") => {}
                ("fieldValidation", "Strict") => read.strict = true,
                ("dryRun" | "fieldValidation", value) => {
                    let message = format!("{key}: Unsupported value: \"{value}\"");
                    return Err(Status::invalid(message));
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

/// Whether objects of this kind are kept when they are written.
pub(super) fn keeps(resource: &Resource) -> bool {
    use Kind::{
        ApiServices, Budgets, ClusterRoleBindings, ClusterRoles, ConfigMaps, ControllerRevisions,
        Endpoints, Leases, PodMonitors, RoleBindings, Roles, Scalers, Secrets, ServiceAccounts,
        ServiceMonitors, Services, Ships,
    };
    let kept = [
        Leases,
        Services,
        Endpoints,
        ConfigMaps,
        ServiceAccounts,
        ApiServices,
        Roles,
        RoleBindings,
        ClusterRoles,
        ClusterRoleBindings,
        Secrets,
        Budgets,
        Scalers,
        ControllerRevisions,
        Ships,
        ServiceMonitors,
        PodMonitors,
    ];
    resource.stored.is_some_and(|kind| kept.contains(&kind))
}

pub(super) fn answer(
    api: &Api,
    place: &Place,
    request: &Request,
) -> Result<Response<Body>, Status> {
    if place.subresource.is_some() {
        return Err(Status::method_not_allowed());
    }
    let write = Write { api, resource: place.resource, namespace: namespace(api, place)? };
    let options = Options::read(request.query.as_deref())?;
    let worlds = |name: &String| {
        let found = write.found(name);
        found.is_some_and(|(kind, _, version)| kind != Kind::Events && world::is_worlds(&version))
    };
    match (&request.method, &place.name) {
        (&Method::PUT | &Method::PATCH, Some(name)) if worlds(name) => {
            write.change_world(name, request, &options)
        }
        (&Method::DELETE, Some(name)) if worlds(name) => {
            write.delete_world(name, &request.body, &options)
        }
        (&Method::PATCH, Some(name)) if applies(request) && write.found(name).is_none() => {
            write.create(read(&request.body)?, &options)
        }
        (&Method::POST, None) if schema::is_writable(place.resource) => {
            write.create(read(&request.body)?, &options)
        }
        (&Method::PUT, Some(name)) if keeps(place.resource) => {
            write.replace(name, read(&request.body)?, &options)
        }
        (&Method::PATCH, Some(name)) if keeps(place.resource) => {
            write.change(name, request, &options)
        }
        (&Method::DELETE, Some(name)) if keeps(place.resource) => {
            write.delete(name, &request.body, &options)
        }
        _ => Err(Status::method_not_allowed()),
    }
}

/// Whether a patch is server-side apply.
fn applies(request: &Request) -> bool {
    let kind = request.headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind == "application/apply-patch+yaml")
}

/// The namespace written to, which must exist; 0 for cluster-wide kinds.
fn namespace(api: &Api, place: &Place) -> Result<u32, Status> {
    match (&place.namespace, place.resource.namespaced) {
        (Some(name), true) => namespace_index(api.store.cluster(), name).ok_or_else(|| {
            resource::find("", "v1", "namespaces")
                .map_or_else(Status::no_such_path, |namespaces| Status::not_found(namespaces, name))
        }),
        (None, false) => Ok(0),
        _ => Err(Status::method_not_allowed()),
    }
}

fn read(body: &[u8]) -> Result<Value, Status> {
    if body.starts_with(b"k8s\0") {
        return Err(Status::not_json());
    }
    let object = once::json(body)
        .map_err(|error| Status::bad_request(format!("the object cannot be read: {error}")))?;
    if object.is_object() { Ok(object) } else { Err(Status::bad_request("an object is expected")) }
}

struct Write<'a> {
    api: &'a Api,
    resource: &'static Resource,
    namespace: u32,
}

impl Write<'_> {
    fn create(&self, mut object: Value, options: &Options) -> Result<Response<Body>, Status> {
        let name = self.named(&mut object)?;
        self.check(&object, &name, options)?;
        let key: Key = (self.namespace, name.as_str().into());
        let taken = |kind| self.api.store.get(kind, &key).is_some();
        if self.resource.stored.is_some_and(taken) {
            return Err(Status::already_exists(self.resource, &name));
        }
        if options.dry_run {
            return Ok(respond(StatusCode::CREATED, &self.pretended(object)));
        }
        let jobs = self.resource.stored == Some(Kind::Jobs);
        let kind = self.resource.stored.filter(|_| jobs || keeps(self.resource));
        let kind = kind.ok_or_else(|| Status::dry_runs_only(self.resource, &name))?;
        let namespaced = self.resource.namespaced;
        let created = self.api.store.create(kind, &key, namespaced, object, self.now());
        let version = created.map_err(|why| self.refused(why, &name))?;
        Ok(respond(StatusCode::CREATED, &self.whole(&version)))
    }

    fn replace(
        &self,
        name: &str,
        mut object: Value,
        options: &Options,
    ) -> Result<Response<Body>, Status> {
        let own = self.named(&mut object)?;
        if own != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({own}) does not match the name on the URL ({name})"
            )));
        }
        self.check(&object, name, options)?;
        let key: Key = (self.namespace, name.into());
        let unless = precondition(&object["metadata"])?;
        if options.dry_run {
            return Ok(respond(StatusCode::OK, &self.pretended(object)));
        }
        let kind = self.resource.stored.ok_or_else(Status::method_not_allowed)?;
        let replaced = self.api.store.replace(kind, &key, &unless, object, self.now());
        let version = replaced.map_err(|why| self.refused(why, name))?;
        Ok(respond(StatusCode::OK, &self.whole(&version)))
    }

    fn change(
        &self,
        name: &str,
        request: &Request,
        options: &Options,
    ) -> Result<Response<Body>, Status> {
        let change = patch::read(&request.headers, &request.body)?;
        let key: Key = (self.namespace, name.into());
        let kind = self.resource.stored.ok_or_else(Status::method_not_allowed)?;
        let found = self.api.store.get(kind, &key);
        let found = found.ok_or_else(|| Status::not_found(self.resource, name))?;
        let mut object = self.whole(&found);
        patch::merge(&mut object, &change);
        // Without a version of its own, a patch is of what it was read from.
        self.replace(name, object, options)
    }

    fn delete(&self, name: &str, body: &[u8], options: &Options) -> Result<Response<Body>, Status> {
        let asked = if body.is_empty() { Value::Null } else { read(body)? };
        let unless = precondition(&asked["preconditions"])?;
        let key: Key = (self.namespace, name.into());
        let kind = self.resource.stored.ok_or_else(Status::method_not_allowed)?;
        if options.dry_run {
            let version = self.api.store.get(kind, &key);
            let version = version.ok_or_else(|| Status::not_found(self.resource, name))?;
            return Ok(respond(StatusCode::OK, &self.whole(&version)));
        }
        let removed = self.api.store.remove(kind, &key, &unless, self.now());
        let version = removed.map_err(|why| self.refused(why, name))?;
        Ok(respond(StatusCode::OK, &self.whole(&version)))
    }

    /// The object's name; kind, version and namespace must be the URL's where they are given.
    fn named(&self, object: &mut Value) -> Result<String, Status> {
        let (kind, version) = (self.resource.kind, self.resource.api_version());
        for (field, expected) in [("kind", kind), ("apiVersion", &version)] {
            let given = object[field].as_str().unwrap_or(expected);
            if given != expected {
                return Err(Status::bad_request(format!(
                    "{field} of the object is {given}, and the URL is of {expected}"
                )));
            }
            object[field] = expected.into();
        }
        if self.resource.namespaced {
            let plan = &self.api.store.cluster().plan;
            let expected = plan.namespace(self.namespace);
            let given = object["metadata"]["namespace"].as_str().unwrap_or(expected);
            if given != &**expected {
                return Err(Status::bad_request(format!(
                    "the namespace of the provided object ({given}) does not match the namespace \
                     sent on the request ({expected})"
                )));
            }
            object["metadata"]["namespace"] = (**expected).into();
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            return Err(Status::invalid("metadata.name: Required value: name is required"));
        }
        Ok(name.to_owned())
    }

    fn check(&self, object: &Value, name: &str, options: &Options) -> Result<(), Status> {
        let kind = self.resource.kind;
        schema::check(self.resource, object, options.strict).map_err(|flaw| match flaw {
            Flaw::Undecodable(why) => Status::bad_request(format!(
                "{kind} in version \"{}\" cannot be handled as a {kind}: {why}",
                self.resource.version
            )),
            Flaw::Unknown(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|field| format!("unknown field \"{field}\"")).collect();
                Status::bad_request(format!(
                    "{kind} in version \"{}\" cannot be handled as a {kind}: strict decoding \
                     error: {}",
                    self.resource.version,
                    fields.join(", ")
                ))
            }
            Flaw::Invalid(path, why) => {
                Status::invalid(format!("{kind} \"{name}\" is invalid: {path}: {why}"))
            }
        })
    }

    /// What creating it would answer.
    fn pretended(&self, mut object: Value) -> Value {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let plan = &self.api.store.cluster().plan;
        object["metadata"]["uid"] = plan.uid(self.resource.kind, &name).into();
        object["metadata"]["creationTimestamp"] = crate::objects::time(self.now()).into();
        object
    }

    fn whole(&self, version: &Version) -> Value {
        let parameters = Parameters::default();
        Renderer::new(self.api, self.resource, &parameters, self.now()).single(version, true)
    }

    fn refused(&self, why: Refused, name: &str) -> Status {
        match why {
            Refused::Exists => Status::already_exists(self.resource, name),
            Refused::Missing => Status::not_found(self.resource, name),
            Refused::Changed => Status::conflict(self.resource, name),
            Refused::NotYours => Status::forbidden(self.resource, name, "the simulation owns it"),
            Refused::Full => Status::forbidden(self.resource, name, "exceeded quota"),
        }
    }

    fn now(&self) -> crate::plan::Sec {
        (self.api.now)().secs()
    }
}

/// `resourceVersion` and `uid` of what must still be there.
fn precondition(from: &Value) -> Result<Precondition, Status> {
    let text = |field: &str| from[field].as_str().filter(|text| !text.is_empty());
    let resource_version = text("resourceVersion").map(str::parse).transpose().map_err(|_| {
        Status::invalid("metadata.resourceVersion: Invalid value: must be a number here")
    })?;
    Ok(Precondition { resource_version, uid: text("uid").map(str::to_owned) })
}
