//! Autoscalers, quotas and persistent volumes, in the fields that the inventory keeps.

use serde::Deserialize;

use super::{Amounts, Condition};

/// What an autoscaler shall do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerSpec {
    /// What it scales.
    pub scale_target_ref: ScaleTarget,
    /// Fewest replicas; the API server's default is 1.
    pub min_replicas: Option<i64>,
    /// Most replicas.
    pub max_replicas: i64,
}

/// What is scaled.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScaleTarget {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// What an autoscaler did. Without one it has not looked yet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerStatus {
    /// Replicas that there were.
    pub current_replicas: Option<i64>,
    /// Replicas that it wanted.
    pub desired_replicas: Option<i64>,
    /// What it says of itself.
    pub conditions: Option<Vec<Condition>>,
}

/// How a quota stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct QuotaStatus {
    /// What may be used, as it is enforced.
    pub hard: Option<Amounts>,
    /// What is used.
    pub used: Option<Amounts>,
}

/// What a persistent volume shall be.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeSpec {
    /// Bytes there are.
    pub capacity: Option<Amounts>,
    /// The claim it is bound to.
    pub claim_ref: Option<ClaimReference>,
    /// What becomes of it without its claim.
    pub persistent_volume_reclaim_policy: String,
    /// Its class.
    pub storage_class_name: String,
    /// `Filesystem` or `Block`.
    pub volume_mode: String,
    /// Where it is, one of these.
    pub csi: Option<CsiSource>,
    /// A directory of an NFS server.
    pub nfs: Option<NfsSource>,
    /// A disk or directory of a node.
    pub local: Option<LocalSource>,
    /// A directory of whichever node.
    pub host_path: Option<HostPathSource>,
    /// A disk of iSCSI.
    pub iscsi: Option<IscsiSource>,
    /// A disk of Fibre Channel.
    pub fc: Option<FcSource>,
    /// A disk of Google's, as older clusters name it.
    pub gce_persistent_disk: Option<GceSource>,
    /// A disk of Amazon's; likewise.
    pub aws_elastic_block_store: Option<EbsSource>,
    /// A disk of Azure's; likewise.
    pub azure_disk: Option<AzureSource>,
}

/// A claim by its name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ClaimReference {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// A volume of a storage driver.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CsiSource {
    /// The driver.
    pub driver: String,
    /// Its name for the volume.
    pub volume_handle: String,
}

/// A directory of an NFS server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NfsSource {
    /// The server.
    pub server: String,
    /// The directory.
    pub path: String,
}

/// A disk or directory of a node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalSource {
    /// Where on the node.
    pub path: String,
    /// Its filesystem.
    pub fs_type: Option<String>,
}

/// A directory of whichever node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct HostPathSource {
    /// Where on the node.
    pub path: String,
    /// What must be there.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// A disk of iSCSI.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IscsiSource {
    /// Address and port.
    pub target_portal: String,
    /// The target's name.
    pub iqn: String,
    /// The unit.
    pub lun: i64,
    /// The initiator's name.
    pub initiator_name: Option<String>,
}

/// A disk of Fibre Channel.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FcSource {
    /// The unit.
    pub lun: Option<i64>,
    /// Names of the targets.
    #[serde(rename = "targetWWNs")]
    pub target_wwns: Option<Vec<String>>,
    /// Identifiers of the disk.
    pub wwids: Option<Vec<String>>,
}

/// A disk of Google's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GceSource {
    /// Its name.
    pub pd_name: String,
}

/// A disk of Amazon's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EbsSource {
    /// Its id.
    #[serde(rename = "volumeID")]
    pub volume_id: String,
}

/// A disk of Azure's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureSource {
    /// Its name.
    pub disk_name: String,
}

/// What a persistent volume is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct VolumeStatus {
    /// `Pending`, `Available`, `Bound`, `Released` or `Failed`.
    pub phase: String,
}
