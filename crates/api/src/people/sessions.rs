//! Sessions: who signed in, kept in this process alone and found by a secret that only their
//! browser has.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use model::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use super::login;
use super::sight::{self, Sight};
use super::{Person, Refusal};
use crate::ApiState;
use crate::kubernetes::User;
use crate::limits::hit;
use crate::objects::{Deeds, Kinds, Tables};

/// Most sessions at once; beyond, the one that was not used for longest ends.
const MAX_SESSIONS: usize = 1000;
/// How long a session lasts that nobody uses.
const IDLE: Duration = Duration::from_hours(2);
/// How long a session lasts.
pub(super) const LONGEST: Duration = Duration::from_hours(12);
/// How long whoever asks waits for who they are.
const WHO_TIMEOUT: Duration = Duration::from_secs(3);
/// How long what somebody may see is believed.
const SIGHT_BELIEVED: Duration = Duration::from_mins(1);
/// How long a bearer token is believed without asking again.
const TOKEN_BELIEVED: Duration = Duration::from_mins(1);

/// Somebody who signed in.
pub(crate) struct Session {
    pub(crate) person: Arc<dyn Person>,
    /// Who the API server says it is, once that was asked.
    user: OnceCell<User>,
    /// What a request that changes something has to bring beside the cookie.
    pub(crate) csrf: String,
    /// Of whoever runs the process.
    pub(crate) own: bool,
    ends: Timestamp,
    /// When it was last used, in milliseconds.
    used: AtomicI64,
    sight: Mutex<Option<(Timestamp, Arc<Sight>)>>,
    /// What was done, by the keys of the requests that asked for it.
    pub(crate) deeds: Deeds,
    /// Lists of objects that are open.
    pub(crate) tables: Tables,
    /// The kinds that were discovered.
    pub(crate) kinds: Kinds,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user.get().map(|user| &user.name))
            .finish_non_exhaustive()
    }
}

impl Session {
    fn new(
        person: Arc<dyn Person>,
        user: Option<User>,
        ends: Timestamp,
        now: Timestamp,
    ) -> Arc<Self> {
        Arc::new(Self {
            person,
            user: OnceCell::new_with(user),
            csrf: secret().unwrap_or_default(),
            own: false,
            ends,
            used: AtomicI64::new(now.millis()),
            sight: Mutex::default(),
            deeds: Deeds::default(),
            tables: Tables::default(),
            kinds: Kinds::default(),
        })
    }

    /// Of whoever runs the process.
    pub(super) fn own(person: Arc<dyn Person>) -> Arc<Self> {
        let never = Timestamp::from_nanos(i64::MAX);
        let mut session = Self::new(person, None, never, Timestamp::from_millis(0));
        if let Some(session) = Arc::get_mut(&mut session) {
            session.own = true;
        }
        session
    }

    fn lasts(&self, now: Timestamp) -> bool {
        let idle = now.millis() - self.used.load(Ordering::Relaxed);
        now.millis() < self.ends.millis()
            && (self.own || idle < i64::try_from(IDLE.as_millis()).unwrap_or(i64::MAX))
    }

    /// When it ends at the latest.
    pub(crate) fn ends(&self) -> Option<i64> {
        (!self.own).then(|| self.ends.millis())
    }

    /// Who it is; nobody while the API server does not say. Only for showing: what they may do,
    /// the API server decides each time.
    pub(crate) async fn user(&self) -> User {
        let asked = self.user.get_or_try_init(|| login::who(&*self.person));
        match timeout(WHO_TIMEOUT, asked).await {
            Ok(Ok(user)) => user.clone(),
            Ok(Err(_)) | Err(_) => User::default(),
        }
    }

    /// What the person may see, asked again after a minute.
    pub(crate) async fn sight(&self, state: &ApiState) -> Result<Arc<Sight>, Refusal> {
        if self.own {
            return Ok(Arc::new(Sight::everything()));
        }
        let mut held = self.sight.lock().await;
        let now = state.now();
        if let Some((at, sight)) = &*held
            && now.since(*at) < SIGHT_BELIEVED
        {
            return Ok(Arc::clone(sight));
        }
        let known: Vec<String> = {
            let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
            inventory.namespaces().map(|namespace| namespace.name.to_string()).collect()
        };
        let sight = Arc::new(sight::look(&*self.person, known).await?);
        *held = Some((now, Arc::clone(&sight)));
        Ok(sight)
    }
}

/// The open sessions, by the digest of their secret.
#[derive(Default)]
pub(crate) struct Sessions(Lock<HashMap<[u8; 32], Arc<Session>>>);

impl Sessions {
    /// Opens one; its secret.
    pub(super) fn open(
        &self,
        person: Arc<dyn Person>,
        user: User,
        now: Timestamp,
    ) -> Result<(String, Arc<Session>), Refusal> {
        let secret = secret().ok_or_else(no_randomness)?;
        let session = Session::new(person, Some(user), now.plus(LONGEST), now);
        if session.csrf.is_empty() {
            return Err(no_randomness());
        }
        self.keep(&secret, &session, now);
        Ok((secret, session))
    }

    /// Remembers for a while whose `token` it is.
    pub(super) fn remember(
        &self,
        token: &str,
        person: Arc<dyn Person>,
        user: User,
        now: Timestamp,
    ) -> Arc<Session> {
        let session = Session::new(person, Some(user), now.plus(TOKEN_BELIEVED), now);
        self.keep(token, &session, now);
        session
    }

    fn keep(&self, secret: &str, session: &Arc<Session>, now: Timestamp) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MAX_SESSIONS {
            held.retain(|_, session| session.lasts(now));
        }
        if held.len() >= MAX_SESSIONS {
            hit("sessions");
            let oldest = held.iter().min_by_key(|(_, one)| one.used.load(Ordering::Relaxed));
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                held.remove(&oldest);
            }
        }
        held.insert(digest(secret), Arc::clone(session));
    }

    /// The session of whoever brings `secret`.
    pub(super) fn find(&self, secret: &str, now: Timestamp) -> Option<Arc<Session>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = digest(secret);
        let session = Arc::clone(held.get(&key)?);
        if !session.lasts(now) {
            held.remove(&key);
            return None;
        }
        session.used.store(now.millis(), Ordering::Relaxed);
        Some(session)
    }

    /// Ends a session.
    pub(super) fn close(&self, secret: &str) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&digest(secret));
    }
}

fn digest(secret: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
    digest.as_ref().try_into().unwrap_or_default()
}

/// 256 random bits as text.
pub(super) fn secret() -> Option<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn no_randomness() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the machine gives no random numbers", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::Answered;

    struct Nobody;

    impl Person for Nobody {
        fn ask(
            &self,
            _: http::Request<bytes::Bytes>,
        ) -> Answered<http::Response<axum::body::Body>> {
            Box::pin(async { Err("nobody".to_owned()) })
        }
    }

    #[test]
    fn a_session_ends_when_it_is_idle_old_closed_or_crowded_out() {
        let sessions = Sessions::default();
        let at = |minutes: u64| Timestamp::from_millis(0).plus(Duration::from_mins(minutes));
        let open = |now| sessions.open(Arc::new(Nobody), User::default(), now).unwrap().0;
        let idle = open(at(0));
        assert!(sessions.find(&idle, at(119)).is_some());
        assert!(sessions.find(&idle, at(240)).is_none(), "idle");
        let old = open(at(0));
        assert!((1..12).all(|hour| sessions.find(&old, at(hour * 60 - 1)).is_some()));
        assert!(sessions.find(&old, at(721)).is_none(), "old");
        let closed = open(at(0));
        sessions.close(&closed);
        assert!(sessions.find(&closed, at(1)).is_none(), "closed");
        let first = open(at(0));
        for _ in 0..MAX_SESSIONS {
            open(at(1));
        }
        assert!(sessions.find(&first, at(2)).is_none(), "crowded out");
        assert!(sessions.find("", at(2)).is_none());
    }
}
