//! The full-screen view: reads what is seen, draws it, takes keys, until somebody quits.

mod bars;
mod draw;
mod help;
mod keys;
mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::list::{page, read};
use crate::past::read_past;
use crate::wire::{Overview, Status};
use crate::{Api, Error, Filters, Subject};
use keys::Effect;
use state::{Seen, State, Wanted};

/// How long a wait for a key lasts before the reading thread looks whether it should end.
const POLL: Duration = Duration::from_millis(200);
/// Keys that may wait while the screen is drawn.
const KEYS: usize = 64;
/// Minutes that sparklines reach back, and values they have.
const PAST_MINUTES: i64 = 15;
const PAST_POINTS: usize = 30;

/// How the view begins.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is listed first.
    pub subject: Subject,
    /// What narrows the first list.
    pub filters: Filters,
    /// Time between readings; `None` follows the server's own.
    pub interval: Option<Duration>,
}

/// Shows the view until the person quits or `stop` is cancelled. Standard output must be a
/// terminal. Failures of the server are shown in the view; an error is the terminal's own.
pub async fn run(
    api: Arc<dyn Api>,
    options: Options,
    stop: CancellationToken,
) -> Result<(), io::Error> {
    let mut terminal = ratatui::try_init()?;
    let (sender, mut keys) = mpsc::channel(KEYS);
    let reading = stop.child_token();
    let reader = tokio::task::spawn_blocking({
        let reading = reading.clone();
        move || read_keys(&sender, &reading)
    });
    let outcome = follow(&mut terminal, api, options, &mut keys, &stop).await;
    reading.cancel();
    ratatui::try_restore()?;
    drop(reader.await);
    outcome
}

/// Hands over what the terminal reports, until told to end or nobody listens.
fn read_keys(sender: &mpsc::Sender<Event>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match event::poll(POLL) {
            Ok(false) => {}
            Ok(true) => {
                let Ok(event) = event::read() else { return };
                if sender.blocking_send(event).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

async fn follow(
    terminal: &mut ratatui::DefaultTerminal,
    api: Arc<dyn Api>,
    options: Options,
    keys: &mut mpsc::Receiver<Event>,
    stop: &CancellationToken,
) -> Result<(), io::Error> {
    let mut state = State::new(api.name(), options.subject, options.filters);
    let mut next = Instant::now();
    let mut reading: Option<JoinHandle<Result<Seen, Error>>> = None;
    loop {
        terminal.draw(|frame| draw::draw(frame, &mut state))?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            event = keys.recv() => match event {
                None => return Ok(()),
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    match keys::press(&mut state, key) {
                        Effect::Quit => return Ok(()),
                        Effect::Read => {
                            // What is under way would answer the question before.
                            if let Some(task) = reading.take() { task.abort(); }
                            next = Instant::now();
                        }
                        Effect::Nothing => {}
                    }
                }
                Some(_) => {}
            },
            seen = finished(&mut reading) => {
                reading = None;
                state.take(seen);
                next = Instant::now() + options.interval.unwrap_or_else(|| state.interval());
            }
            () = sleep_until(next), if reading.is_none() && !state.paused => {
                reading = Some(tokio::spawn(look(Arc::clone(&api), state.wanted())));
            }
        }
    }
}

async fn finished(reading: &mut Option<JoinHandle<Result<Seen, Error>>>) -> Result<Seen, Error> {
    match reading {
        None => std::future::pending().await,
        Some(task) => task.await.unwrap_or_else(|error| {
            Err(Error::Unreachable(format!("reading ended early: {error}")))
        }),
    }
}

/// Reads everything that the screen shows.
async fn look(api: Arc<dyn Api>, wanted: Wanted) -> Result<Seen, Error> {
    let api = &*api;
    let status: Status = read(api, "/status", &api.get("/status").await?)?;
    let overview: Overview = read(api, "/overview", &api.get("/overview").await?)?;
    let range = (wanted.offset, wanted.limit);
    let page = page(api, wanted.subject, wanted.order, &wanted.filters, range).await?;
    let now = page.timestamp.unwrap_or(status.now);
    let (past, whole) = read_past(api, &page.rows, now, PAST_MINUTES, PAST_POINTS).await?;
    Ok(Seen { status, overview, page, past, whole, offset: wanted.offset })
}
