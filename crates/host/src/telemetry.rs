//! Names of the host source's self-metrics.

/// Counter: cgroups left out because there were more than the bound.
pub(crate) const CGROUPS_REFUSED: &str = "taffrail_host_cgroups_refused_total";
/// Counter: filesystems left out because there were more than the bound.
pub(crate) const FILESYSTEMS_REFUSED: &str = "taffrail_host_filesystems_refused_total";
