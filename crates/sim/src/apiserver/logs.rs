//! `GET …/pods/{name}/log`: what a container would have written, a line every second; some of it
//! as nasty as real programs are.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use model::Timestamp;
use serde_json::Value;
use tokio::time::sleep;

use super::list::Renderer;
use super::parameters::Parameters;
use super::status::Status;
use super::{Api, Place, Request};
use crate::http::{Body, TEXT, streamed};
use crate::objects::time;
use crate::plan::Sec;
use crate::seed::{mix, text as seed_of};

/// Lines of the past when nobody says how many.
const USUAL: Sec = 3_600;
/// Most lines of the past.
const MOST: Sec = 100_000;

struct Wanted {
    follow: bool,
    timestamps: bool,
    from: Sec,
    /// When the run that is asked for ended.
    until: Option<Sec>,
    seed: u64,
}

pub(super) fn logs(
    api: &Arc<Api>,
    place: &Place,
    request: &Request,
) -> Result<Response<Body>, Status> {
    let name = place.name.as_deref().unwrap_or_default();
    let version = api.pod(place)?;
    let now = api.catch_up();
    let parameters = Parameters::default();
    let renderer = Renderer::new(api, place.resource, &parameters, now);
    let pod = Value::Object(renderer.whole(&version));
    let pairs = url::form_urlencoded::parse(request.query.as_deref().unwrap_or("").as_bytes());
    let (mut container, mut previous) = (String::new(), false);
    let (mut tail, mut since) = (USUAL, None);
    let mut wanted = Wanted { follow: false, timestamps: false, from: 0, until: None, seed: 0 };
    for (key, value) in pairs {
        let number =
            || value.parse::<Sec>().map_err(|_| Status::bad_request(format!("{key}: no number")));
        match &*key {
            "container" => container = value.into_owned(),
            "previous" => previous = value == "true",
            "follow" => wanted.follow = value == "true",
            "timestamps" => wanted.timestamps = value == "true",
            "tailLines" => tail = number()?,
            "sinceSeconds" => since = Some(number()?),
            _ => {}
        }
    }
    let statuses = pod["status"]["containerStatuses"].as_array();
    let status = statuses.into_iter().flatten().find(|one| one["name"] == container.as_str());
    let status = status.ok_or_else(|| {
        Status::bad_request(format!("container {container} is not valid for pod {name}"))
    })?;
    let restarts = status["restartCount"].as_u64().unwrap_or(0);
    if previous && restarts == 0 {
        return Err(Status::bad_request(format!(
            "previous terminated container \"{container}\" in pod \"{name}\" not found"
        )));
    }
    if previous {
        let ended = status["lastState"]["terminated"]["finishedAt"].as_str();
        wanted.until = ended.and_then(Timestamp::parse_rfc3339).map(Timestamp::secs);
    }
    let now = wanted.until.map_or(now, |until| until.min(now));
    let back = since.unwrap_or(MOST).min(tail.clamp(0, MOST));
    wanted.from = now - back + 1;
    wanted.seed = mix(
        seed_of(name),
        mix(seed_of(&container), restarts - u64::from(previous && restarts > 0)),
    );
    wanted.follow &= !previous;
    Ok(streamed(TEXT, lines(Arc::clone(api), wanted)))
}

fn lines(
    api: Arc<Api>,
    wanted: Wanted,
) -> impl futures_util::Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    let from = wanted.from;
    stream::unfold((api, wanted, from), |(api, wanted, mut next)| async move {
        loop {
            let now = wanted.until.unwrap_or(Sec::MAX).min((api.now)().secs());
            if next <= now {
                let until = now.min(next + 500);
                let text: String = (next..=until).map(|at| wanted.line(at)).collect();
                next = until + 1;
                return Some((Ok(Bytes::from(text)), (api, wanted, next)));
            }
            if !wanted.follow {
                return None;
            }
            tokio::select! {
                () = sleep(Duration::from_millis(200)) => {}
                () = api.shutdown.cancelled() => return None,
            }
        }
    })
}

impl Wanted {
    fn line(&self, at: Sec) -> String {
        let chance = mix(self.seed, at.unsigned_abs());
        let said = match chance % 50 {
            0 => "<img src=x onerror=alert(1)> </script> \u{202e}txt".to_owned(),
            1 => "\u{1b}[31mred\u{1b}[0m \u{7} bell".to_owned(),
            2..6 => format!("level=warn msg=\"slow answer\" took={}ms", chance % 900 + 400),
            6 | 7 => "level=error msg=\"upstream went away\" retry=true".to_owned(),
            _ => format!(
                "level=info msg=\"request served\" path=/items/{} status=200 took={}ms",
                chance % 97,
                chance % 40 + 1
            ),
        };
        if self.timestamps {
            let at = time(at);
            format!("{}.{:09}Z {said}\n", at.trim_end_matches('Z'), chance % 1_000_000_000)
        } else {
            format!("{said}\n")
        }
    }
}
