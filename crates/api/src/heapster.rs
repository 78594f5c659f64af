//! Heapster's dialect: the model API, the historical API and the metric export.
//!
//! Source of paths, shapes and messages: the recorded answers of Heapster 1.6; deliberate
//! differences are listed in `docs/COMPAT.md`.

mod export;
mod gojson;
mod gotime;
mod history;
mod model;
mod resources;
mod routes;
mod schema;

use axum::response::{IntoResponse, Response};
use http::header;

use crate::error::Error;

pub(crate) use self::export::export;
pub(crate) use self::history::history;
pub(crate) use self::model::model;
pub(crate) use self::resources::resources;
pub(crate) use self::routes::find;
pub(crate) use self::schema::schema;

/// Any method but GET on the model API.
pub(crate) async fn method_refused() -> Response {
    Error::Method.as_text()
}

fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
