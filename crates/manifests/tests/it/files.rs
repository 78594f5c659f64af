//! `deploy/` holds what is printed, and kustomize makes the same of it.

use std::path::PathBuf;
use std::process::Command;

use manifests::{Options, Variant, render};

use crate::support::{answer, list, objects, root, same, tools};

fn file(variant: Variant) -> PathBuf {
    root().join(match variant {
        Variant::Plain => "deploy/taffrail.yaml",
        Variant::Heapster => "deploy/heapster/taffrail.yaml",
        Variant::Replicas => "deploy/replicas/taffrail.yaml",
        Variant::MetricsServer => "deploy/metrics-server/taffrail.yaml",
        Variant::CustomMetrics => "deploy/custom-metrics/taffrail.yaml",
        Variant::Dashboard => "deploy/dashboard/taffrail.yaml",
    })
}

#[test]
fn deploy_holds_what_is_printed() {
    for variant in Variant::ALL {
        let (path, printed) = (file(variant), render(&Options::of(variant)));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == printed, "{} is old: run `cargo xtask golden`", path.display());
    }
}

#[test]
fn the_yaml_says_what_the_objects_are() {
    for variant in Variant::ALL {
        let options = Options::of(variant);
        same(list(tools(&["yaml"], &render(&options))), objects(&options));
    }
}

#[test]
fn kustomize_makes_the_same() {
    for (folder, variant) in [
        ("deploy", Variant::Plain),
        ("deploy/heapster", Variant::Heapster),
        ("deploy/replicas", Variant::Replicas),
        ("deploy/metrics-server", Variant::MetricsServer),
        ("deploy/custom-metrics", Variant::CustomMetrics),
        ("deploy/dashboard", Variant::Dashboard),
    ] {
        assert!(PathBuf::from("/usr/bin/kubectl").exists(), "run `cargo xtask tools`");
        let mut kubectl = Command::new("/usr/bin/kubectl");
        kubectl.arg("kustomize").arg(root().join(folder));
        same(list(tools(&["yaml"], &answer(kubectl, ""))), objects(&Options::of(variant)));
    }
}

#[test]
fn namespace_and_image_are_where_they_belong() {
    for variant in Variant::ALL {
        let (namespace, image) = ("observe".to_owned(), "registry.local/t:9".to_owned());
        let text = render(&Options { variant, namespace, image, scrape: false });
        // One binding's place is the API server's own.
        let aggregated = [Variant::MetricsServer, Variant::CustomMetrics].contains(&variant);
        let theirs = if aggregated { "kube-public" } else { "kube-system" };
        let stray = [" namespace: taffrail\n", theirs, manifests::REPOSITORY];
        for stray in stray {
            assert!(!text.contains(stray), "{stray} in {text}");
        }
        assert!(text.contains("image: registry.local/t:9\n"), "{text}");
        assert!(text.contains("kind: Namespace\nmetadata:\n  name: observe\n"), "{text}");
    }
}
