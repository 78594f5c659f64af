//! Objects that clients write: created, replaced and deleted beside those that follow the world.

use serde_json::Value;

use super::{Key, Kind, State, Store};
use crate::objects::{Object, Version, Written};
use crate::plan::Sec;
use crate::telemetry;

/// Objects written by clients that are kept at once; more are refused.
const MOST_WRITTEN: usize = 10_000;

/// Why a write did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is one of that name.
    Exists,
    /// There is none of that name.
    Missing,
    /// It has changed since the version that the writer saw.
    Changed,
    /// It belongs to the simulated world, not to clients.
    NotYours,
    /// Clients have written as many as are kept.
    Full,
}

/// What must still hold for a write to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Precondition {
    pub resource_version: Option<u64>,
    pub uid: Option<String>,
}

impl Store {
    /// Adds an object.
    pub(crate) fn create(
        &self,
        kind: Kind,
        key: &Key,
        namespaced: bool,
        body: Value,
        at: Sec,
    ) -> Result<Version, Refused> {
        self.change(|state| {
            if state.maps[kind as usize].contains_key(key) {
                return Err(Refused::Exists);
            }
            if state.written >= MOST_WRITTEN {
                metrics::counter!(telemetry::WRITES_REFUSED).increment(1);
                return Err(Refused::Full);
            }
            state.written += 1;
            let name = format!("{}/{}#{}", key.0, key.1, state.version);
            let uid = state.cluster.plan.uid(&format!("{kind:?}"), &name);
            let namespace = namespaced.then_some(key.0);
            let written = Written { namespace, uid, created: at, generation: 1, body };
            state.write(kind, key, written, at)
        })
    }

    /// Replaces an object's body, but for its `status`.
    pub(crate) fn replace(
        &self,
        kind: Kind,
        key: &Key,
        unless: &Precondition,
        mut body: Value,
        at: Sec,
    ) -> Result<Version, Refused> {
        self.change(|state| {
            let (_, written) = state.own(kind, key, unless)?;
            if let Some(status) = written.body.get("status") {
                body["status"] = status.clone();
            }
            let changed = written.body.get("spec") != body.get("spec");
            let written =
                Written { body, generation: written.generation + u32::from(changed), ..written };
            state.write(kind, key, written, at)
        })
    }

    /// Says how a client's object stands; nothing where it is gone or stands so already.
    pub(crate) fn set_status(&self, kind: Kind, key: &Key, status: Value, at: Sec) {
        self.change(|state| {
            let found = state.own(kind, key, &Precondition::default());
            let Ok((_, mut written)) = found else { return };
            if written.body.get("status") == Some(&status) {
                return;
            }
            written.body["status"] = status;
            // It was there a moment ago, under the same lock.
            drop(state.write(kind, key, written, at));
        });
    }

    /// Deletes an object; what it was last.
    pub(crate) fn remove(
        &self,
        kind: Kind,
        key: &Key,
        unless: &Precondition,
        at: Sec,
    ) -> Result<Version, Refused> {
        self.change(|state| {
            let (version, _) = state.own(kind, key, unless)?;
            state.delete(kind, key, at);
            state.written = state.written.saturating_sub(1);
            Ok(version)
        })
    }

    /// Makes a change and wakes the watches.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (changed, version) = self.write(|state| {
            let changed = change(state);
            (changed, state.version)
        });
        self.announce(version);
        changed
    }
}

impl State {
    fn write(
        &mut self,
        kind: Kind,
        key: &Key,
        written: Written,
        at: Sec,
    ) -> Result<Version, Refused> {
        self.put(kind, key.clone(), Object::Written(written.into()), at);
        self.maps[kind as usize].get(key).cloned().ok_or(Refused::Missing)
    }

    /// An object of a client's, if it is as the writer believes.
    fn own(
        &self,
        kind: Kind,
        key: &Key,
        unless: &Precondition,
    ) -> Result<(Version, Written), Refused> {
        let version = self.maps[kind as usize].get(key).ok_or(Refused::Missing)?;
        let Object::Written(written) = &version.object else { return Err(Refused::NotYours) };
        let other = |seen: u64| seen != version.resource_version;
        if unless.resource_version.is_some_and(other)
            || unless.uid.as_ref().is_some_and(|uid| *uid != written.uid)
        {
            return Err(Refused::Changed);
        }
        Ok((version.clone(), Written::clone(written)))
    }
}
