//! What pods call the volumes that come from claims: few names, for pods of one workload share
//! them, and only a few of all volumes have one.

use std::collections::BTreeSet;

use model::Pod;

/// Most names that are kept; beyond, all volumes are looked at.
const MAX_NAMES: usize = 1_000;

/// Every such name that was ever seen.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    names: BTreeSet<Box<str>>,
}

impl Mounted {
    pub(super) fn see(&mut self, pod: &Pod) {
        for (name, _) in &pod.claims {
            if self.names.len() <= MAX_NAMES && !self.names.contains(name) {
                self.names.insert(name.clone());
            }
        }
    }

    /// The names; `None` when not all of them are known.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        (self.names.len() <= MAX_NAMES).then(|| self.names.iter().map(|name| &**name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_until_there_are_too_many() {
        let mut mounted = Mounted::default();
        let pod = |name: String| {
            let claims = [(name.into(), "claim".into())];
            Pod { claims: claims.into(), ..Pod::default() }
        };
        for name in ["data", "logs", "data"] {
            mounted.see(&pod(name.to_owned()));
        }
        let known: Vec<&str> = mounted.names().unwrap().collect();
        assert_eq!(known, ["data", "logs"]);
        (0..2 * MAX_NAMES).for_each(|at| mounted.see(&pod(at.to_string())));
        assert!(mounted.names().is_none());
        assert_eq!(mounted.names.len(), MAX_NAMES + 1);
    }
}
