//! Which form of answer a client reads, by its `Accept` header.

use http::{HeaderMap, header};

use super::status::Status;

/// The form of objects in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Objects as JSON.
    Json,
    /// A `Table` as JSON, in this version of `meta.k8s.io`.
    Table(&'static str),
    /// Objects as protobuf.
    Protobuf,
}

impl Form {
    /// The first form of the header that is there; a client that lists none reads JSON.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Status> {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut asked = false;
        for one in values.flat_map(|value| value.split(',')) {
            let mut parts = one.split(';').map(str::trim);
            let kind = parts.next().unwrap_or("");
            if kind.is_empty() {
                continue;
            }
            asked = true;
            let parameters: Vec<&str> = parts.collect();
            let table = parameters.contains(&"as=Table");
            match kind {
                "application/vnd.kubernetes.protobuf" if !table => return Ok(Self::Protobuf),
                "application/json" if table => {
                    let old = parameters.contains(&"v=v1beta1");
                    return Ok(Self::Table(if old { "v1beta1" } else { "v1" }));
                }
                "application/json" | "application/*" | "*/*" if !as_other(&parameters) => {
                    return Ok(Self::Json);
                }
                _ => {}
            }
        }
        if asked { Err(Status::not_acceptable()) } else { Ok(Self::Json) }
    }
}

fn as_other(parameters: &[&str]) -> bool {
    parameters.iter().any(|parameter| parameter.starts_with("as="))
}

/// Whether the header asks for discovery of all groups in one answer; the version asked for.
pub(crate) fn aggregated_discovery(headers: &HeaderMap) -> Option<&'static str> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for one in values.flat_map(|value| value.split(',')) {
        let parts: Vec<&str> = one.split(';').map(str::trim).collect();
        if parts.first() == Some(&"application/json")
            && parts.contains(&"g=apidiscovery.k8s.io")
            && parts.contains(&"as=APIGroupDiscoveryList")
        {
            return ["v2", "v2beta1"].into_iter().find(|v| parts.contains(&&*format!("v={v}")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(accept: &'static str, expected: Option<Form>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        assert_eq!(Form::of(&headers).ok(), expected, "{accept}");
    }

    #[test]
    fn the_first_form_that_is_there_is_taken() {
        check("application/json", Some(Form::Json));
        check("*/*", Some(Form::Json));
        check("application/vnd.kubernetes.protobuf,application/json", Some(Form::Protobuf));
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Some(Form::Table("v1")),
        );
        check(
            "application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json",
            Some(Form::Table("v1beta1")),
        );
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
            Some(Form::Json),
        );
        check("application/yaml", None);
        check("text/html", None);
        assert_eq!(Form::of(&HeaderMap::new()), Ok(Form::Json));
    }
}
