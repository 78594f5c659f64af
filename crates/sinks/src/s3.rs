//! S3 and what speaks its protocol: JSON lines or Parquet, an object for each stretch of time.

use http::Method;

use crate::address::Address;
use crate::exposed::{CLUSTER, Exposer};
use crate::files::{FORMAT, format, framing};
use crate::plan::{Plan, Transport};
use crate::rows::Rows;
use crate::select::Selection;
use crate::settings::Settings;
use crate::transport::{
    Body, Finish, HttpPlan, SIGNER_SETTINGS, Sign, Signer, Target, push_encoded,
};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "s3",
    name: "S3 Sink",
    settings: &[
        FORMAT,
        ("compress", "gzip (default) or none"),
        CLUSTER,
        ("insecuressl", "true: do not verify the server's certificate"),
        SIGNER_SETTINGS[0],
        SIGNER_SETTINGS[1],
        SIGNER_SETTINGS[2],
        SIGNER_SETTINGS[3],
        SIGNER_SETTINGS[4],
        SIGNER_SETTINGS[5],
    ],
    example: "s3:https://s3.eu-central-1.amazonaws.com/bucket/prefix?region=eu-central-1&\
              queue=/var/lib/taffrail/queue",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let text = settings.text_or("address", "");
    let scheme = if text.starts_with("http:") { "http" } else { "https" };
    let default = if scheme == "http" { "localhost:80" } else { "localhost:443" };
    let address = Address::parse(text, default);
    let path = address.path.trim_matches('/');
    if path.is_empty() {
        return Err(settings.bad("address", text, "URLs with a bucket, like https://host/bucket"));
    }
    let (finish, after) = format(settings)?;
    let mut before = "/".to_owned();
    path.bytes().for_each(|byte| push_encoded(&mut before, byte, true));
    before.push('/');
    let transport = Transport::Http(Box::new(HttpPlan {
        destination: format!("/{path}"),
        method: Method::PUT,
        target: Target::Object { before, after },
        body: Body::Typed(match finish {
            Finish::AsIs => "application/x-ndjson",
            Finish::Formed(_) => "application/vnd.apache.parquet",
            _ => "application/gzip",
        }),
        finish,
        sign: Signer::new(settings, "s3")?.map(Sign::Aws),
        ..HttpPlan::post(format!("{scheme}://{}", address.authority), String::new())
    }));
    Ok(Plan {
        encode: Box::new(Rows { exposer: Exposer::new(settings, selection) }),
        framing: framing(),
        transport,
        concurrency: 1,
    })
}
