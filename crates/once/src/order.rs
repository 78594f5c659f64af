//! Sorting, whatever is sorted: the standard library's is made anew for every kind of item and every
//! comparison, five kilobytes each time.
//!
//! For lists that are short or rarely sorted; what sorts on a hot path keeps the standard one.

use std::cmp::Ordering;

/// Up to so many items are moved one by one, without memory for their places.
const FEW: usize = 16;

/// Sorts a list; items that compare equal keep their order.
pub trait Order<T> {
    /// By the items themselves.
    fn order(&mut self)
    where
        T: Ord;

    /// By a comparison.
    fn order_by(&mut self, compare: impl FnMut(&T, &T) -> Ordering);

    /// By a key of each item, asked for at each comparison.
    fn order_by_key<K: Ord>(&mut self, key: impl FnMut(&T) -> K);
}

impl<T> Order<T> for [T] {
    fn order(&mut self)
    where
        T: Ord,
    {
        self.order_by(T::cmp);
    }

    fn order_by(&mut self, mut compare: impl FnMut(&T, &T) -> Ordering) {
        if self.len() <= FEW {
            few(self.len(), &mut |left, right| {
                let wrong = compare(&self[left], &self[right]).is_gt();
                if wrong {
                    self.swap(left, right);
                }
                wrong
            });
        } else {
            let sources =
                sources(self.len(), &mut |left, right| compare(&self[left], &self[right]));
            arrange(sources, &mut |left, right| self.swap(left, right));
        }
    }

    fn order_by_key<K: Ord>(&mut self, mut key: impl FnMut(&T) -> K) {
        self.order_by(|left, right| key(left).cmp(&key(right)));
    }
}

/// Sorts by insertion; `swap_if_greater` compares two places and says whether it swapped them.
fn few(len: usize, swap_if_greater: &mut dyn FnMut(usize, usize) -> bool) {
    for next in 1..len {
        for at in (0..next).rev() {
            if !swap_if_greater(at, at + 1) {
                break;
            }
        }
    }
}

/// For each place of the sorted list the place in this one where its item is.
fn sources(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut sources: Vec<usize> = (0..len).collect();
    sources.sort_by(|left, right| compare(*left, *right));
    sources
}

/// Brings each item to its place, along the circles that places and sources form.
fn arrange(mut sources: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..sources.len() {
        let mut at = start;
        loop {
            let source = std::mem::replace(&mut sources[at], at);
            if source == start || source == at {
                break;
            }
            swap(at, source);
            at = source;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_as_the_standard_library_does() {
        // A linear congruential generator: many equal keys, told apart by their second part.
        let mut state = 1_u64;
        let mut drawn = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % 29
        };
        for len in (0..40).chain([1000]) {
            let items: Vec<(u64, String)> =
                (0..len).map(|at: u64| (drawn(), at.to_string())).collect();
            let (mut expected, mut ordered) = (items.clone(), items.clone());
            expected.sort_by_key(|item| item.0);
            ordered.order_by_key(|item| item.0);
            assert_eq!(ordered, expected);
            let falling = |left: &(u64, String), right: &(u64, String)| right.0.cmp(&left.0);
            expected.sort_by(falling);
            ordered.order_by(falling);
            assert_eq!(ordered, expected);
            expected.sort();
            ordered.order();
            assert_eq!(ordered, expected);
        }
    }
}
