//! Objects of the world that clients changed or removed: what they said stays, whatever the world
//! goes on to make of the rest.

use std::sync::Arc;

use serde_json::Value;

use super::{Key, Kind, Precondition, Refused, State, Store};
use crate::objects::{Object, Version};
use crate::plan::Sec;

/// Changes and removals that are held at once; more are refused.
const MOST_CHANGED: usize = 10_000;

impl Store {
    /// Lays `patch` over an object in place of what lay over it.
    pub(crate) fn overlay(
        &self,
        kind: Kind,
        key: &Key,
        unless: &Precondition,
        patch: Value,
        at: Sec,
    ) -> Result<Version, Refused> {
        self.change(|state| {
            let version = state.as_believed(kind, key, unless)?;
            if state.changed >= MOST_CHANGED {
                return Err(Refused::Full);
            }
            state.changed += 1;
            let base = match version.object {
                Object::Changed { base, .. } => base,
                other => Box::new(other),
            };
            let at = version.at.max(at);
            state.put(kind, key.clone(), Object::Changed { base, patch: Arc::new(patch) }, at);
            state.maps[kind as usize].get(key).cloned().ok_or(Refused::Missing)
        })
    }

    /// Removes an object of the world for good; what it was last.
    pub(crate) fn banish(
        &self,
        kind: Kind,
        key: &Key,
        unless: &Precondition,
        at: Sec,
    ) -> Result<Version, Refused> {
        self.change(|state| {
            let version = state.as_believed(kind, key, unless)?;
            if state.gone.len() >= MOST_CHANGED {
                return Err(Refused::Full);
            }
            state.delete(kind, key, at);
            state.gone.insert((kind, key.clone()));
            Ok(version)
        })
    }
}

impl State {
    /// The object, if it is the version that a writer saw.
    fn as_believed(
        &self,
        kind: Kind,
        key: &Key,
        unless: &Precondition,
    ) -> Result<Version, Refused> {
        let version = self.maps[kind as usize].get(key).ok_or(Refused::Missing)?;
        if unless.resource_version.is_some_and(|seen| seen != version.resource_version) {
            return Err(Refused::Changed);
        }
        if let Some(uid) = &unless.uid
            && *uid != crate::objects::metadata(&self.cluster, version).uid
        {
            return Err(Refused::Changed);
        }
        Ok(version.clone())
    }

    /// What the world makes of an object, with what clients changed of it; `None` when they
    /// removed it.
    pub(super) fn with_changes(&self, kind: Kind, key: &Key, object: Object) -> Option<Object> {
        if matches!(object, Object::Written(_) | Object::Changed { .. }) {
            return Some(object);
        }
        if self.gone.contains(&(kind, key.clone())) {
            return None;
        }
        let held = self.maps[kind as usize].get(key).map(|version| &version.object);
        Some(match held {
            Some(Object::Changed { patch, .. }) => {
                Object::Changed { base: Box::new(object), patch: Arc::clone(patch) }
            }
            _ => object,
        })
    }
}
