//! The view as text, and what keys do to it.

use std::collections::HashMap;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw::draw;
use super::keys::{Effect, press};
use super::state::{Seen, State};
use crate::past::Past;
use crate::wire::{List, Overview, Status};
use crate::{Error, Filters, Page, Row, SortBy, Subject};

fn seen(subject: Subject, items: &str, total: usize) -> Seen {
    let text = format!(r#"{{"timestamp":60000,"total":{total},"items":{items}}}"#);
    let list: List = serde_json::from_str(&text).unwrap();
    let rows: Vec<Row> = list.items.into_iter().map(|item| Row::new(subject, item)).collect();
    let status: Status = serde_json::from_str(
        r#"{"version":"1","cluster":{"name":"demo"},"now":200000,"resolutionMs":5000,
            "targets":{"up":2,"failed":1}}"#,
    )
    .unwrap();
    let overview: Overview = serde_json::from_str(
        r#"{"timestamp":60000,"nodes":{"total":3,"ready":2},"pods":{"total":90},
            "cpu":{"usage":3000,"request":6000,"allocatable":12000},
            "memory":{"workingSet":1073741824,"usage":9,"allocatable":4294967296}}"#,
    )
    .unwrap();
    let past = Past { cpu: vec![Some(1.0), None, Some(4.0)], memory: vec![Some(2.0)] };
    let whole = past.clone();
    let page = Page { timestamp: list.timestamp, total: list.total, rows };
    Seen { status, overview, page, past: HashMap::from([(0, past)]), whole, offset: 0 }
}

const NODES: &str = r#"[
    {"name":"node-1","ready":true,"cpu":{"usage":950,"request":500,"allocatable":1000},
     "memory":{"workingSet":536870912,"allocatable":1073741824},"network":{"rxRate":2000,"txRate":500}},
    {"name":"node-\u001b[2J","ready":false,"cpu":{},"memory":{},"network":{}}]"#;

fn shown(state: &mut State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |row| (0..width).map(|column| buffer[(column, row)].symbol()).collect::<String>();
    (0..height).map(|row| line(row).trim_end().to_owned() + "\n").collect()
}

fn key(state: &mut State, code: KeyCode) -> Effect {
    press(state, KeyEvent::new(code, KeyModifiers::NONE))
}

fn nodes() -> State {
    let mut state = State::new("http://h", Subject::Nodes, Filters::default());
    state.take(Ok(seen(Subject::Nodes, NODES, 2)));
    state
}

#[test]
fn the_list_stands_below_the_clusters_sums() {
    let text = shown(&mut nodes(), 132, 9);
    let expected = "\
demo · 2/3 nodes ready · 90 pods · http://h · 1 of 3 kubelets fail · 140 s old
CPU         3000m █████····|··········   25% of 12000m, 6000m requested                      ▃ █
Memory     1024Mi █████···············   25% of 4096Mi, <unknown> requested                        █
 1 nodes  2 namespaces  3 workloads  4 pods  5 containers
NAME                            CPU ▼                             MEMORY                             NETWORK    STATE
node-1                          950m      ████▌█████          ▃ █ 512Mi      █████·····            █ 2.5 kB/s   Ready
node-�[2J                       <unknown>                         <unknown>                                     NotReady

1 of 2 · Enter into · Esc back · n c m t r sort · / filter · ? help · q quit
";
    assert_eq!(text, expected, "{text}");
}

#[test]
fn a_phone_sized_terminal_shows_numbers_only() {
    let text = shown(&mut nodes(), 70, 8);
    assert!(text.contains("node-1") && text.contains("950m"), "{text}");
    assert!(!text.lines().nth(5).unwrap().contains('█'), "{text}");
}

#[test]
fn keys_walk_sort_enter_and_go_back() {
    let mut state = nodes();
    assert_eq!(key(&mut state, KeyCode::Down), Effect::Nothing);
    assert_eq!(state.place().chosen, 1);
    key(&mut state, KeyCode::Down);
    assert_eq!(state.place().chosen, 1, "there is no third row");
    key(&mut state, KeyCode::Home);
    assert_eq!(key(&mut state, KeyCode::Char('m')), Effect::Read);
    assert_eq!((state.place().order.by, state.place().order.reversed), (SortBy::Memory, false));
    key(&mut state, KeyCode::Char('m'));
    assert!(state.place().order.reversed);
    assert_eq!(key(&mut state, KeyCode::Char('r')), Effect::Nothing, "nodes have no restarts");
    assert_eq!(key(&mut state, KeyCode::Enter), Effect::Read);
    assert_eq!(state.place().filters.exact, [("node", "node-1".to_owned())]);
    assert_eq!(state.trail(), "nodes › node node-1 › pods");
    let pods = r#"[{"namespace":"web","name":"a","cpu":{},"memory":{}}]"#;
    state.take(Ok(seen(Subject::Pods, pods, 1)));
    key(&mut state, KeyCode::Enter);
    assert_eq!(state.place().subject, Subject::Containers);
    assert_eq!(
        state.place().filters.exact,
        [("namespace", "web".to_owned()), ("pod", "a".to_owned())]
    );
    key(&mut state, KeyCode::Esc);
    assert_eq!(key(&mut state, KeyCode::Esc), Effect::Read);
    assert_eq!(state.place().subject, Subject::Nodes);
    assert_eq!(key(&mut state, KeyCode::Esc), Effect::Nothing, "nothing is further back");
    assert_eq!(key(&mut state, KeyCode::Char('q')), Effect::Quit);
}

#[test]
fn a_filter_is_typed_and_cleared() {
    let mut state = nodes();
    for code in ['/', 'q', 'ü', 'x'].map(KeyCode::Char) {
        key(&mut state, code);
    }
    key(&mut state, KeyCode::Backspace);
    assert_eq!(state.place().filters.search, "qü");
    assert_eq!(state.wanted().filters.search, "qü");
    key(&mut state, KeyCode::Enter);
    assert!(!state.typing);
    state.take(Ok(seen(Subject::Nodes, "[]", 0)));
    assert!(shown(&mut state, 80, 8).contains("No name holds \"qü\"."));
    key(&mut state, KeyCode::Esc);
    assert_eq!(state.place().filters.search, "");
}

#[test]
fn a_long_list_is_read_where_it_is_seen() {
    let items: Vec<String> = (0..30)
        .map(|number| format!(r#"{{"name":"n{number}","cpu":{{}},"memory":{{}}}}"#))
        .collect();
    let mut state = State::new("s", Subject::Nodes, Filters::default());
    state.height = 10;
    state.take(Ok(seen(Subject::Nodes, &format!("[{}]", items.join(",")), 5000)));
    assert_eq!(key(&mut state, KeyCode::PageDown), Effect::Nothing);
    assert_eq!(key(&mut state, KeyCode::End), Effect::Read);
    let wanted = state.wanted();
    assert_eq!((wanted.offset, wanted.limit), (4980, 30));
    assert_eq!(state.place().chosen, 4999);
}

#[test]
fn a_failure_keeps_the_last_figures() {
    let mut state = nodes();
    state.take(Err(Error::Unreachable("cannot reach it".to_owned())));
    let text = shown(&mut state, 132, 9);
    assert!(text.contains("node-1") && text.contains("last figures, for now: cannot reach it"));
    let mut state = State::new("s", Subject::Nodes, Filters::default());
    state.take(Err(Error::Unreachable("cannot reach it".to_owned())));
    assert!(shown(&mut state, 60, 9).contains("cannot reach it"));
}

#[test]
fn help_names_every_key() {
    let mut state = nodes();
    key(&mut state, KeyCode::Char('?'));
    let text = shown(&mut state, 132, 20);
    assert!(text.contains("go into the chosen row") && text.contains("q Ctrl+C"), "{text}");
    key(&mut state, KeyCode::Char('x'));
    assert!(!state.help);
}
