//! Events: dedup, search, retention, crashes, damage.

use std::path::Path;

use model::Event;
use store::{EventQuery, Fault, Simulated, Store};

use crate::support::{DAY, at, open, options};

fn event(uid: &str, reason: &str, count: u32, secs: i64) -> Event {
    Event {
        uid: uid.into(),
        namespace: "shop".into(),
        object_kind: "Pod".into(),
        object_name: "web-0".into(),
        reason: reason.into(),
        event_type: if reason == "BackOff" { "Warning" } else { "Normal" }.into(),
        message: format!("Back-off restarting {reason}").into(),
        source: "kubelet, n1".into(),
        count,
        first_seen: at(DAY),
        last_seen: at(secs),
        ..Event::default()
    }
}

const ANY: EventQuery<'static> = EventQuery {
    limit: 100,
    ..EventQuery::all(
        model::Timestamp::from_secs(DAY),
        model::Timestamp::from_secs(DAY + 1_000_000),
    )
};

fn found(store: &Store, query: &EventQuery<'_>) -> Vec<(String, u32)> {
    let events = store.search_events(query).unwrap();
    events.iter().map(|event| (event.uid.to_string(), event.count)).collect()
}

fn expect(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    expected.iter().map(|(uid, count)| ((*uid).to_owned(), *count)).collect()
}

#[test]
fn repeated_events_are_one() {
    let disk = Simulated::new(1);
    let store = open(&disk, options(), DAY).unwrap();
    let events = [event("a", "BackOff", 1, DAY + 10), event("b", "Pulled", 1, DAY + 20)];
    assert_eq!(store.append_events(&events, at(DAY + 20)).unwrap(), 2);
    assert_eq!(store.append_events(&events, at(DAY + 30)).unwrap(), 0);
    let again = [event("a", "BackOff", 2, DAY + 40)];
    assert_eq!(store.append_events(&again, at(DAY + 40)).unwrap(), 1);
    let check = |store: &Store| {
        let warning = EventQuery { event_type: Some("Warning"), ..ANY };
        assert_eq!(found(store, &ANY), expect(&[("a", 2), ("b", 1)]));
        assert_eq!(found(store, &warning), expect(&[("a", 2)]));
        assert_eq!(
            found(store, &EventQuery { reason: Some("Pulled"), ..ANY }),
            expect(&[("b", 1)])
        );
        assert_eq!(
            found(store, &EventQuery { text: Some("RESTARTING p"), ..ANY }),
            expect(&[("b", 1)])
        );
        assert_eq!(found(store, &EventQuery { limit: 1, ..ANY }), expect(&[("a", 2)]));
        assert_eq!(found(store, &EventQuery { from: at(DAY + 30), ..ANY }), expect(&[("a", 2)]));
        assert_eq!(found(store, &EventQuery { namespaces: &["x".to_owned()], ..ANY }), expect(&[]));
        assert_eq!(found(store, &EventQuery { object_name: Some("web-0"), ..ANY }).len(), 2);
    };
    check(&store);
    drop(store);
    disk.power_cycle();
    let store = open(&disk, options(), DAY + 50).unwrap();
    check(&store);
    let whole = store.search_events(&ANY).unwrap();
    assert_eq!(whole[0], again[0]);
    assert_eq!(store.append_events(&again, at(DAY + 60)).unwrap(), 0, "known after a restart too");
}

#[test]
fn old_events_are_unlinked() {
    let disk = Simulated::new(2);
    let store = open(&disk, options(), DAY).unwrap();
    for day in 0..40 {
        let now = DAY + day * 86_400;
        store.append_events(&[event(&format!("e{day}"), "Pulled", 1, now)], at(now)).unwrap();
        store.retain(at(now)).unwrap();
    }
    let all = EventQuery { to: at(DAY + 50 * 86_400), ..ANY };
    assert_eq!(found(&store, &all).len(), 31);
}

#[test]
fn a_failed_sync_loses_no_event() {
    let disk = Simulated::new(3);
    let store = open(&disk, options(), DAY).unwrap();
    store.append_events(&[event("a", "Pulled", 1, DAY)], at(DAY)).unwrap();
    disk.inject(2, Fault::SyncError);
    store.append_events(&[event("b", "Pulled", 1, DAY + 1)], at(DAY)).unwrap_err();
    store.append_events(&[event("c", "Pulled", 1, DAY + 2)], at(DAY)).unwrap();
    drop(store);
    disk.power_cycle();
    let store = open(&disk, options(), DAY).unwrap();
    assert_eq!(found(&store, &ANY), expect(&[("c", 1), ("b", 1), ("a", 1)]));
}

#[test]
fn damage_loses_one_event_and_is_named() {
    let disk = Simulated::new(4);
    let store = open(&disk, options(), DAY).unwrap();
    let events = ["a", "b", "c"].map(|uid| event(uid, "Pulled", 1, DAY));
    store.append_events(&events, at(DAY)).unwrap();
    drop(store);
    let path = Path::new("/data/events/0000000001.evt");
    let whole = disk.files().into_iter().find(|(found, _)| found == path).unwrap().1;
    for at_byte in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at_byte] ^= 0x40;
        disk.put(path, bytes);
        let store = open(&disk, options(), DAY).unwrap();
        let found = found(&store, &ANY).len();
        let damage = store.summary().damage;
        assert!(found >= 2, "byte {at_byte}");
        assert!(found == 3 || !damage.is_empty() || at_byte > whole.len() / 2, "byte {at_byte}");
    }
}
