//! Where an object is: its kind's address, its namespace and name, and the path they make.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::people::Refusal;

/// What stands for no group, and for no namespace, in our addresses.
const CORE: &str = "core";
const NONE: &str = "-";
/// Longest part of an address; names of objects are at most 253.
const MAX_PART_BYTES: usize = 253;
/// What a name may hold unescaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Address of a kind: `apps`, `v1`, `deployments`. The core group is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub(super) struct KindAddress {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) plural: String,
}

impl KindAddress {
    /// As our addresses write it.
    pub(super) fn read(group: &str, version: &str, plural: &str) -> Result<Self, Refusal> {
        let plain = |text: &str| {
            let byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
            !text.is_empty()
                && text.len() <= MAX_PART_BYTES
                && text.bytes().all(byte)
                && !text.contains("..")
                && text != "."
        };
        if !(plain(group) && plain(version) && plain(plural)) {
            return Err(Refusal::bad("this is no kind of object"));
        }
        let group = if group == CORE { "" } else { group };
        Ok(Self { group: group.to_owned(), version: version.to_owned(), plural: plural.to_owned() })
    }

    /// The path of its list, in one namespace unless that is empty.
    pub(super) fn path(&self, namespace: &str) -> String {
        let Self { group, version, plural } = self;
        let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        if namespace.is_empty() {
            return format!("{root}/{version}/{plural}");
        }
        let namespace = utf8_percent_encode(namespace, ESCAPED);
        format!("{root}/{version}/namespaces/{namespace}/{plural}")
    }

    pub(super) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }
}

/// Where one object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: KindAddress,
    /// Empty for what is in none.
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Place {
    /// As our addresses write it.
    pub(super) fn read(
        (group, version, plural, namespace, name): (String, String, String, String, String),
    ) -> Result<Self, Refusal> {
        let kind = KindAddress::read(&group, &version, &plural)?;
        Ok(Self { kind, namespace: self::namespace(&namespace)?, name: self::name(&name)? })
    }

    /// The object's path.
    pub(super) fn path(&self) -> String {
        let name = utf8_percent_encode(&self.name, ESCAPED);
        format!("{}/{name}", self.kind.path(&self.namespace))
    }
}

/// A namespace of an address; empty for `-`.
pub(super) fn namespace(text: &str) -> Result<String, Refusal> {
    if text == NONE { Ok(String::new()) } else { name(text) }
}

/// A name as a path may hold it; Kubernetes refuses the same ones.
pub(super) fn name(text: &str) -> Result<String, Refusal> {
    let well = !text.is_empty()
        && text.len() <= MAX_PART_BYTES
        && text != "."
        && text != ".."
        && !text.contains(['/', '%'])
        && !text.chars().any(char::is_control);
    if well { Ok(text.to_owned()) } else { Err(Refusal::bad("this is no name of an object")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_make_paths_and_lead_nowhere_else() {
        let check = |parts: [&str; 5], expected: Option<&str>| {
            let [group, version, plural, namespace, name] = parts.map(str::to_owned);
            let place = Place::read((group, version, plural, namespace, name));
            assert_eq!(place.ok().map(|place| place.path()).as_deref(), expected, "{parts:?}");
        };
        check(["core", "v1", "nodes", "-", "a"], Some("/api/v1/nodes/a"));
        check(
            ["apps", "v1", "deployments", "shop", "web"],
            Some("/apis/apps/v1/namespaces/shop/deployments/web"),
        );
        check(
            ["rbac.authorization.k8s.io", "v1", "clusterroles", "-", "system:node"],
            Some("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"),
        );
        check(["core", "v1", "nodes", "-", "a/proxy"], None);
        check(["core", "v1", "nodes", "-", ".."], None);
        check(["core", "v1", "../..", "-", "a"], None);
        check(["core", "v1", "nodes/a/proxy", "-", "a"], None);
        check(["", "v1", "nodes", "-", "a"], None);
        check(["core", "v1", "pods", "..", "a"], None);
        check(
            ["core", "v1", "pods", "a", "?watch=1"],
            Some("/api/v1/namespaces/a/pods/%3Fwatch%3D1"),
        );
    }
}
