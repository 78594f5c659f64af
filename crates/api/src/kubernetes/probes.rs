//! `/livez`, `/readyz` and `/healthz` of the secure port, with metrics-server's checks.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use std::fmt::Write as _;

use crate::ApiState;
use crate::request::pairs;

/// A round may begin this much later than planned, as a factor.
const TIMELY: f64 = 1.5;

/// Answers the probe at `path`.
pub(super) fn answer(state: &ApiState, path: &str, query: &str) -> Response {
    let windows = &state.resources;
    let last = windows.last_round();
    let late = windows.options().resolution.mul_f64(TIMELY);
    // Before the first round begins there is nothing to be late with.
    let timely = last.is_never() || state.now().since(last) <= late;
    let synced = state.status.synced();
    let checks: &[(&str, bool)] = match path {
        "/livez" => &[("ping", true), ("metric-collection-timely", timely)],
        "/readyz" => &[
            ("ping", true),
            ("metric-storage-ready", windows.is_ready()),
            ("metric-informer-sync", synced),
        ],
        _ => &[
            ("ping", true),
            ("metadata-informer-sync", synced),
            ("metric-collection-timely", timely),
        ],
    };
    let name = path.trim_start_matches('/');
    let well = checks.iter().all(|(_, well)| *well);
    let verbose = pairs(query).any(|(key, _)| key == "verbose");
    if well && !verbose {
        return "ok".into_response();
    }
    let mut text = String::new();
    for (check, well) in checks {
        let (sign, outcome) = if *well { ('+', "ok") } else { ('-', "failed: reason withheld") };
        // A String takes everything, so that this cannot fail.
        writeln!(text, "[{sign}]{check} {outcome}").unwrap_or_default();
    }
    let outcome = if well { "passed" } else { "failed" };
    writeln!(text, "{name} check {outcome}").unwrap_or_default();
    let code = if well { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    (code, text).into_response()
}
