//! Every object against Kubernetes' own schemas, unknown fields refused: the oldest version that
//! is kept for, one between, and the newest.

use manifests::{Options, Variant};
use serde_json::Value;

use crate::support::{objects, tools};

const VERSIONS: [&str; 3] = ["1.25", "1.31", "1.37"];

fn mistakes(version: &str, objects: Vec<Value>) -> Vec<Value> {
    // The schemas in the package are of Kubernetes itself; the aggregator's kinds are not there.
    let objects: Vec<Value> =
        objects.into_iter().filter(|object| object["kind"] != "APIService").collect();
    crate::support::list(tools(&["validate", version], &Value::Array(objects).to_string()))
}

#[test]
fn manifests_fit_three_versions() {
    for version in VERSIONS {
        for variant in Variant::ALL {
            let options = Options { push: true, ..Options::of(variant) };
            let found = mistakes(version, objects(&options));
            assert!(found.is_empty(), "{version} {variant:?}: {found:#?}");
        }
    }
}

#[test]
fn a_mistake_would_be_found() {
    let mut objects = objects(&Options::of(Variant::Plain));
    for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
        object["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x".into();
    }
    for version in VERSIONS {
        let found = mistakes(version, objects.clone());
        assert!(found.len() == 1 && found[0].to_string().contains("imagee"), "{found:?}");
    }
}
