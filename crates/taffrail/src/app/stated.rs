//! What objects were over time, kept beside history so that it outlives the process.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use query::StateHistory;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::history::History;
use super::whole;

/// The file in the folder of history.
const FILE: &str = "states.bin";
/// How often it is written: what a kill may lose.
const SAVE_EVERY: Duration = Duration::from_mins(5);
/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 30;

/// States of objects, and where they are kept.
#[derive(Clone)]
pub(super) struct Stated {
    states: Arc<StateHistory>,
    file: Option<Arc<Path>>,
}

impl Stated {
    /// Goes on with what an earlier process kept beside `history`.
    pub(super) async fn open(history: Option<&History>) -> Self {
        let file = history.map(|history| history.store().dir().join(FILE));
        let stated = Self { states: Arc::default(), file: file.map(Into::into) };
        let reading = stated.clone();
        if let Err(error) = spawn_blocking(move || reading.restore()).await {
            tracing::error!(%error, "states of objects begin anew");
        }
        stated
    }

    /// The states.
    pub(super) fn states(&self) -> &Arc<StateHistory> {
        &self.states
    }

    fn restore(&self) {
        let Some(file) = &self.file else { return };
        let read = || -> io::Result<Vec<u8>> {
            if fs::metadata(file)?.len() > MAX_BYTES {
                return Err(io::Error::other("it is too large"));
            }
            fs::read(file)
        };
        let bytes = match read() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                return tracing::error!(file = %file.display(), %error, "states begin anew");
            }
        };
        if let Err(error) = self.states.restore(&bytes) {
            tracing::warn!(file = %file.display(), %error, "states of objects begin anew");
        }
    }

    /// Writes them again and again until dropped.
    pub(super) async fn keep(self) -> &'static str {
        loop {
            sleep(SAVE_EVERY).await;
            self.save().await;
        }
    }

    /// Writes them now.
    pub(super) async fn save(&self) {
        let Some(file) = self.file.clone() else { return };
        let (states, to) = (Arc::clone(&self.states), Arc::clone(&file));
        let written = spawn_blocking(move || whole::replace(&to, &states.to_bytes())).await;
        let file = file.display();
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, %file, "states of objects are not kept"),
            Err(error) => tracing::error!(%error, %file, "states of objects are not kept"),
        }
    }
}
