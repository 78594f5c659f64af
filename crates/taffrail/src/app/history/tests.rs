//! History's threads on simulated disks.

use std::path::PathBuf;

use model::{Draft, EntityKind, Registry, Timestamp, metric};
use store::{Fault, Query, Simulated, Values};

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_795_392_000 + secs)
}

fn batch(secs: i64) -> Arc<Batch> {
    let mut draft = Draft::new(at(secs), Registry::default());
    let node = draft.registry.node("n1");
    let row = draft.insert(&node).row;
    draft.table_mut(EntityKind::Node).set_int(row, metric::MEMORY_USAGE, secs);
    draft.freeze().0
}

fn opened(disk: &Simulated) -> Store {
    let options = Options { durability: Durability::EachAppend, ..Options::default() };
    Store::open(Arc::new(disk.clone()), PathBuf::from("/data"), options, at(0)).unwrap()
}

/// Writes batches as the thread does.
fn written(store: &Store, board: &Board, seconds: &[i64]) {
    let (queue, batches) = sync_channel(seconds.len());
    for secs in seconds {
        queue.send(batch(*secs)).unwrap();
    }
    drop(queue);
    write(store, board, &batches, Clock::system());
}

fn kept(store: &Store) -> Vec<f64> {
    let columns = ["memory/usage"];
    let (kind, matchers) = (EntityKind::Node, &[][..]);
    let query = Query { kind, matchers, columns: &columns, from: at(0), to: at(9_999), step: None };
    let slices = store.select(&query).unwrap();
    let values = slices.flat_map(|slice| slice.columns).flat_map(|values| match values {
        Values::Raw(values) => values,
        Values::Buckets(_) => panic!("raw values were asked for"),
    });
    values.filter(|value| !value.is_nan()).collect()
}

#[test]
fn a_full_disk_is_a_problem_until_there_is_room() {
    let disk = Simulated::new(1);
    let (store, board) = (opened(&disk), Board::default());
    written(&store, &board, &[60]);
    assert_eq!(board.problem(), None);

    disk.inject(0, Fault::Full);
    written(&store, &board, &[120, 180]);
    step(&store, &board, at(181));
    let problem = board.problem().unwrap();
    assert!(problem.reason.starts_with("no space left for /data/"), "{}", problem.reason);
    assert!(problem.advice.contains("free space"), "{}", problem.advice);

    disk.heal();
    step(&store, &board, at(240));
    assert_eq!(board.problem(), None);
    written(&store, &board, &[300]);
    assert_eq!(board.problem(), None);
    assert_eq!(kept(&store), [60.0, 300.0]);
}

#[test]
fn a_batch_that_comes_late_is_no_problem() {
    let disk = Simulated::new(1);
    let (store, board) = (opened(&disk), Board::default());
    written(&store, &board, &[60, 60, 30, 120]);
    assert_eq!(board.problem(), None);
    assert_eq!(kept(&store), [60.0, 120.0]);
}

#[tokio::test]
async fn what_was_offered_is_kept_at_the_end() {
    let disk = Simulated::new(1);
    let history = History::start(Arc::new(opened(&disk)), false, Clock::system()).unwrap();
    let take = history.consumer();
    (1..=4).for_each(|minute| take(&batch(minute * 60)));
    history.close().await;
    assert_eq!(kept(&opened(&disk)), [60.0, 120.0, 180.0, 240.0]);
    // The tick may outlive history by a moment.
    take(&batch(600));
}

#[test]
fn a_full_queue_is_a_problem_and_never_waits() {
    let (queue, batches) = sync_channel(1);
    let board = Arc::new(Board::default());
    let clock = Clock::system();
    let intake = Intake { queue: Mutex::new(Some(queue)), board: Arc::clone(&board), clock };
    intake.offer(&batch(60));
    assert_eq!(board.problem(), None);
    intake.offer(&batch(120));
    assert!(board.problem().unwrap().reason.contains("slower"));
    batches.recv().unwrap();
    intake.offer(&batch(180));
    assert_eq!(board.problem(), None);
}
