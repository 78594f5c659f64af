//! The dashboard's files, with the headers that browsers need. Knows nothing of their content.

use std::io::Read as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use crate::ApiState;
use crate::error::Error;
use crate::observe::Handler;
use crate::request::decoded;

/// What pages may load and do: only what comes from here.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; \
     object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The same for a page below the root, whose `<base>` leads back up.
const DEEP_PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; \
     object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/// A file's bytes as they are kept.
#[derive(Debug, Clone)]
pub enum Content {
    /// As they are.
    Plain(Bytes),
    /// As gzip; unpacked for a client that does not take it, as few do not.
    Gzip(Bytes),
}

/// One file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The bytes.
    pub content: Content,
    /// Media type.
    pub content_type: &'static str,
    /// Quoted entity tag.
    pub etag: &'static str,
    /// The name changes with the content, so that it may be cached for ever.
    pub immutable: bool,
}

/// Where the dashboard's files come from.
pub trait Dashboard: Send + Sync {
    /// The file at `path`, without a leading slash; `index.html` is the page itself.
    fn asset(&self, path: &str) -> Option<Asset>;

    /// The page for an address `depth` folders below the root, its relative URLs leading there.
    fn page_at(&self, depth: usize) -> Option<Asset>;
}

/// A process without a dashboard.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDashboard;

impl Dashboard for NoDashboard {
    fn asset(&self, _path: &str) -> Option<Asset> {
        None
    }

    fn page_at(&self, _depth: usize) -> Option<Asset> {
        None
    }
}

/// First parts of the addresses of the dashboard's pages. Any other address is not the
/// dashboard's: an old client that asks for a wrong path gets its 404.
const PAGES: &[&str] = &[
    "nodes",
    "namespaces",
    "workloads",
    "pods",
    "containers",
    "volumes",
    "events",
    "sizing",
    "map",
    "explore",
    "alerts",
    "status",
    "objects",
    "logs",
    "shell",
    "create",
    "login",
];

/// Deepest page: objects, group, version, plural, namespace, name.
const DEEPEST: usize = 5;

/// How many folders below the root the page at `path` stands; `None` where there is no page.
fn page_depth(path: &str) -> Option<usize> {
    let depth = path.matches('/').count();
    let first = path.split('/').next().unwrap_or_default();
    (PAGES.contains(&first) && depth < DEEPEST + 1).then_some(depth)
}

/// Whether `path` is a page or a file of the dashboard: the same for everybody, without data.
pub(crate) fn is_file(state: &ApiState, path: &str) -> bool {
    let raw = path.trim_start_matches('/');
    raw.is_empty() || page_depth(raw).is_some() || state.dashboard.asset(&decoded(raw)).is_some()
}

/// `/`.
pub(crate) async fn page(State(state): State<Arc<ApiState>>, headers: HeaderMap) -> Response {
    match state.dashboard.asset("index.html") {
        Some(asset) => answer(&asset, &headers),
        None => Error::NoPath.as_text(),
    }
}

/// Any path that no other route took: a file of the dashboard, or Go's 404.
pub(crate) async fn page_or_not_found(
    State(state): State<Arc<ApiState>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let raw = uri.path().trim_start_matches('/');
    let asset = match method {
        // Slashes are counted as the browser counts them: those in escapes are none.
        Method::GET | Method::HEAD => match page_depth(raw) {
            Some(depth) => state.dashboard.page_at(depth),
            None => state.dashboard.asset(&decoded(raw)),
        },
        _ => None,
    };
    let mut response = match asset {
        Some(asset) => answer(&asset, &headers),
        None => Error::NoPath.as_text(),
    };
    if page_depth(raw).is_some_and(|depth| depth > 0) {
        let policy = HeaderValue::from_static(DEEP_PAGE_POLICY);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response.extensions_mut().insert(Handler("dashboard"));
    response
}

fn answer(asset: &Asset, headers: &HeaderMap) -> Response {
    let fresh = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == asset.etag);
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body(&asset.content, headers)
    };
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::ETAG, asset.etag),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn body(content: &Content, headers: &HeaderMap) -> Response {
    match content {
        Content::Plain(bytes) => bytes.clone().into_response(),
        Content::Gzip(packed) if accepts_gzip(headers) => {
            ([(header::CONTENT_ENCODING, "gzip")], packed.clone()).into_response()
        }
        Content::Gzip(packed) => {
            let mut bytes = Vec::new();
            match GzDecoder::new(&**packed).read_to_end(&mut bytes) {
                Ok(_) => bytes.into_response(),
                Err(error) => {
                    let text = format!("this file of the dashboard cannot be unpacked: {error}\n");
                    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
                }
            }
        }
    }
}

/// Whether the client takes gzip; a quality of zero says that it does not.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).iter();
    codings.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
        |coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = quality
                .trim()
                .strip_prefix("q=")
                .is_some_and(|quality| quality.trim().parse() == Ok(0.0_f32));
            matches!(name.trim(), "gzip" | "*") && !refused
        },
    )
}
