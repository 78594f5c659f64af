//! `deploy/` holds what is printed, and kustomize makes the same of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use manifests::{Options, Variant, render};
use serde_json::Value;

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
        let options = Options { push: true, ..Options::of(variant) };
        same(list(tools(&["yaml"], &render(&options))), objects(&options));
    }
}

/// What kustomize makes of a folder.
fn kustomized(folder: &Path) -> Vec<Value> {
    assert!(Path::new("/usr/bin/kubectl").exists(), "run `cargo xtask tools`");
    let mut kubectl = Command::new("/usr/bin/kubectl");
    kubectl.arg("kustomize").arg(folder);
    list(tools(&["yaml"], &answer(kubectl, "")))
}

#[test]
fn kustomize_makes_the_same() {
    for variant in Variant::ALL {
        let folder = file(variant).parent().unwrap().to_owned();
        same(kustomized(&folder), objects(&Options::of(variant)));
    }
}

#[test]
fn the_component_lets_any_variant_take_what_others_push() {
    // Kustomize takes no absolute paths.
    let overlay = tempfile::tempdir_in(root().join("target")).unwrap();
    for variant in Variant::ALL {
        let file = file(variant);
        let base = file.parent().unwrap().strip_prefix(root()).unwrap().display();
        let text = format!("resources: [../../{base}]\ncomponents: [../../deploy/push]\n");
        std::fs::write(overlay.path().join("kustomization.yaml"), text).unwrap();
        let options = Options { push: true, ..Options::of(variant) };
        same(kustomized(overlay.path()), objects(&options));
    }
}

#[test]
fn namespace_and_image_are_where_they_belong() {
    for variant in Variant::ALL {
        let (namespace, image) = ("observe".to_owned(), "registry.local/t:9".to_owned());
        let text = render(&Options { variant, namespace, image, scrape: false, push: true });
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
