//! The catalog as stores use it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::Matcher;

fn intern(catalog: &mut Catalog, labels: &Labels) -> u32 {
    catalog.intern(labels.kind(), labels.iter())
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for (pod, node) in [("web-0", "n1"), ("web-1", "n2"), ("db-0", "n1"), ("lost", "")] {
        let pairs = vec![("pod".into(), pod.into()), ("node".into(), node.into())];
        intern(&mut catalog, &Labels::new(EntityKind::Pod, pairs));
    }
    catalog
}

fn check(matchers: &[Matcher], expected: &[u32]) {
    let found = catalog().select(EntityKind::Pod, matchers);
    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{matchers:?}");
}

#[test]
fn matchers_select() {
    check(&[], &[0, 1, 2, 3]);
    check(&[Matcher::equal("node", "n1")], &[0, 2]);
    check(&[Matcher::equal("node", "")], &[3]);
    check(&[Matcher::not_equal("node", "n1")], &[1, 3]);
    check(&[Matcher::not_equal("node", "")], &[0, 1, 2]);
    check(&[Matcher::matches("pod", "web-.*").unwrap()], &[0, 1]);
    check(&[Matcher::not_matches("pod", "web-.*").unwrap()], &[2, 3]);
    check(&[Matcher::matches("node", "n2|").unwrap()], &[1, 3]);
    check(&[Matcher::equal("node", "n1"), Matcher::matches("pod", "db.*").unwrap()], &[2]);
    check(&[Matcher::equal("absent", "x")], &[]);
    check(&[Matcher::not_equal("absent", "x")], &[0, 1, 2, 3]);
}

#[test]
fn matchers_of_all_kinds_select_together_what_each_accepts() {
    let mut catalog = Catalog::default();
    let mut all: Vec<Labels> = (0..3).flat_map(|pod| a_pods(pod * 30)).collect();
    for node in ["node-0000", "node-0001"] {
        for device in ["/", "/data"] {
            let pairs = vec![("node".into(), node.into()), ("device".into(), device.into())];
            all.push(Labels::new(EntityKind::Filesystem, pairs));
        }
    }
    let known: Vec<(u32, &Labels)> =
        all.iter().map(|labels| (intern(&mut catalog, labels), labels)).collect();
    let of = |name: &str, values: [&str; 2], pattern: &str| {
        [
            Matcher::equal(name, ""),
            Matcher::not_equal(name, ""),
            Matcher::equal(name, values[0]),
            Matcher::not_equal(name, values[0]),
            Matcher::one_of(name, values),
            Matcher::matches(name, pattern).unwrap(),
            Matcher::not_matches(name, pattern).unwrap(),
        ]
    };
    let matchers: Vec<Matcher> = [
        of("node", ["node-0001", "node-0002"], "node-000[12]|"),
        of("pod", ["checkout-0000000000-00000", "other"], "checkout-.*0"),
        of("device", ["/", "logs"], "/.*"),
        of("absent", ["a", "b"], "a*"),
    ]
    .into_iter()
    .flatten()
    .collect();
    for one in &matchers {
        for two in &matchers {
            for three in matchers.iter().step_by(3) {
                let asked = [one.clone(), two.clone(), three.clone()];
                for kind in [EntityKind::Filesystem, EntityKind::Pod] {
                    let passes = |labels: &Labels| {
                        let value = |name: &str| labels.get(name).unwrap_or("");
                        labels.kind() == kind
                            && asked.iter().all(|one| one.accepts(value(one.name())))
                    };
                    let expected = known.iter().filter(|(_, labels)| passes(labels));
                    let expected: RoaringBitmap = expected.map(|(id, _)| *id).collect();
                    assert_eq!(catalog.select(kind, &asked), expected, "{asked:?}");
                }
            }
        }
    }
}

#[test]
fn forgotten_numbers_are_given_again() {
    let mut catalog = catalog();
    catalog.retain(&[0_u32, 3].into_iter().collect());
    assert_eq!(catalog.len(), 2);
    assert!(catalog.select(EntityKind::Pod, &[Matcher::equal("node", "n2")]).is_empty());
    let new = Labels::new(EntityKind::Pod, vec![("pod".into(), "new".into())]);
    let id = intern(&mut catalog, &new);
    assert!(id == 1 || id == 2);
    assert_eq!(catalog.label_values(None, "pod", None).len(), 3);
}

/// The label pairs of a pod on a node and of its parts, as a cluster's batch has them.
fn a_pods(pod: usize) -> Vec<Labels> {
    let text = |text: String| -> Arc<str> { text.into() };
    let whose = || {
        vec![
            ("namespace".into(), text(format!("team-{}", pod % 50))),
            ("node".into(), text(format!("node-{:04}", pod / 30))),
            ("pod".into(), text(format!("checkout-{:010x}-{pod:05}", pod * 7_919))),
        ]
    };
    let part = |kind, own: &[(&str, &str)]| {
        let own = own.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value)));
        Labels::new(kind, whose().into_iter().chain(own).collect())
    };
    let mut all = vec![part(EntityKind::Pod, &[]), part(EntityKind::Volume, &[("volume", "data")])];
    for container in ["server", "proxy"] {
        all.push(part(EntityKind::Container, &[("container", container)]));
        for device in ["/", "logs"] {
            let own = [("container", container), ("device", device)];
            all.push(part(EntityKind::Filesystem, &own));
        }
    }
    all
}

#[test]
fn an_entity_of_a_cluster_takes_few_bytes() {
    let mut catalog = Catalog::default();
    for labels in (0..6_000).flat_map(a_pods) {
        intern(&mut catalog, &labels);
    }
    assert_eq!(catalog.len(), 48_000);
    let bytes = catalog.heap_bytes() / catalog.len();
    assert!(bytes <= 64, "{bytes}");
    let known = catalog.heap_bytes();
    for labels in (0..6_000).flat_map(a_pods) {
        intern(&mut catalog, &labels);
    }
    assert_eq!((catalog.len(), catalog.heap_bytes()), (48_000, known));
}

#[test]
fn labels_come_back_equal_after_churn() {
    let mut catalog = Catalog::default();
    let mut held: BTreeMap<u32, Labels> = BTreeMap::new();
    for round in 0..20 {
        let pods = round * 10..round * 10 + 40;
        held.extend(pods.flat_map(a_pods).map(|labels| (intern(&mut catalog, &labels), labels)));
        held.retain(|id, _| !(*id as usize + round).is_multiple_of(3));
        catalog.retain(&held.keys().copied().collect());
        assert_eq!(catalog.len(), held.len());
        for (id, labels) in &held {
            assert_eq!(catalog.labels(*id).as_ref(), Some(labels));
            let matchers: Vec<_> = labels.iter().map(|(n, v)| Matcher::equal(n, v)).collect();
            assert!(catalog.select(labels.kind(), &matchers).contains(*id));
        }
        check_values(&catalog, &held);
    }
    let largest = held.keys().max().copied().unwrap_or_default();
    assert!(largest < 1_000, "numbers are given again: {largest}");
    catalog.retain(&RoaringBitmap::new());
    assert_eq!((catalog.len(), catalog.words.len()), (0, 0));
    assert!(
        catalog.label_names(None).is_empty() && catalog.label_values(None, "pod", None).is_empty()
    );
}

/// The index lists just the values that there are, found by entities and by lists.
fn check_values(catalog: &Catalog, held: &BTreeMap<u32, Labels>) {
    for (kind, name) in [(EntityKind::Pod, "pod"), (EntityKind::Filesystem, "device")] {
        let all: BTreeMap<u32, &Labels> =
            held.iter().filter(|(_, one)| one.kind() == kind).map(|(id, one)| (*id, one)).collect();
        let values: BTreeSet<Arc<str>> =
            all.values().filter_map(|labels| labels.get(name)).map(Arc::from).collect();
        assert_eq!(catalog.label_values(Some(kind), name, None), values);
        let some: Vec<_> = values.iter().take(3).map(|value| &**value).collect();
        let found = catalog.select(kind, &[Matcher::one_of(name, some.iter().copied())]);
        let expected = all.iter().filter(|(_, one)| some.contains(&one.get(name).unwrap()));
        assert!(found.iter().eq(expected.map(|(id, _)| *id)), "{name}");
    }
}

#[test]
fn order_is_that_of_labels() {
    let mut catalog = Catalog::default();
    let others = [vec![], vec![("node".into(), "node-0000".into())]];
    let mut all: Vec<Labels> = (0..9).rev().flat_map(a_pods).collect();
    all.extend(others.map(|pairs| Labels::new(EntityKind::Filesystem, pairs)));
    let ids: Vec<u32> = all.iter().map(|labels| intern(&mut catalog, labels)).collect();
    for (left, one) in ids.iter().zip(&all) {
        for (right, other) in ids.iter().zip(&all) {
            assert_eq!(catalog.compare(*left, *right), one.cmp(other), "{one} {other}");
        }
    }
}

#[test]
fn what_was_asked_for_lately_is_kept_until_it_is_forgotten() {
    let mut catalog = catalog();
    let asked = |catalog: &Catalog, id| catalog.roll(EntityKind::Pod, &[id]).labels(0);
    let first = asked(&catalog, 1);
    assert!(std::ptr::eq(first.pairs().values(), asked(&catalog, 1).pairs().values()));
    let many = catalog.roll(EntityKind::Pod, &vec![1; lately::MOST + 1]).labels(0);
    assert!(many == first && !std::ptr::eq(first.pairs().values(), many.pairs().values()));
    catalog.retain(&[0_u32, 2, 3].into_iter().collect());
    assert_eq!(asked(&catalog, 1), Labels::new(EntityKind::Pod, vec![]));
    let new = Labels::new(EntityKind::Pod, vec![("pod".into(), "new".into())]);
    assert_eq!(intern(&mut catalog, &new), 1);
    assert_eq!(asked(&catalog, 1), new);
}

#[test]
fn kinds_with_the_same_value_are_told_apart() {
    let mut catalog = Catalog::default();
    let all: Vec<Labels> = (0..70).flat_map(a_pods).collect();
    let ids: Vec<u32> = all.iter().map(|labels| intern(&mut catalog, labels)).collect();
    for (name, value) in [("node", "node-0001"), ("pod", &*all[0].get("pod").unwrap().to_owned())] {
        for kind in EntityKind::ALL {
            let has = |labels: &&Labels| labels.kind() == kind && labels.get(name) == Some(value);
            let count = all.iter().filter(has).count() as u64;
            assert_eq!(catalog.select(kind, &[Matcher::equal(name, value)]).len(), count, "{name}");
            let pattern = Matcher::matches(name, value).unwrap();
            assert_eq!(catalog.select(kind, &[pattern]).len(), count, "{name}");
        }
    }
    assert_eq!(ids.len(), catalog.len());
    assert!(catalog.label_values(Some(EntityKind::Node), "pod", None).is_empty());
    assert!(!catalog.label_names(Some(EntityKind::Pod)).contains("device"));
}

#[test]
fn numbers_are_written_as_their_labels() {
    let mut catalog = Catalog::default();
    let mut all: Vec<Labels> =
        (0..40).flat_map(a_pods).filter(|one| one.kind() == EntityKind::Filesystem).collect();
    all.push(Labels::new(EntityKind::Filesystem, vec![("node".into(), "node-0001".into())]));
    all.push(Labels::new(EntityKind::Filesystem, vec![]));
    all.sort_unstable();
    let ids: Vec<u32> = all.iter().map(|labels| intern(&mut catalog, labels)).collect();
    let mut out = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        catalog.put(*id, at.checked_sub(1).map(|at| ids[at]), &mut out);
    }
    let mut reader = wire::Reader::new(&out);
    let mut previous = None;
    for labels in &all {
        let read = Labels::read(EntityKind::Filesystem, previous.as_ref(), &mut reader).unwrap();
        assert_eq!(read, *labels);
        previous = Some(read);
    }
    assert!(reader.is_empty());
}

#[test]
fn a_roll_of_many_outlives_what_it_names() {
    let mut catalog = Catalog::default();
    let mut all: Vec<Labels> = (0..4_200).flat_map(a_pods).collect();
    all.retain(|labels| labels.kind() == EntityKind::Filesystem);
    all.push(Labels::new(EntityKind::Filesystem, vec![("node".into(), "node-0001".into())]));
    let ids: Vec<u32> = all.iter().map(|labels| intern(&mut catalog, labels)).collect();
    assert!(ids.len() > lately::MOST);
    let roll = catalog.roll(EntityKind::Filesystem, &ids);
    catalog.retain(&RoaringBitmap::new());
    for labels in a_pods(9_999) {
        intern(&mut catalog, &labels);
    }
    let last = u32::try_from(all.len() - 1).unwrap();
    for (at, labels) in (0_u32..).zip(&all) {
        assert_eq!(roll.labels(at), *labels);
        assert_eq!(roll.compare(at, last), labels.cmp(&all[last as usize]), "{labels}");
        let next = all.get(at as usize + 1).unwrap_or(labels);
        assert_eq!(roll.compare(at, (at + 1).min(last)), labels.cmp(next), "{labels}");
    }
    assert!((0_u32..).zip(&all).all(|(at, labels)| roll.kept(at) == labels));
}

#[test]
fn a_word_stays_while_another_label_has_it() {
    let mut catalog = Catalog::default();
    let of = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value)));
        Labels::new(EntityKind::Pod, pairs.collect())
    };
    let (twice, once) = (of(&[("node", "a"), ("pod", "a")]), of(&[("volume", "a")]));
    let ids = [&twice, &once].map(|labels| intern(&mut catalog, labels));
    catalog.retain(&[ids[1]].into_iter().collect());
    assert_eq!((catalog.words.len(), catalog.labels(ids[1])), (1, Some(once.clone())));
    assert_eq!(intern(&mut catalog, &once), ids[1]);
    catalog.retain(&RoaringBitmap::new());
    assert_eq!(catalog.words.len(), 0);
}
