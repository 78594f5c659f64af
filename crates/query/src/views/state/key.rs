//! What an object is known by over time: records are found by what they say, so that no key is kept
//! beside them.

use std::cmp::Ordering;

use model::{Autoscaler, Claim, Commons, Namespace, Node, PersistentVolume, Pod, Quota, Workload};

use super::Up;

/// Three texts, of which a kind's last [`Keyed::PARTS`] may say something.
pub(in crate::views) type Key<'a> = [&'a str; 3];

/// An object whose versions are kept.
pub(in crate::views) trait Keyed {
    /// How many texts say which it is.
    const PARTS: usize;

    /// Namespace, kind and name, as far as the kind of object has them.
    fn key(&self) -> Key<'_>;

    /// Puts what other records hold already in the place of what is equal here.
    fn share(&mut self, _commons: &mut Commons) {}

    /// Puts the key as one text in the place of what `text` was.
    fn put_key(&self, text: &mut String) {
        text.clear();
        for (at, part) in self.key().into_iter().enumerate().skip(3 - Self::PARTS) {
            if at > 3 - Self::PARTS {
                text.push('/');
            }
            text.push_str(part);
        }
    }
}

/// The order of the keys' texts.
pub(super) fn in_order(left: Key<'_>, right: Key<'_>) -> Ordering {
    let text = |key| <Key<'_>>::into_iter(key).flat_map(|part| part.bytes().chain([b'/']));
    match (0..left.len()).find(|at| left[*at] != right[*at]) {
        None => Ordering::Equal,
        // Most are of one namespace.
        Some(2) => left[2].cmp(right[2]),
        Some(_) => text(left).cmp(text(right)),
    }
}

/// Objects in namespaces, or in the empty one, and those by name alone.
macro_rules! keyed {
    ($($type:ident: $namespace:ident $name:ident $(, shares $share:ident)*;)*
     $(& $alone:ident: $only:ident;)*) => {
        $(impl Keyed for $type {
            const PARTS: usize = 2;

            fn key(&self) -> Key<'_> {
                ["", &self.$namespace, &self.$name]
            }

            $(fn share(&mut self, commons: &mut Commons) {
                commons.$share(self);
            })*
        })*
        $(impl Keyed for $alone {
            const PARTS: usize = 1;

            fn key(&self) -> Key<'_> {
                ["", "", &self.$only]
            }
        })*
    };
}

keyed! {
    Pod: namespace name, shares share_pod;
    Claim: namespace name;
    Autoscaler: namespace name;
    Quota: namespace name;
    & Node: name;
    & Namespace: name;
    & Up: node;
}

impl Keyed for PersistentVolume {
    const PARTS: usize = 2;

    fn key(&self) -> Key<'_> {
        ["", "", &self.name]
    }
}

impl Keyed for Workload {
    const PARTS: usize = 3;

    fn key(&self) -> Key<'_> {
        [&self.namespace, &self.kind, &self.name]
    }

    fn share(&mut self, commons: &mut Commons) {
        commons.share_workload(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_texts() {
        let keys =
            [["", "a", "b"], ["", "a", "c"], ["", "a-b", "c"], ["", "", "z"], ["", "ab", "b"]];
        for left in keys {
            for right in keys {
                let order = left[1..].join("/").cmp(&right[1..].join("/"));
                assert_eq!(in_order(left, right), order, "{left:?} {right:?}");
            }
        }
    }

    #[test]
    fn a_key_is_written_as_its_kind_says() {
        let mut text = "before".to_owned();
        let mut check = |written: fn(&mut String), expected: &str| {
            written(&mut text);
            assert_eq!(text, expected);
        };
        let pod = |text: &mut String| {
            let (namespace, name) = ("ns".into(), "p".into());
            Pod { namespace, name, ..Pod::default() }.put_key(text);
        };
        check(pod, "ns/p");
        check(|text| Node { name: "n".into(), ..Node::default() }.put_key(text), "n");
        let volume = |text: &mut String| {
            PersistentVolume { name: "v".into(), ..PersistentVolume::default() }.put_key(text);
        };
        check(volume, "/v");
        let set = |text: &mut String| {
            let (namespace, kind) = ("ns".into(), "Job".into());
            Workload { namespace, kind, name: "w".into(), ..Workload::default() }.put_key(text);
        };
        check(set, "ns/Job/w");
    }
}
