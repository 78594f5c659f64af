//! What a request wants to do, read from its method and path, whoever answers it.

use http::Method;

use super::Request;
use super::rbac::Wanted;

/// The request in the words of rights.
pub(super) fn wanted<'a>(path: &'a str, request: &Request) -> Wanted<'a> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] if !rest.is_empty() => ("", rest),
        ["apis", group, _, rest @ ..] if !rest.is_empty() => (*group, rest),
        _ => return Wanted { verb: plain(&request.method), path, ..Wanted::default() },
    };
    let (old_watch, rest) = match rest {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        rest => (false, rest),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace] | ["namespaces", namespace, "status" | "finalize"] => {
            (*namespace, rest)
        }
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let part = |index: usize| rest.get(index).copied().unwrap_or_default();
    let name = part(1);
    let watch = old_watch || request.query.as_deref().is_some_and(watches);
    let verb = match request.method {
        Method::GET | Method::HEAD if watch => "watch",
        Method::GET | Method::HEAD if name.is_empty() => "list",
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if name.is_empty() => "deletecollection",
        _ => "delete",
    };
    Wanted { verb, group, resource: part(0), subresource: part(2), namespace, name, path: "" }
}

fn watches(query: &str) -> bool {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.any(|(key, value)| key == "watch" && matches!(&*value, "1" | "true"))
}

fn plain(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "get",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        _ => "delete",
    }
}
