//! `taffrail manifests`: what to apply to a cluster, for standard output.

use manifests::{Options, Variant};

use crate::cli::{ManifestsArgs, ManifestsVariant};

/// The file.
pub(crate) fn text(args: ManifestsArgs) -> String {
    let mut options = Options::of(match args.variant {
        ManifestsVariant::Taffrail => Variant::Plain,
        ManifestsVariant::Heapster => Variant::Heapster,
        ManifestsVariant::Replicas => Variant::Replicas,
        ManifestsVariant::MetricsServer => Variant::MetricsServer,
        ManifestsVariant::CustomMetrics => Variant::CustomMetrics,
        ManifestsVariant::Dashboard => Variant::Dashboard,
    });
    if let Some(namespace) = args.namespace {
        options.namespace = namespace;
    }
    if let Some(image) = args.image {
        options.image = image;
    }
    options.scrape = args.scrape;
    options.push = args.push;
    manifests::render(&options)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::config::Config;

    #[test]
    fn every_group_that_is_served_is_registered() {
        let documents = manifests::documents(&Options::of(Variant::CustomMetrics));
        let services = documents.iter().filter(|one| one.object["kind"] == "APIService");
        let registered: Vec<String> = services
            .map(|one| {
                let spec = &one.object["spec"];
                let text = |key: &str| spec[key].as_str().unwrap().to_owned();
                format!("{}/{}", text("group"), text("version"))
            })
            .collect();
        assert_eq!(registered, api::API_SERVICES);
    }

    #[test]
    fn the_pods_arguments_are_understood() {
        for variant in Variant::ALL {
            let options = Options { scrape: true, push: true, ..Options::of(variant) };
            let documents = manifests::documents(&options);
            let containers = documents.iter().filter_map(|one| {
                one.object["spec"]["template"]["spec"]["containers"][0].as_object()
            });
            let mut pods = 0;
            for container in containers {
                // What the kubelet puts in for $(POD_IP) and $(POD_NAME).
                let filled =
                    |text: &str| text.replace("$(POD_IP)", "::1").replace("$(POD_NAME)", "t-0");
                let args = container["args"].as_array().unwrap().iter();
                let words = args.map(|word| filled(word.as_str().unwrap()));
                let parsed =
                    Cli::try_parse_from(std::iter::once("taffrail".to_owned()).chain(words));
                let Command::Serve(args) = parsed.unwrap().command else { panic!("{variant:?}") };
                let config = Config::from_serve(*args).unwrap();
                assert_eq!(config.listen.port(), manifests::HTTP_PORT);
                let settings = &config.scrape.settings;
                assert!(settings.annotations && settings.monitors);
                let receiver = config.rules.otlp_grpc.map(|address| address.port());
                assert_eq!(receiver, Some(manifests::OTLP_PORT));
                // The file is the mounted secret's key.
                let mounts = container["volumeMounts"].as_array().unwrap();
                let mount = mounts.iter().find(|mount| mount["name"] == "push").unwrap();
                let token = config.rules.push_token.unwrap();
                assert_eq!(token.parent().unwrap(), mount["mountPath"].as_str().unwrap());
                let peers = config.replicas.map(|replicas| replicas.listen.port());
                let expected = (variant == Variant::Replicas).then_some(manifests::PEER_PORT);
                assert_eq!(peers, expected);
                let secure = config.apis.secure.map(|secure| secure.address.port());
                let aggregated = [Variant::MetricsServer, Variant::CustomMetrics];
                let expected = aggregated.contains(&variant).then_some(manifests::SECURE_PORT);
                assert_eq!(secure, expected);
                let scraper = config.apis.sidecar.map(|address| address.port());
                let expected = (variant == Variant::Dashboard).then_some(manifests::SCRAPER_PORT);
                assert_eq!(scraper, expected);
                pods += 1;
            }
            assert_eq!(pods, 1, "{variant:?}");
        }
    }
}
