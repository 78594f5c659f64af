//! `taffrail manifests`: what to apply to a cluster, for standard output.

use manifests::{Options, Variant};

use crate::cli::{ManifestsArgs, ManifestsVariant};

/// The file.
pub(crate) fn text(args: ManifestsArgs) -> String {
    let mut options = Options::of(match args.variant {
        ManifestsVariant::Taffrail => Variant::Plain,
        ManifestsVariant::Heapster => Variant::Heapster,
    });
    if let Some(namespace) = args.namespace {
        options.namespace = namespace;
    }
    if let Some(image) = args.image {
        options.image = image;
    }
    manifests::render(&options)
}
