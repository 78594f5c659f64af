//! Labels that were made lately: a dashboard asks for the same entities again and again.

use crate::Labels;

/// Most entities whose labels are kept, a power of two.
const KEPT: usize = 32_768;
/// Most entities of a selection that keeps any: a larger one would push out all others.
pub(super) const MOST: usize = KEPT / 2;

/// Each number has one place, which it shares with those that are a multiple of the length away.
#[derive(Debug, Default)]
pub(super) struct Lately {
    places: Vec<Option<(u32, Labels)>>,
}

impl Lately {
    /// Makes room as a catalog of so many numbers needs it.
    pub(super) fn grow(&mut self, numbers: usize) {
        let wanted = numbers.next_power_of_two().min(KEPT);
        if wanted > self.places.len() {
            // A number's place would be another one.
            self.places.clear();
            self.places.resize(wanted, None);
        }
    }

    fn place(&mut self, id: u32) -> Option<&mut Option<(u32, Labels)>> {
        let at = (id as usize).checked_rem(self.places.len())?;
        self.places.get_mut(at)
    }

    /// The labels of a number: what is kept, or what `make` gives.
    pub(super) fn get(&mut self, id: u32, make: impl FnOnce() -> Option<Labels>) -> Option<Labels> {
        let Some(place) = self.place(id) else { return make() };
        if let Some((kept, labels)) = place
            && *kept == id
        {
            return Some(labels.clone());
        }
        let labels = make()?;
        *place = Some((id, labels.clone()));
        Some(labels)
    }

    /// Forgets what a number meant.
    pub(super) fn forget(&mut self, id: u32) {
        if let Some(place) = self.place(id) {
            place.take_if(|(kept, _)| *kept == id);
        }
    }

    /// Bytes held, the texts left out.
    pub(super) fn heap_bytes(&self) -> usize {
        let values = |(_, labels): &(u32, Labels)| 16 + labels.pairs().len() * 16;
        let kept: usize = self.places.iter().flatten().map(values).sum();
        kept + self.places.capacity() * size_of::<Option<(u32, Labels)>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::EntityKind;

    fn labels(pod: &str) -> Labels {
        Labels::new(EntityKind::Pod, vec![("pod".into(), pod.into())])
    }

    #[test]
    fn what_shares_a_place_pushes_out() {
        let mut lately = Lately::default();
        assert_eq!(lately.get(1, || Some(labels("none"))), Some(labels("none")));
        lately.grow(usize::MAX >> 1);
        assert_eq!(lately.places.len(), KEPT);
        assert_eq!(lately.get(1, || None), None);
        assert_eq!(lately.get(1, || Some(labels("a"))), Some(labels("a")));
        assert_eq!(lately.get(1, || Some(labels("b"))), Some(labels("a")));
        let far = 1 + u32::try_from(KEPT).unwrap();
        assert_eq!(lately.get(far, || Some(labels("c"))), Some(labels("c")));
        assert_eq!(lately.get(1, || Some(labels("d"))), Some(labels("d")));
        lately.forget(far);
        assert_eq!(lately.get(1, || None), Some(labels("d")));
        lately.forget(1);
        assert_eq!(lately.get(1, || None), None);
    }
}
