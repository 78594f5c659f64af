//! Where an `APIService` leads: from its service to an address, and whom to believe there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Unready;
use crate::objects::{Object, Written};
use crate::store::{Kind, Store};

/// The port of a service that none is named of.
const USUAL_PORT: u64 = 443;

/// A server to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `address:port`.
    pub authority: String,
    /// The name that its certificate must be for.
    pub server_name: String,
    /// PEM of whom to believe; without it nobody is, unless `insecure`.
    pub ca: Option<Vec<u8>>,
    pub insecure: bool,
}

impl Place {
    /// Follows `spec.service`; as kube-aggregator with endpoint routing, so that no service address
    /// has to be routed.
    pub(super) fn find(store: &Store, spec: &Value) -> Result<Self, Unready> {
        let service = &spec["service"];
        let text = |field: &str| service[field].as_str().unwrap_or_default();
        let (namespace, name) = (text("namespace"), text("name"));
        let port = service["port"].as_u64().unwrap_or(USUAL_PORT);
        let ca = spec["caBundle"].as_str().filter(|bundle| !bundle.is_empty());
        let ca = ca.map(|bundle| STANDARD.decode(bundle)).transpose().map_err(|error| Unready {
            reason: "FailedDiscoveryCheck",
            message: format!("caBundle: {error}"),
        })?;
        Ok(Self {
            authority: authority(store, namespace, name, port)?,
            server_name: format!("{name}.{namespace}.svc"),
            ca,
            insecure: spec["insecureSkipTLSVerify"] == true,
        })
    }
}

fn authority(store: &Store, namespace: &str, name: &str, port: u64) -> Result<String, Unready> {
    let unready = |reason, message: String| Unready { reason, message };
    let about = format!("service/{name} in \"{namespace}\"");
    let plan = &store.cluster().plan;
    let index = plan.namespaces.binary_search_by(|one| (**one).cmp(namespace)).ok();
    let index = index.and_then(|index| u32::try_from(index).ok());
    let get = |kind| store.get(kind, &(index?, name.into())).map(|version| version.object);
    let spec = match get(Kind::Services) {
        Some(Object::Written(service)) => service.body["spec"].clone(),
        // A service of the world's: nothing listens behind it.
        Some(_) => {
            return Err(unready(
                "MissingEndpoints",
                format!("endpoints for {about} have no addresses"),
            ));
        }
        None => return Err(unready("ServiceNotFound", format!("{about} is not present"))),
    };
    if spec["type"] == "ExternalName" {
        return Ok(format!("{}:{port}", spec["externalName"].as_str().unwrap_or_default()));
    }
    let ports = spec["ports"].as_array().into_iter().flatten();
    let Some(entry) = ports.into_iter().find(|entry| entry["port"].as_u64() == Some(port)) else {
        let message = format!("{about} is not listening on port {port}");
        return Err(unready("ServicePortError", message));
    };
    let Some(Object::Written(endpoints)) = get(Kind::Endpoints) else {
        return Err(unready("EndpointsNotFound", format!("cannot find endpoints for {about}")));
    };
    let port_name = entry["name"].as_str().unwrap_or_default();
    endpoint(&endpoints, port_name).ok_or_else(|| {
        let message =
            format!("endpoints for {about} have no addresses with port name \"{port_name}\"");
        unready("MissingEndpoints", message)
    })
}

/// The first address with a port of that name.
fn endpoint(endpoints: &Written, port_name: &str) -> Option<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&endpoints.body["subsets"]).iter().find_map(|subset| {
        let named = |port: &Value| port["name"].as_str().unwrap_or_default() == port_name;
        let port = list(&subset["ports"]).into_iter().find(named)?["port"].as_u64()?;
        let ip = list(&subset["addresses"]).into_iter().next()?["ip"].as_str()?.to_owned();
        Some(format!("{ip}:{port}"))
    })
}
