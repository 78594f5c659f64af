//! `/sim/faults`: breaks and mends kubelets at run time. See the parent module for its forms.

use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::status::Status;
use super::{Api, Request, json as respond};
use crate::faults::{FaultError, Faults};
use crate::http::Body;

#[derive(Deserialize)]
#[serde(untagged)]
enum Order {
    Many(Vec<One>),
    One(One),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    node: Option<String>,
    /// Between 0 and 1.
    fraction: Option<f64>,
    /// `hang`, `slow:2s`, … as in the flag.
    fault: Option<String>,
    /// The flag's whole grammar.
    spec: Option<String>,
}

impl One {
    /// In the flag's words.
    fn spec(self) -> Result<String, Status> {
        match (self.spec, self.node, self.fraction, self.fault) {
            (Some(spec), None, None, None) => Ok(spec),
            (None, Some(node), None, Some(fault)) => Ok(format!("{node}={fault}")),
            (None, None, Some(share), Some(fault)) => Ok(format!("{}%={fault}", share * 100.0)),
            _ => Err(Status::bad_request(
                "write {\"node\":…,\"fault\":…}, {\"fraction\":…,\"fault\":…} or {\"spec\":…}",
            )),
        }
    }
}

pub(super) fn faults(api: &Api, request: &Request) -> Result<Response<Body>, Status> {
    let plan = &api.store.cluster().plan;
    match request.method {
        Method::GET | Method::HEAD => {}
        Method::PUT | Method::POST => {
            let order: Order = serde_json::from_slice(&request.body).map_err(|error| {
                Status::bad_request(format!("the faults cannot be read: {error}"))
            })?;
            let orders = match order {
                Order::Many(orders) => orders,
                Order::One(order) => vec![order],
            };
            let refuse = |error: FaultError| Status::bad_request(error.to_string());
            let specs = orders.into_iter().map(One::spec).collect::<Result<Vec<_>, _>>()?;
            let faults = Faults::parse(&specs.join(",")).map_err(refuse)?;
            api.faults.add(plan, faults).map_err(refuse)?;
        }
        Method::DELETE => {
            let query = request.query.as_deref().unwrap_or("");
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            let node = pairs.find(|(key, _)| key == "node").map(|(_, value)| value.into_owned());
            api.faults.clear(plan, node.as_deref());
        }
        _ => return Err(Status::method_not_allowed()),
    }
    api.store.set_down(&api.faults.down(), api.catch_up());
    Ok(respond(StatusCode::OK, &rules(api)))
}

fn rules(api: &Api) -> Value {
    let rule = |(target, fault): (crate::faults::Target, crate::faults::Fault)| json!({ "target": target.to_string(), "fault": fault.to_string() });
    api.faults.rules().into_iter().map(rule).collect()
}
