//! InfluxDB 3: the line protocol of 1.x into a database, through its own write API.

use form_urlencoded::byte_serialize;

use crate::address::Address;
use crate::credentials::bearer;
use crate::influxdb::{LINE_SETTINGS, line_event_plan, line_plan};
use crate::plan::{EventPlan, Plan, Transport};
use crate::select::Selection;
use crate::settings::Settings;
use crate::transport::{Finish, HttpPlan};
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "influxdb3",
    name: "InfluxDB v3 Sink",
    settings: &[
        ("db", "database (default k8s)"),
        ("token", "token"),
        ("token_file", "file that holds the token"),
        ("no_sync", "true: the server answers before its log is on disk"),
        ("insecuressl", "true: do not verify the server's certificate"),
        LINE_SETTINGS[0],
        LINE_SETTINGS[1],
        LINE_SETTINGS[2],
        LINE_SETTINGS[3],
    ],
    example: "influxdb3:https://influxdb:8181?db=k8s&token_file=/etc/influx/token",
    notice: None,
    metrics: Some(plan),
    events: Some(Events { name: "InfluxDB v3 Sink", plan: event_plan }),
    alerts: None,
};

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    line_plan(settings, selection, transport(settings)?)
}

fn event_plan(settings: &Settings) -> Result<EventPlan, Error> {
    line_event_plan(settings, transport(settings)?)
}

fn transport(settings: &Settings) -> Result<Transport, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:8181");
    let database = settings.text_or("db", "k8s");
    let encoded: String = byte_serialize(database.as_bytes()).collect();
    let target = format!(
        "{}/api/v3/write_lp?db={encoded}&precision=nanosecond&no_sync={}",
        address.path.trim_end_matches('/'),
        settings.flag("no_sync", false)?
    );
    Ok(Transport::Http(Box::new(HttpPlan {
        destination: format!("/{database}"),
        finish: Finish::Gzip,
        headers: bearer(settings)?,
        ..HttpPlan::post(address.base(), target)
    })))
}
