//! `kube_horizontalpodautoscaler_*`.

use model::Autoscaler;

use super::{Family, Made, TRUTHS, family, flag, number};

/// A number of an autoscaler.
macro_rules! counted {
    ($name:literal $help:literal $field:ident) => {
        family(
            $name,
            Made::Autoscaler(|scaler, put| put(&of(scaler), number(scaler.$field))),
            false,
            $help,
        )
    };
}

pub(super) const FAMILIES: &[Family] = &[
    family(
        "kube_horizontalpodautoscaler_info",
        Made::Autoscaler(|scaler, put| {
            let [namespace, name] = of(scaler);
            let api = ("scaletargetref_api_version", &*scaler.target_api);
            let kind = ("scaletargetref_kind", &*scaler.target.kind);
            put(&[namespace, name, api, kind, ("scaletargetref_name", &scaler.target.name)], 1.0);
        }),
        // What it scales may be changed.
        false,
        "Information about an autoscaler",
    ),
    family(
        "kube_horizontalpodautoscaler_metadata_generation",
        Made::Autoscaler(|scaler, put| {
            if let Some(generation) = scaler.generation {
                put(&of(scaler), number(generation));
            }
        }),
        false,
        "How often it was changed",
    ),
    family(
        "kube_horizontalpodautoscaler_status_condition",
        Made::Autoscaler(|scaler, put| {
            let [namespace, name] = of(scaler);
            for (condition, status) in &scaler.conditions {
                let condition = ("condition", &**condition);
                for (truth, word) in TRUTHS {
                    put(&[namespace, name, condition, ("status", word)], flag(*status == truth));
                }
            }
        }),
        false,
        "What the autoscaler says of itself",
    ),
    counted!("kube_horizontalpodautoscaler_spec_min_replicas" "Fewest replicas" min),
    counted!("kube_horizontalpodautoscaler_spec_max_replicas" "Most replicas" max),
    counted!("kube_horizontalpodautoscaler_status_current_replicas" "Replicas that there were when it looked last" current),
    counted!("kube_horizontalpodautoscaler_status_desired_replicas" "Replicas that it wanted then" wanted),
];

fn of(scaler: &Autoscaler) -> [(&str, &str); 2] {
    [("namespace", &scaler.namespace), ("horizontalpodautoscaler", &scaler.name)]
}
