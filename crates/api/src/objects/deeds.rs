//! What was done already: an action that is asked for twice with one key happens once, and both
//! who asked get its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::limits::hit;
use crate::people::Refusal;

/// The header with the key.
pub(super) const KEY_HEADER: &str = "idempotency-key";
/// Most actions of a session that are remembered; the oldest are forgotten first.
const MAX_DEEDS: usize = 256;
/// Longest key.
const MAX_KEY_BYTES: usize = 100;

type Done = Arc<OnceCell<Result<Value, Refusal>>>;

/// The actions of one session.
#[derive(Default)]
pub(crate) struct Deeds(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// With the number of its beginning.
    held: HashMap<String, (u64, Done)>,
    begun: u64,
}

impl Deeds {
    /// The outcome of the action with the request's key: `act`'s, unless it was begun before.
    pub(super) async fn once(
        &self,
        headers: &HeaderMap,
        act: impl Future<Output = Result<Value, Refusal>>,
    ) -> Result<Value, Refusal> {
        let (done, _) = self.begin(headers)?;
        done.get_or_init(|| act).await.clone()
    }

    /// Whether the action with the request's key was not begun before.
    pub(super) fn first(&self, headers: &HeaderMap) -> Result<bool, Refusal> {
        self.begin(headers).map(|(_, first)| first)
    }

    fn begin(&self, headers: &HeaderMap) -> Result<(Done, bool), Refusal> {
        let key = headers.get(KEY_HEADER).and_then(|value| value.to_str().ok()).unwrap_or("");
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                format!("an action needs a key of its own in the header {KEY_HEADER}"),
                "send a random one, and the same one when you try again",
            ));
        }
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, done)) = remembered.held.get(key) {
            return Ok((Arc::clone(done), false));
        }
        if remembered.held.len() >= MAX_DEEDS {
            hit("deeds");
            let oldest = remembered.held.iter().min_by_key(|(_, (number, _))| *number);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                remembered.held.remove(&oldest);
            }
        }
        remembered.begun += 1;
        let done = Done::default();
        let begun = remembered.begun;
        remembered.held.insert(key.to_owned(), (begun, Arc::clone(&done)));
        Ok((done, true))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use http::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn two_clicks_do_it_once() {
        let deeds = Deeds::default();
        let done = AtomicU32::new(0);
        let act = || async {
            tokio::task::yield_now().await;
            Ok(Value::from(done.fetch_add(1, Ordering::SeqCst)))
        };
        let mut headers = HeaderMap::new();
        assert!(deeds.once(&headers, act()).await.is_err(), "no key");
        headers.insert(KEY_HEADER, HeaderValue::from_static("a"));
        let both = tokio::join!(deeds.once(&headers, act()), deeds.once(&headers, act()));
        assert_eq!(both, (Ok(Value::from(0)), Ok(Value::from(0))));
        headers.insert(KEY_HEADER, HeaderValue::from_static("b"));
        assert_eq!(deeds.once(&headers, act()).await, Ok(Value::from(1)));
        assert_eq!(deeds.first(&headers), Ok(false));
    }
}
