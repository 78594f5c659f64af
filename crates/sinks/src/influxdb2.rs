//! InfluxDB 2.x: the line protocol of 1.x into a bucket of an organization.

use form_urlencoded::byte_serialize;
use http::header::AUTHORIZATION;

use crate::address::Address;
use crate::influxdb::{LINE_SETTINGS, line_event_plan, line_plan};
use crate::plan::{EventPlan, Plan, Transport};
use crate::select::Selection;
use crate::settings::{Secret, Settings};
use crate::transport::{Finish, HttpPlan};
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "influxdb2",
    name: "InfluxDB v2 Sink",
    settings: &[
        ("org", "organization; required"),
        ("bucket", "bucket (default k8s)"),
        ("token", "token"),
        ("token_file", "file that holds the token"),
        ("insecuressl", "true: do not verify the server's certificate"),
        LINE_SETTINGS[0],
        LINE_SETTINGS[1],
        LINE_SETTINGS[2],
        LINE_SETTINGS[3],
    ],
    example: "influxdb2:https://influxdb:8086?org=ops&bucket=k8s&token_file=/etc/influx/token",
    notice: None,
    metrics: Some(plan),
    events: Some(Events { name: "InfluxDB v2 Sink", plan: event_plan }),
    alerts: None,
};

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    line_plan(settings, selection, transport(settings)?)
}

fn event_plan(settings: &Settings) -> Result<EventPlan, Error> {
    line_event_plan(settings, transport(settings)?)
}

fn transport(settings: &Settings) -> Result<Transport, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:8086");
    let organization = settings.text_or("org", "");
    if organization.is_empty() {
        return Err(settings.bad("org", "", "names of an organization"));
    }
    let bucket = settings.text_or("bucket", "k8s");
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let target = format!(
        "{}/api/v2/write?org={}&bucket={}&precision=ns",
        address.path.trim_end_matches('/'),
        encoded(organization),
        encoded(bucket)
    );
    let token = settings.secret("token", "token_file")?;
    let authorization =
        |token: Secret| (AUTHORIZATION, Secret::from(&*format!("Token {}", token.reveal())));
    Ok(Transport::Http(Box::new(HttpPlan {
        destination: format!("/{organization}/{bucket}"),
        finish: Finish::Gzip,
        headers: token.map(authorization).into_iter().collect(),
        ..HttpPlan::post(address.base(), target)
    })))
}
