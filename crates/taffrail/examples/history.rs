//! Writes a folder of history as if a simulated cluster had been measured until now.
//!
//! `cargo run -p taffrail --example history -- DIR [NODES [PODS_PER_NODE [DAYS [STEP_SECONDS]]]]`;
//! then `taffrail serve --source=host --data-dir DIR` shows it. Tests of long ranges begin so.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use pipeline::Clock;
use store::{Disk, Durability, Options, Store};

#[path = "history/measured.rs"]
#[expect(dead_code, reason = "a benchmark asks the simulated cluster itself too")]
mod measured;

use measured::Measured;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(dir) = arguments.first() else {
        println!("give a folder: history DIR [NODES [PODS_PER_NODE [DAYS [STEP_SECONDS]]]]");
        return;
    };
    let number = |at: usize, default: u32| -> u32 {
        arguments.get(at).map_or(default, |text| text.parse().unwrap())
    };
    let (nodes, pods, days, step) = (number(1, 3), number(2, 10), number(3, 30), number(4, 60));
    let (days, step) = (i64::from(days) * 86_400, i64::from(step));
    let end = Clock::system().now().secs();
    let begin = (end - days) / step * step;
    let at = Timestamp::from_secs;
    let mut cluster = Measured::new(nodes, pods, at(begin));
    // A month of an API server takes a minute; its objects are not looked at.
    cluster.follows = false;
    let options = Options {
        retention: Duration::from_hours(24 * 400),
        // Nothing is acknowledged before the end.
        durability: Durability::Within(Duration::from_hours(24 * 400)),
        ..Options::default()
    };
    let store = Store::open(Arc::new(Disk), Path::new(dir), options, at(begin)).unwrap();
    let mut samples = 0;
    for now in (begin..end).step_by(usize::try_from(step).unwrap()) {
        samples += store.append(&cluster.tick(at(now)), at(now)).unwrap().samples;
        store.maintain(at(now)).unwrap();
    }
    store.sync(at(end)).unwrap();
    println!("{samples} samples from {begin} to {end} in {dir}");
}
