//! The administrator's bearer tokens, which open the API server and the kubelets: issued, revoked,
//! and ending.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use model::Timestamp;

use crate::config::Now;
use crate::seed::{mix, text};

/// Tokens that are good.
pub(crate) struct AdminTokens {
    now: Now,
    good: RwLock<Vec<Token>>,
}

struct Token {
    text: String,
    /// When it ends by itself.
    until: Option<Timestamp>,
}

/// Tokens kept at most; the oldest is forgotten, which revokes it.
const MOST: usize = 1000;

impl AdminTokens {
    pub(crate) fn new(first: String, now: Now) -> Self {
        Self { now, good: RwLock::new(vec![Token { text: first, until: None }]) }
    }

    /// Whether what was shown is good now.
    pub(crate) fn takes(&self, shown: Option<&str>) -> bool {
        let Some(shown) = shown else { return false };
        let now = (self.now)();
        let good = self.good.read().unwrap_or_else(PoisonError::into_inner);
        good.iter().any(|token| token.text == shown && token.until.is_none_or(|until| now < until))
    }

    /// Another token beside those that are good, which lasts so long.
    pub(crate) fn issue(&self, lasts: Option<Duration>) -> String {
        let now = (self.now)();
        let mut good = self.good.write().unwrap_or_else(PoisonError::into_inner);
        let last = good.last().map_or(0, |token| text(&token.text));
        let fresh = format!("sim-{:016x}", mix(last, now.nanos().unsigned_abs()));
        if good.len() >= MOST {
            good.remove(0);
        }
        let until = lasts.map(|lasts| now.plus(lasts));
        good.push(Token { text: fresh.clone(), until });
        fresh
    }

    /// Ends a token; whether it was good.
    pub(crate) fn revoke(&self, shown: &str) -> bool {
        let mut good = self.good.write().unwrap_or_else(PoisonError::into_inner);
        let before = good.len();
        good.retain(|token| token.text != shown);
        good.len() != before
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn tokens_are_good_until_they_end_or_are_revoked() {
        let secs = Arc::new(AtomicI64::new(100));
        let now = Arc::clone(&secs);
        let tokens = AdminTokens::new(
            "first".to_owned(),
            Arc::new(move || Timestamp::from_secs(now.load(Ordering::SeqCst))),
        );
        let short = tokens.issue(Some(Duration::from_secs(10)));
        let long = tokens.issue(None);
        assert!(short != long && tokens.takes(Some(&short)) && tokens.takes(Some("first")));
        secs.store(110, Ordering::SeqCst);
        assert!(!tokens.takes(Some(&short)) && tokens.takes(Some(&long)));
        assert!(tokens.revoke("first") && !tokens.revoke("first"));
        assert!(!tokens.takes(Some("first")) && !tokens.takes(None));
    }
}
