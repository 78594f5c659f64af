//! The client of HTTP, over TLS or not.

use ::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, ResponseFuture};

/// A client whose requests have a body in one piece, empty or not.
pub type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client as `builder` says.
pub fn client(builder: &Builder, connector: HttpsConnector<HttpConnector>) -> Http {
    builder.build(connector)
}

/// Sends a request.
pub fn ask(client: &Http, request: Request<Full<Bytes>>) -> ResponseFuture {
    client.request(request)
}
