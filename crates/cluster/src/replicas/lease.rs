//! Leases as the API server keeps them (coordination.k8s.io/v1), one for each replica.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, Request};
use pipeline::Clock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ReplicaOptions;
use super::roster::MAX_MEMBERS;
use crate::connect::{ConnectError, Connection, Trouble};

/// The label by which replicas' leases are found, and its value.
const LABEL: (&str, &str) = ("taffrail.dev/lease", "replica");
/// The annotation that says where a replica is asked.
const ADDRESS: &str = "taffrail.dev/address";

/// A lease in the fields that matter here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Lease {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<u32>,
    renew_time: Option<String>,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Lease>,
}

impl Lease {
    #[cfg(test)]
    pub(super) fn of(name: &str, renewed: &str, seconds: u32) -> Self {
        let annotations = BTreeMap::from([(ADDRESS.to_owned(), format!("{name}:1"))]);
        let spec = Spec {
            holder_identity: Some(name.to_owned()),
            lease_duration_seconds: Some(seconds),
            renew_time: Some(renewed.to_owned()),
        };
        Self { metadata: Metadata { annotations, ..Metadata::default() }, spec }
    }

    /// Whose it is; `None` for one that was given back.
    pub(super) fn holder(&self) -> Option<&str> {
        self.spec.holder_identity.as_deref().filter(|name| !name.is_empty())
    }

    pub(super) fn address(&self) -> Option<&str> {
        self.metadata.annotations.get(ADDRESS).map(String::as_str)
    }

    /// What changes with each renewal; its meaning as a time is never used.
    pub(super) fn renewed(&self) -> &str {
        self.spec.renew_time.as_deref().unwrap_or_default()
    }

    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.spec.lease_duration_seconds.unwrap_or(15).clamp(1, 3600).into())
    }
}

/// The way to the leases.
pub(super) struct Leases {
    connection: Connection,
    options: ReplicaOptions,
    clock: Clock,
}

impl Leases {
    pub(super) fn new(connection: Connection, options: ReplicaOptions, clock: Clock) -> Self {
        Self { connection, options, clock }
    }

    fn path(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.options.namespace)
    }

    fn name(&self) -> String {
        format!("taffrail-{}", self.options.name)
    }

    /// Every replica's lease.
    pub(super) async fn list(&self) -> Result<Vec<Lease>, ConnectError> {
        let (label, value) = (LABEL.0.replace('/', "%2F"), LABEL.1);
        let query = format!("labelSelector={label}%3D{value}&limit={MAX_MEMBERS}");
        let list: List =
            self.ask(Method::GET, &format!("{}?{query}", self.path()), Vec::new()).await?;
        Ok(list.items)
    }

    /// Renews its own among `leases`, or makes it.
    pub(super) async fn renew(&self, leases: &[Lease]) -> Result<(), ConnectError> {
        let name = self.name();
        let known = leases.iter().find(|lease| lease.metadata.name == name);
        let lease = Lease {
            metadata: Metadata {
                name: name.clone(),
                resource_version: known.and_then(|known| known.metadata.resource_version.clone()),
                labels: BTreeMap::from([(LABEL.0.to_owned(), LABEL.1.to_owned())]),
                annotations: BTreeMap::from([(ADDRESS.to_owned(), self.options.address.clone())]),
            },
            spec: Spec {
                holder_identity: Some(self.options.name.clone()),
                lease_duration_seconds: u32::try_from(self.options.lease.as_secs()).ok(),
                renew_time: Some(self.now()),
            },
        };
        let body = serde_json::to_vec(&lease).unwrap_or_default();
        let (method, path) = match known {
            Some(_) => (Method::PUT, format!("{}/{name}", self.path())),
            None => (Method::POST, self.path()),
        };
        let _: Lease = self.ask(method, &path, body).await?;
        Ok(())
    }

    /// Deletes its own.
    pub(super) async fn give_back(&self) -> Result<(), ConnectError> {
        let path = format!("{}/{}", self.path(), self.name());
        let _: serde::de::IgnoredAny = self.ask(Method::DELETE, &path, Vec::new()).await?;
        Ok(())
    }

    /// Microseconds, as the API wants them.
    fn now(&self) -> String {
        let now = self.clock.now();
        let micros = now.nanos_since(model::Timestamp::from_secs(now.secs())) / 1000;
        format!("{}.{micros:06}Z", now.to_rfc3339_seconds().trim_end_matches('Z'))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ConnectError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| {
                ConnectError::Configuration(Trouble {
                    reason: format!("{path} is no path of the API server: {error}"),
                    advice: "correct --lease-namespace and --peer-name".to_owned(),
                })
            })?;
        let answer = self.connection.client().request(request).await;
        answer.map_err(|error| self.connection.explain(&error, "leases"))
    }

    pub(super) fn no_answer(&self, limit: Duration) -> ConnectError {
        ConnectError::Timeout(Trouble {
            reason: format!("{} gave no answer about leases in {limit:?}", self.connection.url()),
            advice: "check that the API server is healthy".to_owned(),
        })
    }
}
