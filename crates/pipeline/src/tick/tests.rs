//! The tick under paused time.

use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::*;
use crate::{BoxFuture, QUEUE_BATCHES, SinkError};

/// 2026-11-23T09:18:23.4Z: not aligned to anything.
const START: Timestamp = Timestamp::from_millis(1_795_425_503_400);

/// Answers after `takes`, with one row.
struct Slow(Duration);

impl Source for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn scrape(&self, _: Window, mut draft: Draft) -> BoxFuture<'_, Draft> {
        Box::pin(async move {
            sleep(self.0).await;
            let node = draft.registry.node("n1");
            draft.insert(&node);
            draft
        })
    }
}

/// What a sink got.
type Got = Arc<Mutex<Vec<i64>>>;

/// What the test sink does with a batch.
#[derive(Clone, Copy)]
enum Does {
    Takes(Duration),
    Fails,
    Panics,
    Hangs,
}

struct TestSink(Does, Got);

impl Sink for TestSink {
    fn name(&self) -> &'static str {
        "Test Sink"
    }

    fn export(&mut self, batch: Arc<Batch>) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            match self.0 {
                Does::Takes(time) => sleep(time).await,
                Does::Fails => return Err(SinkError { reason: "disk full".to_owned() }),
                Does::Panics => panic!("out of cheese"),
                Does::Hangs => pending().await,
            }
            self.1.lock().unwrap().push(seconds(&batch));
            Ok(())
        })
    }
}

/// Seconds from the full minute before the start.
fn seconds(batch: &Batch) -> i64 {
    batch.timestamp().secs() - START.truncated(Duration::from_mins(1)).secs()
}

struct Outcome {
    stopped: Stopped,
    status: TickStatus,
    /// Batch times as a consumer in the process saw them.
    seen: Vec<i64>,
    got: Vec<i64>,
}

/// Runs for `secs` of paused time.
async fn run(secs: u64, resolution: u64, scrape: Duration, sink: Does) -> Outcome {
    let options =
        TickOptions { resolution: Duration::from_secs(resolution), ..TickOptions::default() };
    let (seen, got) = (Got::default(), Got::default());
    let consumer = Arc::clone(&seen);
    let pipeline = Pipeline::new(
        Clock::starting_at(START),
        Arc::new(Slow(scrape)),
        SharedInventory::default(),
        options,
    )
    .with_consumer(move |batch| consumer.lock().unwrap().push(seconds(batch)))
    .with_sink(Box::new(TestSink(sink, Arc::clone(&got))));
    let status = pipeline.status();
    let stopped = pipeline.run(sleep(Duration::from_secs(secs))).await;
    let status = *status.borrow();
    let (seen, got) = (seen.lock().unwrap().clone(), got.lock().unwrap().clone());
    Outcome { stopped, status, seen, got }
}

const QUICK: Does = Does::Takes(Duration::ZERO);

#[tokio::test(start_paused = true)]
async fn first_tick_is_at_once_and_the_others_are_aligned() {
    let outcome = run(100, 30, Duration::from_millis(100), QUICK).await;
    assert_eq!(outcome.seen, [23, 30, 60, 90, 120]);
    assert_eq!(outcome.got, outcome.seen);
    assert_eq!(outcome.stopped, Stopped::Asked { undelivered: 0 });
    assert_eq!((outcome.status.ticks, outcome.status.skipped), (5, 0));
    assert_eq!(outcome.status.rows, 2, "the node and the cluster");
    assert!(outcome.status.scrape_took >= Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_overruns_is_abandoned_and_the_tick_goes_on() {
    let outcome = run(20, 5, Duration::from_secs(7), QUICK).await;
    assert_eq!(outcome.seen, [] as [i64; 0]);
    assert_eq!(outcome.stopped, Stopped::Asked { undelivered: 0 });
}

#[tokio::test(start_paused = true)]
async fn an_overrun_skips_windows_and_says_so() {
    // The first scrape takes 4.6 s from :23.4, so that the window :25 is over when it ends.
    let outcome = run(4, 5, Duration::from_millis(4600), QUICK).await;
    assert_eq!(outcome.seen, [] as [i64; 0], "broken off by the shutdown");
    let outcome = run(22, 5, Duration::from_millis(4600), QUICK).await;
    assert_eq!(outcome.seen, [23, 30, 35, 40]);
    assert_eq!(outcome.status.skipped, 1);
    assert!(!outcome.status.overrunning);
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_delays_nothing_and_loses_the_oldest() {
    let outcome = run(100, 5, Duration::ZERO, Does::Takes(Duration::from_secs(19))).await;
    let expected: Vec<i64> = std::iter::once(23).chain((25..=120).step_by(5)).collect();
    assert_eq!(outcome.seen, expected);
    assert_eq!(outcome.got[0], 23);
    assert!(outcome.got.len() < outcome.seen.len() - QUEUE_BATCHES);
    assert!(outcome.got.is_sorted(), "{:?}", outcome.got);
}

#[tokio::test(start_paused = true)]
async fn a_failing_or_hanging_sink_is_asked_again() {
    for does in [Does::Fails, Does::Hangs] {
        let outcome = run(30, 5, Duration::ZERO, does).await;
        assert_eq!(outcome.seen, [23, 25, 30, 35, 40, 45, 50]);
        assert_eq!(outcome.got, [] as [i64; 0]);
        assert!(matches!(outcome.stopped, Stopped::Asked { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_sink_is_reported_by_name() {
    let outcome = run(30, 5, Duration::ZERO, Does::Panics).await;
    let expected =
        Stopped::Failed { task: "sink:Test Sink".into(), reason: "out of cheese".into() };
    assert_eq!(outcome.stopped, expected);
    assert_eq!(outcome.seen, [23]);
}

struct Panicking;

impl Source for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn scrape(&self, _: Window, _: Draft) -> BoxFuture<'_, Draft> {
        Box::pin(async { panic!("out of rope") })
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_source_is_reported() {
    let pipeline = Pipeline::new(
        Clock::starting_at(START),
        Arc::new(Panicking),
        SharedInventory::default(),
        TickOptions::default(),
    );
    let expected = Stopped::Failed { task: "scrape".into(), reason: "out of rope".into() };
    assert_eq!(pipeline.run(pending()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn shutdown_drains_what_sinks_take_in_time() {
    // Stopped at :41 with batches of :30, :35 and :40 waiting behind that of :25.
    let slow = Does::Takes(Duration::from_secs(3));
    let outcome = run(18, 5, Duration::ZERO, slow).await;
    assert_eq!(outcome.got, outcome.seen);
    assert_eq!(outcome.stopped, Stopped::Asked { undelivered: 0 });
    let outcome = run(18, 5, Duration::ZERO, Does::Takes(Duration::from_secs(15))).await;
    assert_eq!(outcome.seen, [23, 25, 30, 35, 40]);
    assert_eq!(outcome.got, [23]);
    assert_eq!(outcome.stopped, Stopped::Asked { undelivered: 4 });
}

#[tokio::test(start_paused = true)]
async fn consumers_see_a_batch_before_the_status_tells_of_it() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let pipeline = Pipeline::new(
        Clock::starting_at(START),
        Arc::new(Slow(Duration::ZERO)),
        SharedInventory::default(),
        TickOptions::default(),
    )
    .with_consumer(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let mut status = pipeline.status();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(pipeline.run(async move {
        stopped.await.ok();
    }));
    status.changed().await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(status.borrow().last_batch, START.truncated(Duration::from_secs(1)));
    stop.send(()).unwrap();
    assert_eq!(running.await.unwrap(), Stopped::Asked { undelivered: 0 });
}
