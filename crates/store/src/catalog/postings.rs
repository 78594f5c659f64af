//! The entities with one value of a label, in as little room as their number needs.

use roaring::RoaringBitmap;

/// With their number as large as a pointer and its tag.
const FEW: usize = 3;

/// Numbers of entities. Lists hold the first `len` of their room.
#[derive(Debug)]
pub(super) enum Postings {
    /// Most values have few: a volume of a pod.
    Few {
        len: u8,
        ids: [u32; FEW],
    },
    /// A pod of two containers, with its filesystems and volumes.
    Eight {
        len: u8,
        ids: Box<[u32; 8]>,
    },
    Sixteen {
        len: u8,
        ids: Box<[u32; 16]>,
    },
    ThirtyTwo {
        len: u8,
        ids: Box<[u32; 32]>,
    },
    Many(Box<RoaringBitmap>),
}

/// A list's numbers with room for more.
fn room<const N: usize>(held: &[u32]) -> [u32; N] {
    let mut ids = [0; N];
    ids.iter_mut().zip(held).for_each(|(place, id)| *place = *id);
    ids
}

impl Postings {
    pub(super) fn of(id: u32) -> Self {
        Self::Few { len: 1, ids: [id, 0, 0] }
    }

    /// The length and the whole room of a list.
    fn list_mut(&mut self) -> Option<(&mut u8, &mut [u32])> {
        match self {
            Self::Few { len, ids } => Some((len, ids)),
            Self::Eight { len, ids } => Some((len, &mut **ids)),
            Self::Sixteen { len, ids } => Some((len, &mut **ids)),
            Self::ThirtyTwo { len, ids } => Some((len, &mut **ids)),
            Self::Many(_) => None,
        }
    }

    /// The numbers, as they came; `None` where they are so many that they are a bitmap.
    pub(super) fn list(&self) -> Option<&[u32]> {
        match self {
            Self::Few { len, ids } => Some(&ids[..usize::from(*len)]),
            Self::Eight { len, ids } => Some(&ids[..usize::from(*len)]),
            Self::Sixteen { len, ids } => Some(&ids[..usize::from(*len)]),
            Self::ThirtyTwo { len, ids } => Some(&ids[..usize::from(*len)]),
            Self::Many(_) => None,
        }
    }

    /// Adds `id`, which it does not hold yet.
    pub(super) fn insert(&mut self, id: u32) {
        if let Some((len, ids)) = self.list_mut()
            && let Some(place) = ids.get_mut(usize::from(*len))
        {
            *place = id;
            *len += 1;
            return;
        }
        if let Self::Many(ids) = self {
            ids.insert(id);
            return;
        }
        let held = self.list().unwrap_or_default();
        let len = u8::try_from(held.len()).unwrap_or(u8::MAX);
        let mut grown = match held.len() {
            ..8 => Self::Eight { len, ids: Box::new(room(held)) },
            8..16 => Self::Sixteen { len, ids: Box::new(room(held)) },
            16..32 => Self::ThirtyTwo { len, ids: Box::new(room(held)) },
            _ => Self::Many(Box::new(held.iter().copied().collect())),
        };
        grown.insert(id);
        *self = grown;
    }

    /// Removes `id`; says whether none is left.
    pub(super) fn remove(&mut self, id: u32) -> bool {
        if let Self::Many(ids) = self {
            ids.remove(id);
            return ids.is_empty();
        }
        let Some((len, ids)) = self.list_mut() else { return false };
        let held = &mut ids[..usize::from(*len)];
        if let Some(at) = held.iter().position(|held| *held == id) {
            held.swap(at, held.len() - 1);
            *len -= 1;
        }
        *len == 0
    }

    /// Bytes behind it, about.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Few { .. } => 0,
            Self::Eight { ids, .. } => size_of_val(&**ids),
            Self::Sixteen { ids, .. } => size_of_val(&**ids),
            Self::ThirtyTwo { ids, .. } => size_of_val(&**ids),
            Self::Many(ids) => bitmap_bytes(ids),
        }
    }
}

/// Bytes of a bitmap, about: what it would be in a file, and its list of containers.
pub(super) fn bitmap_bytes(ids: &RoaringBitmap) -> usize {
    let containers = ids.statistics().n_containers as usize;
    size_of::<RoaringBitmap>() + ids.serialized_size() + containers * 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(postings: &Postings) -> Vec<u32> {
        let mut all = match postings {
            Postings::Many(ids) => ids.iter().collect(),
            _ => postings.list().unwrap().to_vec(),
        };
        all.sort_unstable();
        all
    }

    #[test]
    fn what_is_added_is_there_until_it_is_removed() {
        let mut postings = Postings::of(0);
        for id in 1..100 {
            postings.insert(id * 7);
            assert_eq!(held(&postings), (0..=id).map(|id| id * 7).collect::<Vec<_>>());
        }
        assert!(matches!(postings, Postings::Many(_)));
        for id in 0..99 {
            assert!(!postings.remove(id * 7), "{id}");
        }
        assert_eq!(held(&postings), [693]);
        assert!(postings.remove(693));
    }

    #[test]
    fn lists_lose_what_is_removed() {
        for count in [2, 5, 12, 30] {
            let mut postings = Postings::of(0);
            (1..count).for_each(|id| postings.insert(id));
            assert!(!postings.remove(0) && !postings.remove(99), "{count}");
            assert_eq!(held(&postings), (1..count).collect::<Vec<_>>());
            assert_eq!((1..count).filter(|id| postings.remove(*id)).count(), 1, "{count}");
        }
    }

    #[test]
    fn it_is_two_words_large() {
        assert_eq!(size_of::<Postings>(), 16);
    }
}
