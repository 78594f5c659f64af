//! Where the windows of nodes are, and where pods were found among them.

use std::collections::HashMap;
use std::sync::Arc;

use model::Pod;

use super::window::NodeWindow;

/// The windows of nodes, each in a seat that it keeps while the node is there.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    seats: Vec<Option<Arc<NodeWindow>>>,
    by_name: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    free: Vec<usize>,
}

impl Nodes {
    /// Where the window of `node` is.
    pub(super) fn seat(&self, node: &str) -> Option<usize> {
        self.by_name.get(node).copied()
    }

    /// The window in that seat, if there is one.
    pub(super) fn window(&self, seat: usize) -> Option<&Arc<NodeWindow>> {
        self.seats.get(seat)?.as_ref()
    }

    pub(super) fn get(&self, node: &str) -> Option<&Arc<NodeWindow>> {
        self.window(self.seat(node)?)
    }

    /// Seats the newest window of `node`: where, and the one before it.
    pub(super) fn put(
        &mut self,
        node: &Arc<str>,
        window: Arc<NodeWindow>,
    ) -> (usize, Option<Arc<NodeWindow>>) {
        let seat = self.seat(node).unwrap_or_else(|| self.seat_for(node));
        (seat, self.seats.get_mut(seat).and_then(|place| place.replace(window)))
    }

    /// A seat for a node that has none.
    fn seat_for(&mut self, node: &Arc<str>) -> usize {
        let seat = self.free.pop().unwrap_or(self.seats.len());
        if seat == self.seats.len() {
            self.seats.push(None);
        }
        self.by_name.insert(Arc::clone(node), seat);
        seat
    }

    pub(super) fn remove(&mut self, node: &str) {
        let Some(seat) = self.by_name.remove(node) else { return };
        if let Some(place) = self.seats.get_mut(seat) {
            *place = None;
            self.free.push(seat);
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str, &NodeWindow) -> bool) {
        let stays =
            |name: &str, seat: usize| self.window(seat).is_some_and(|window| keep(name, window));
        let gone = self.by_name.iter().filter(|(name, seat)| !stays(name, **seat));
        let gone: Vec<Arc<str>> = gone.map(|(name, _)| Arc::clone(name)).collect();
        for name in gone {
            self.remove(&name);
        }
    }

    pub(super) fn windows(&self) -> impl Iterator<Item = &Arc<NodeWindow>> {
        self.seats.iter().flatten()
    }
}

/// Where a pod was found: the seat of its node and its place on the sheet, left on its record as one
/// number. Who looks there again compares the pod's key; where another node took the seat, the same
/// pod is there only once it moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) seat: usize,
    pub(super) place: usize,
}

impl Found {
    /// What was left on `pod`.
    pub(super) fn on(pod: &Pod) -> Option<Self> {
        let number = pod.measured.get();
        let seat = usize::try_from(number >> 32).ok()?.checked_sub(1)?;
        Some(Self { seat, place: usize::try_from(number & u64::from(u32::MAX)).ok()? })
    }

    /// Leaves it on `pod`, for whoever looks for it next.
    pub(super) fn leave(self, pod: &Pod) {
        if let (Ok(seat), Ok(place)) = (u32::try_from(self.seat + 1), u32::try_from(self.place)) {
            pod.measured.leave(u64::from(seat) << 32 | u64::from(place));
        }
    }
}
