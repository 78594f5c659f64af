//! What records have in common, each held once.

use super::{ContainerSpec, ContainerState, ContainerStatus, Owner, Pod, Workload};
use crate::pool::Pool;
use crate::{Shared, Word};

/// Words, labels and containers that are held by records, to find equal ones for a new record.
#[derive(Debug, Default)]
pub struct Commons {
    words: Pool<Word>,
    /// What pods of one template have in common.
    specs: Pool<Shared<ContainerSpec>>,
    labels: Pool<Shared<(Box<str>, Box<str>)>>,
}

impl Commons {
    /// Puts what is held already in the place of what is equal in `pod`.
    pub fn share_pod(&mut self, pod: &mut Pod) {
        self.specs.share(&mut pod.containers);
        self.labels.share(&mut pod.labels);
        self.share_words([
            &mut pod.namespace,
            &mut pod.node,
            &mut pod.phase,
            &mut pod.reason,
            &mut pod.host_ip,
            &mut pod.priority_class,
            &mut pod.qos_class,
        ]);
        self.share_owner(&mut pod.owner);
        for status in &mut pod.statuses {
            self.share_status(status);
        }
        if let Some(hint) = &mut pod.scrape {
            let words = [&mut hint.scrape, &mut hint.port, &mut hint.path, &mut hint.scheme];
            self.share_words(words);
        }
    }

    /// Puts words that are held already in the place of equal ones in `workload`.
    pub fn share_workload(&mut self, workload: &mut Workload) {
        self.share_words([&mut workload.namespace, &mut workload.kind, &mut workload.name]);
        self.share_owner(&mut workload.owner);
    }

    fn share_owner(&mut self, owner: &mut Option<Owner>) {
        if let Some(owner) = owner {
            self.share_words([&mut owner.kind, &mut owner.name]);
        }
    }

    fn share_words<const COUNT: usize>(&mut self, words: [&mut Word; COUNT]) {
        for word in words {
            self.words.share(word);
        }
    }

    fn share_status(&mut self, status: &mut ContainerStatus) {
        self.words.share(&mut status.name);
        match &mut status.state {
            ContainerState::Waiting(reason) => self.words.share(reason),
            ContainerState::Terminated(end) => self.words.share(&mut end.reason),
            ContainerState::Unknown | ContainerState::Running(_) => {}
        }
        if let Some(end) = &mut status.last_termination {
            self.words.share(&mut end.reason);
        }
    }
}
