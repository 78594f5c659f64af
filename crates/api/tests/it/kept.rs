//! Events and selectors over an archive in memory.

use std::sync::Arc;
use std::time::Duration;

use api::ApiState;
use axum::body::Body;
use http::Request;
use model::{Entity, EntityKind, Event, Inventory, Timestamp};
use query::{Archive, ArchiveError, Cancel, EventsAsked, LabelMatch, SeriesRef, Strip};
use serde_json::Value;

use super::fixture::{Answer, cluster, get, inventory, parts, send, state, time};

/// Events alone.
struct Events(Vec<Event>);

impl Archive for Events {
    fn reach(&self) -> Option<(Timestamp, Timestamp)> {
        None
    }

    fn ticks(&self, _: Timestamp, _: Timestamp) -> Result<Vec<i64>, ArchiveError> {
        Ok(Vec::new())
    }

    fn resolution(&self, _: Duration) -> Option<Duration> {
        None
    }

    fn read(
        &self,
        _: &[SeriesRef],
        _: (Timestamp, Timestamp),
        _: Option<Duration>,
        _: &Cancel,
        _: &mut dyn FnMut(usize, Strip<'_>),
    ) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn entities(
        &self,
        _: EntityKind,
        _: &[LabelMatch],
        _: (Timestamp, Timestamp),
    ) -> Result<Vec<Arc<Entity>>, ArchiveError> {
        Err(ArchiveError::Failed("the disk is gone".to_owned()))
    }

    fn events(&self, asked: &EventsAsked, limit: usize) -> Result<Vec<Event>, ArchiveError> {
        let wanted = |event: &&Event| {
            asked.namespaces.is_empty()
                || asked.namespaces.iter().any(|wanted| **wanted == *event.namespace)
        };
        Ok(self.0.iter().filter(wanted).take(limit).cloned().collect())
    }
}

fn event(uid: &str, namespace: &str, event_type: &str, last_seen: &str) -> Event {
    let text = |text: &str| text.into();
    Event {
        uid: text(uid),
        namespace: text(namespace),
        object_kind: text("Pod"),
        object_name: text("web-1"),
        object_uid: text("u"),
        reason: text("BackOff"),
        event_type: text(event_type),
        message: text("Back-off restarting failed container"),
        source: text("kubelet, n1"),
        count: 3,
        first_seen: time("2026-11-23T09:00:00Z"),
        last_seen: time(last_seen),
        ..Event::default()
    }
}

fn keeping(events: Vec<Event>) -> Arc<ApiState> {
    let mut parts = parts(&cluster(), Inventory::default());
    parts.archive = Some(Arc::new(Events(events)));
    ApiState::new(parts)
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

async fn query(state: &Arc<ApiState>, select: &str) -> Answer {
    let now = time("2026-11-23T09:18:05Z").millis();
    let start = now - 3_600_000;
    let body = format!(r#"{{"start":{start},"end":{now},"points":100,"select":[{select}]}}"#);
    send(state, Request::post("/api/taffrail/v1/query").body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn events_are_paged_and_counted_over_time() {
    let state = keeping(vec![
        event("3", "shop", "Warning", "2026-11-23T09:17:00Z"),
        event("2", "shop", "Normal", "2026-11-23T09:10:00Z"),
        event("1", "db", "Normal", "2026-11-23T09:01:00Z"),
    ]);
    let path = "/api/taffrail/v1/events?namespace=shop&limit=1&offset=1&buckets=6";
    let found = json(&get(&state, path).await);
    assert_eq!(found["total"], 2, "{found:#}");
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found:#}");
    let item = &found["items"][0];
    assert_eq!((&item["uid"], &item["type"]), (&"2".into(), &"Normal".into()), "{found:#}");
    let histogram = &found["histogram"];
    assert_eq!(histogram["normal"], serde_json::json!([0, 0, 0, 0, 0, 1]), "{found:#}");
    assert_eq!(histogram["warning"], serde_json::json!([0, 0, 0, 0, 0, 1]), "{found:#}");
    for (query, total) in [("namespace=shop&namespace=db", 3), ("namespace=db", 1), ("", 3)] {
        let found = json(&get(&state, &format!("/api/taffrail/v1/events?{query}")).await);
        assert_eq!(found["total"], total, "{query}");
    }
    for (wrong, named) in [("limit=2000", "limit"), ("from=yesterday", "from"), ("x=1", "x")] {
        let answer = get(&state, &format!("/api/taffrail/v1/events?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.body.contains(named), "{wrong}: {}", answer.body);
    }
}

#[tokio::test]
async fn without_a_folder_there_are_no_events_and_it_says_so() {
    let state = state(&cluster(), inventory());
    let answer = get(&state, "/api/taffrail/v1/events").await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("--data-dir"), "{}", answer.body);
}

#[tokio::test]
async fn a_selector_takes_the_greatest_of_the_live_window() {
    let state = state(&cluster(), inventory());
    let all = json(&query(&state, r#"{"kind":"pod","metric":"memory/working_set"}"#).await);
    let matched = all["matched"][0].as_u64().unwrap();
    assert!(matched > 1, "{all:#}");
    let top = r#"{"kind":"pod","metric":"memory/working_set","top":1,"rank":"max"}"#;
    let top = json(&query(&state, top).await);
    assert_eq!(top["matched"][0], matched);
    assert_eq!(top["series"].as_array().unwrap().len(), 1, "{top:#}");
    assert_eq!(top["series"][0]["of"], all["series"][0]["of"], "{top:#}");
    let name = top["series"][0]["of"]["name"].as_str().unwrap();
    let other =
        format!(r#"{{"kind":"pod","metric":"memory/working_set","match":["pod!={name}"]}}"#);
    assert_eq!(json(&query(&state, &other).await)["matched"][0], matched - 1);
}

#[tokio::test]
async fn what_cannot_be_selected_is_told() {
    let live = state(&cluster(), inventory());
    for (select, named) in [
        (r#"{"kind":"pod","metric":"memory/working_set","match":["pod"]}"#, "label=value"),
        (r#"{"kind":"pod","metric":"memory/working_set","match":["pod=~("]}"#, "pod=~("),
        (r#"{"kind":"pod","metric":"memory/working_set","top":0}"#, "top"),
        (r#"{"kind":"pod","metric":"memory/x"}"#, "memory/x"),
    ] {
        let answer = query(&live, select).await;
        assert_eq!(answer.status, 400, "{select}");
        assert!(answer.body.contains(named), "{select}: {}", answer.body);
    }
    let broken = query(&keeping(Vec::new()), r#"{"kind":"pod","metric":"pods"}"#).await;
    assert_eq!(broken.status, 500);
    assert!(broken.body.contains("the disk is gone"), "{}", broken.body);
}

#[tokio::test]
async fn events_are_saved_as_files() {
    let mut hostile = event("2", "shop", "Warning", "2026-11-23T09:17:00Z");
    hostile.message = "=HYPERLINK(\"http://evil\"), <b>\n\u{1b}[31m".into();
    let state = keeping(vec![hostile, event("1", "db", "Normal", "2026-11-23T09:01:00Z")]);
    let ask =
        async |query: &str| get(&state, &format!("/api/taffrail/v1/events/export?{query}")).await;
    let csv = ask("namespace=shop").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"events.csv\"");
    let expected = "lastSeen,firstSeen,type,reason,namespace,kind,name,count,source,message,uid\r\n\
        2026-11-23T09:17:00Z,2026-11-23T09:00:00Z,Warning,BackOff,shop,Pod,web-1,3,\"kubelet, n1\",\
        \"'=HYPERLINK(\"\"http://evil\"\"), <b>\n\u{1b}[31m\",2\r\n";
    assert_eq!(csv.body, expected);
    let lines = ask("format=ndjson").await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let uids: Vec<Value> = lines
        .body
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["uid"].clone())
        .collect();
    assert_eq!(uids, ["2", "1"]);
    for wrong in ["format=xml", "limit=1", "nonsense=1"] {
        assert_eq!(ask(wrong).await.status.as_u16(), 400, "{wrong}");
    }
}
