//! The open lists of a session: whoever looks at another page of one shares what was read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::live::Live;
use crate::limits::hit;
use crate::people::{Person, Refusal};

/// Most lists that a session holds at once.
const MAX_TABLES: usize = 8;

/// What a list is of: path and label selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) path: String,
    pub(super) labels: String,
}

impl Subject {
    /// Path and query, with `more` parameters.
    pub(super) fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(more);
        if !self.labels.is_empty() {
            query.append_pair("labelSelector", &self.labels);
        }
        format!("{}?{}", self.path, query.finish())
    }
}

/// The open lists.
#[derive(Default)]
pub(crate) struct Tables(Mutex<HashMap<Subject, Arc<Live>>>);

impl Tables {
    /// The list of `subject`, read by `person` from now on if it was not yet.
    pub(super) fn open(
        &self,
        subject: Subject,
        person: &Arc<dyn Person>,
    ) -> Result<Arc<Live>, Refusal> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, live| !live.ended());
        if let Some(live) = held.get(&subject) {
            live.touch();
            return Ok(Arc::clone(live));
        }
        if held.len() >= MAX_TABLES {
            let unused = held.iter().filter(|(_, live)| !live.watched());
            let oldest = unused.min_by_key(|(_, live)| live.touched());
            let Some(oldest) = oldest.map(|(subject, _)| subject.clone()) else {
                hit("object_tables");
                return Err(Refusal::busy("lists of objects"));
            };
            held.remove(&oldest);
        }
        let live = Live::begin(subject.clone(), Arc::clone(person));
        held.insert(subject, Arc::clone(&live));
        Ok(live)
    }
}
