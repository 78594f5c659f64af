//! `taffrail why`: asks a running server why something has no value.

use http::Method;
use serde_json::Value;

use super::text::put;
use crate::cli::{WhyArgs, WhyOutput, WhySubject};
use crate::exit::{FAILURE, Failure};
use crate::remote::Remote;
use crate::say;

/// Asks once. That there is no value is a failure, so that scripts can tell.
pub(crate) async fn run(args: &WhyArgs) -> Result<(), Failure> {
    let path = path(args)?;
    let server = Remote::of(&args.ask)?;
    let answer = server.ask(Method::GET, &path, "application/json", Vec::new()).await;
    let (status, body) = answer.map_err(Failure::unavailable)?;
    let answer: Value = serde_json::from_slice(&body).map_err(|error| {
        Failure::unavailable(format!(
            "{} answered no JSON: {error}; is it Taffrail?",
            args.ask.server
        ))
    })?;
    if !status.is_success() {
        let reason = answer["error"]["message"].as_str().or(answer["message"].as_str());
        return Err(Failure::usage(reason.map_or_else(|| answer.to_string(), str::to_owned)));
    }
    match args.output {
        WhyOutput::Json => say(&format!("{answer:#}"))?,
        WhyOutput::Text => say(text(&answer).trim_end())?,
    }
    if answer["reason"] == "present" {
        return Ok(());
    }
    let reason = answer["reason"].as_str().unwrap_or("unknown");
    Err(Failure { code: FAILURE, message: format!("no value ({reason})") })
}

/// The question as the API takes it.
fn path(args: &WhyArgs) -> Result<String, Failure> {
    let wrong = |shape: &str| {
        Failure::usage(format!(
            "`{}`: write {shape}; `taffrail why --help` has examples",
            args.name
        ))
    };
    let parts: Vec<&str> = args.name.split('/').filter(|part| !part.is_empty()).collect();
    let (kind, fields): (&str, Vec<(&str, &str)>) = match (args.subject, &*parts) {
        (WhySubject::Pod, [namespace, name]) => {
            ("pod", vec![("namespace", namespace), ("name", name)])
        }
        (WhySubject::Pod, _) => return Err(wrong("NAMESPACE/NAME")),
        (WhySubject::Container, [namespace, pod, name]) => {
            ("container", vec![("namespace", namespace), ("pod", pod), ("name", name)])
        }
        (WhySubject::Volume, [namespace, pod, name]) => {
            ("volume", vec![("namespace", namespace), ("pod", pod), ("name", name)])
        }
        (WhySubject::Container | WhySubject::Volume, _) => {
            return Err(wrong("NAMESPACE/POD/NAME"));
        }
        (WhySubject::Workload, [namespace, kind, name]) => {
            ("workload", vec![("namespace", namespace), ("workload", kind), ("name", name)])
        }
        (WhySubject::Workload, _) => return Err(wrong("NAMESPACE/KIND/NAME")),
        (WhySubject::Node, [name]) => ("node", vec![("name", name)]),
        (WhySubject::Namespace, [name]) => ("namespace", vec![("name", name)]),
        (WhySubject::Node | WhySubject::Namespace, _) => return Err(wrong("its name")),
        (WhySubject::Cluster, []) => ("cluster", Vec::new()),
        (WhySubject::Cluster, _) => return Err(wrong("nothing behind `cluster`")),
        (WhySubject::Metric, [_, ..]) => ("cluster", vec![("metric", &*args.name)]),
        (WhySubject::Metric, []) => return Err(wrong("a metric, such as cpu/usage_rate")),
    };
    let mut query = form_urlencoded::Serializer::new(format!("kind={kind}"));
    let metric = args.metric.as_deref().map(|metric| ("metric", metric));
    query.extend_pairs(fields.into_iter().chain(metric));
    Ok(format!("/api/taffrail/v1/why?{}", query.finish()))
}

fn text(answer: &Value) -> String {
    let field = |name: &str| answer[name].as_str().unwrap_or_default();
    let mut text = String::new();
    put(&mut text, format_args!("{}", field("sentence")));
    if let Some(value) = answer["value"].as_f64() {
        put(&mut text, format_args!(": {value}"));
    }
    put(&mut text, format_args!("\n"));
    for evidence in answer["evidence"].as_array().into_iter().flatten() {
        put(&mut text, format_args!("  {}\n", evidence.as_str().unwrap_or_default()));
    }
    if !field("advice").is_empty() {
        put(&mut text, format_args!("To do: {}\n", field("advice")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::AskArgs;

    fn asked(subject: WhySubject, name: &str, metric: Option<&str>) -> Result<String, String> {
        let args = WhyArgs {
            subject,
            name: name.to_owned(),
            metric: metric.map(str::to_owned),
            ask: AskArgs { server: String::new(), token_file: None, ca_file: None },
            output: WhyOutput::Text,
        };
        path(&args).map_err(|failure| failure.message)
    }

    #[test]
    fn names_become_questions() {
        for (subject, name, metric, expected) in [
            (WhySubject::Pod, "web/a", None, "kind=pod&namespace=web&name=a"),
            (WhySubject::Node, "n", Some("cpu/x"), "kind=node&name=n&metric=cpu%2Fx"),
            (
                WhySubject::Workload,
                "web/Deployment/a",
                None,
                "kind=workload&namespace=web&workload=Deployment&name=a",
            ),
            (WhySubject::Metric, "cpu/usage", None, "kind=cluster&metric=cpu%2Fusage"),
            (WhySubject::Cluster, "", None, "kind=cluster"),
        ] {
            let expected = format!("/api/taffrail/v1/why?{expected}");
            assert_eq!(asked(subject, name, metric), Ok(expected));
        }
        let wrong = asked(WhySubject::Pod, "a", None).unwrap_err();
        assert!(wrong.contains("write NAMESPACE/NAME"), "{wrong}");
    }
}
