//! `topk` and `bottomk`: which series of a group stay, ties decided as Prometheus decides them.

/// One candidate: its value and its series.
pub(super) type Candidate = (f64, usize);

/// A heap of at most `k` candidates with the one to lose next on top.
///
/// Source: Go's `container/heap` and Prometheus' use of it, so that of equal values the same stay.
pub(super) struct Ranking {
    heap: Vec<Candidate>,
    k: usize,
    largest: bool,
}

impl Ranking {
    pub(super) fn new(k: usize, largest: bool) -> Self {
        Self { heap: Vec::new(), k, largest }
    }

    pub(super) fn offer(&mut self, candidate: Candidate) {
        if self.heap.len() < self.k {
            self.heap.push(candidate);
            self.up(self.heap.len() - 1);
            return;
        }
        let Some(top) = self.heap.first().copied() else { return };
        let better = if self.largest { top.0 < candidate.0 } else { top.0 > candidate.0 };
        if !better && !top.0.is_nan() {
            return;
        }
        let last = self.heap.len() - 1;
        self.heap.swap(0, last);
        self.down(0, last);
        self.heap[last] = candidate;
        self.up(last);
    }

    /// The candidates that stayed, best first.
    pub(super) fn ranked(mut self) -> Vec<Candidate> {
        let largest = self.largest;
        self.heap.sort_by(|a, b| match (a.0.is_nan(), b.0.is_nan()) {
            (true, true) => std::cmp::Ordering::Equal,
            (true, false) => std::cmp::Ordering::Greater,
            (false, true) => std::cmp::Ordering::Less,
            (false, false) if largest => b.0.total_cmp(&a.0),
            (false, false) => a.0.total_cmp(&b.0),
        });
        self.heap
    }

    fn less(&self, i: usize, j: usize) -> bool {
        let (a, b) = (self.heap[i].0, self.heap[j].0);
        a.is_nan() || if self.largest { a < b } else { a > b }
    }

    fn up(&mut self, mut child: usize) {
        while child > 0 {
            let parent = (child - 1) / 2;
            if !self.less(child, parent) {
                break;
            }
            self.heap.swap(parent, child);
            child = parent;
        }
    }

    /// Sinks `parent` among the first `count`.
    fn down(&mut self, mut parent: usize, count: usize) {
        loop {
            let left = 2 * parent + 1;
            if left >= count {
                break;
            }
            let right = left + 1;
            let child = if right < count && self.less(right, left) { right } else { left };
            if !self.less(child, parent) {
                break;
            }
            self.heap.swap(parent, child);
            parent = child;
        }
    }
}
