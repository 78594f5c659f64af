//! Reads back what the sink wrote: `InfluxQL` over HTTP, with the sink's own settings.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::Request;
use http::header::{AUTHORIZATION, USER_AGENT};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use model::{Entity, EntityKind, Timestamp, Value};
use serde::Deserialize;
use tokio::time::timeout;

use super::Connection;
use crate::Error;
use crate::transport::{Dialer, connector, tls_config};

/// Most bytes of an answer: more than a year of a series at a point a minute.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Most characters of an error that are shown.
const SHOWN: usize = 200;

/// Asks an `InfluxDB` 1.x for what the sink `influxdb` wrote into it.
#[derive(Debug)]
pub struct InfluxReader {
    // An empty `Full`, so that sinks and this share one client's code.
    client: Client<HttpsConnector<Dialer>, Full<Bytes>>,
    base: String,
    authorization: Option<String>,
    database: String,
    with_fields: bool,
    cluster: String,
}

impl InfluxReader {
    /// A reader with the settings of a sink of the kind `influxdb`.
    pub fn new(settings: Vec<(String, String)>) -> Result<Self, Error> {
        let settings = super::KIND.settings(settings)?;
        let Connection { base, database, user } = super::connection(&settings)?;
        let tls = tls_config(&settings, base.starts_with("https:"))?;
        let connector = connector(&base, tls, false, &settings)?;
        let authorization = user.map(|(user, password)| {
            let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
            format!("Basic {pair}")
        });
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base,
            authorization,
            database,
            with_fields: settings.flag("withfields", false)?,
            cluster: settings.text_or("cluster_name", "default").to_owned(),
        })
    }

    /// Values of a metric of `entity` between two times, both exclusive, by time.
    pub async fn values(
        &self,
        entity: &Entity,
        metric: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<(Timestamp, Value)>, String> {
        let (measurement, field) = match metric.split_once('/') {
            Some(parts) if self.with_fields => parts,
            _ => (metric, "value"),
        };
        let (start, end) = (start.nanos(), end.nanos());
        let tags = self.tags(entity);
        let question = format!(
            "SELECT {} FROM {} WHERE {} AND time > {start} AND time < {end}",
            quoted(field),
            quoted(measurement),
            conditions(&tags),
        );
        let mut values = Vec::new();
        for row in self.ask(&question).await?.into_iter().flat_map(|series| series.values) {
            let (Some(time), Some(value)) = (row.first(), row.get(1)) else { continue };
            let value = value.as_i64().map(Value::Int).or(value.as_f64().map(Value::Float));
            if let (Some(time), Some(value)) = (time.as_i64(), value) {
                values.push((Timestamp::from_nanos(time), value));
            }
        }
        // A float that happens to be whole comes without a fraction.
        if values.iter().any(|(_, value)| matches!(value, Value::Float(_))) {
            for (_, value) in &mut values {
                *value = Value::Float(value.as_f64());
            }
        }
        Ok(values)
    }

    /// Values that the tag `key` has beside these tags.
    pub async fn tag_values(
        &self,
        key: &str,
        tags: &[(&str, &str)],
    ) -> Result<BTreeSet<String>, String> {
        let mut tags: Vec<_> =
            tags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        tags.push((super::CLUSTER, self.cluster.clone()));
        let question =
            format!("SHOW TAG VALUES WITH KEY = {} WHERE {}", quoted(key), conditions(&tags));
        // The first column is the key, the same in every row.
        let rows = self.ask(&question).await?.into_iter().flat_map(|series| series.values);
        Ok(rows.filter_map(|row| row.get(1)?.as_str().map(str::to_owned)).collect())
    }

    /// Names of the metrics that `entity` had.
    pub async fn metrics(&self, entity: &Entity) -> Result<BTreeSet<String>, String> {
        let conditions = conditions(&self.tags(entity));
        if !self.with_fields {
            let found = self.ask(&format!("SHOW MEASUREMENTS WHERE {conditions}")).await?;
            let rows = found.into_iter().flat_map(|series| series.values);
            return Ok(rows.filter_map(|row| row.first()?.as_str().map(str::to_owned)).collect());
        }
        let found = self.ask(&format!("SELECT LAST(*) FROM /.*/ WHERE {conditions}")).await?;
        let mut names = BTreeSet::new();
        for Series { name, columns, values } in found {
            let row = values.into_iter().next().unwrap_or_default();
            for (column, value) in columns.iter().zip(row) {
                let Some(field) = column.strip_prefix("last_").filter(|_| !value.is_null()) else {
                    continue;
                };
                names.insert(match field {
                    "value" => name.clone(),
                    field => format!("{name}/{field}"),
                });
            }
        }
        Ok(names)
    }

    /// The tags by which the sink writes `entity`, the cluster's among them.
    fn tags(&self, entity: &Entity) -> Vec<(&'static str, String)> {
        let mut tags = tags(entity);
        tags.push((super::CLUSTER, self.cluster.clone()));
        tags
    }

    /// The series of the only statement.
    async fn ask(&self, question: &str) -> Result<Vec<Series>, String> {
        let failed = |reason: String| format!("InfluxDB at {}: {reason}", self.base);
        let database: String = byte_serialize(self.database.as_bytes()).collect();
        let statement: String = byte_serialize(question.as_bytes()).collect();
        let uri = format!("{}/query?db={database}&epoch=ns&q={statement}", self.base);
        let mut request =
            Request::get(uri).header(USER_AGENT, concat!("taffrail/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Full::default()).map_err(|error| failed(error.to_string()))?;
        let answer = async {
            let response = self.client.request(request).await.map_err(|error| error.to_string())?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            if status.is_success() {
                return Ok(body);
            }
            let text: String = String::from_utf8_lossy(&body).chars().take(SHOWN).collect();
            Err(format!("{status}: {}", text.trim()))
        };
        let body = timeout(TIMEOUT, answer)
            .await
            .map_err(|_| failed(format!("no answer within {TIMEOUT:?}")))?
            .map_err(failed)?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
        match (answer.error, answer.results.into_iter().next()) {
            (Some(error), _) | (None, Some(Outcome { error: Some(error), .. })) => {
                Err(failed(error))
            }
            (None, outcome) => Ok(outcome.map(|outcome| outcome.series).unwrap_or_default()),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    results: Vec<Outcome>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    #[serde(default)]
    series: Vec<Series>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Series {
    #[serde(default)]
    name: String,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    values: Vec<Vec<serde_json::Value>>,
}

fn tags(entity: &Entity) -> Vec<(&'static str, String)> {
    if entity.kind().is_labeled_part() {
        let mut tags = entity.parent().map(|owner| tags(owner)).unwrap_or_default();
        if entity.kind() == EntityKind::Accelerator {
            let (make, model) = entity.variant().split_once('/').unwrap_or((entity.variant(), ""));
            tags.push(("make", make.to_owned()));
            tags.push(("model", model.to_owned()));
            tags.push(("accelerator_id", entity.name().to_owned()));
        } else {
            tags.push(("resource_id", entity.name().to_owned()));
        }
        return tags;
    }
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let name = entity.name().to_owned();
    let mut tags = vec![("type", text(entity.kind().heapster_type()))];
    match entity.kind() {
        EntityKind::Node => tags.push(("nodename", name)),
        EntityKind::Namespace => tags.push(("namespace_name", name)),
        EntityKind::Pod => {
            tags.push(("namespace_name", text(entity.namespace())));
            tags.push(("pod_name", name));
        }
        EntityKind::Container => {
            tags.push(("namespace_name", text(entity.namespace())));
            tags.push(("pod_name", text(entity.pod())));
            tags.push(("container_name", name));
        }
        EntityKind::SystemContainer => {
            tags.push(("nodename", text(entity.node())));
            tags.push(("container_name", name));
        }
        _ => {}
    }
    tags
}

/// Tags as conditions; one without a value is not written, which a condition takes for empty.
fn conditions(tags: &[(&str, String)]) -> String {
    let conditions = tags.iter().map(|(key, value)| {
        format!("{} = '{}'", quoted(key), value.replace('\\', "\\\\").replace('\'', "\\'"))
    });
    conditions.collect::<Vec<_>>().join(" AND ")
}

/// A name of a measurement, field or tag.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_smuggle_statements() {
        let tags = [("nodename", "n'1; DROP DATABASE k8s --\\".to_owned())];
        let expected = r#""nodename" = 'n\'1; DROP DATABASE k8s --\\'"#;
        assert_eq!(conditions(&tags), expected);
        assert_eq!(quoted("a\"b"), "\"a\\\"b\"");
    }
}
