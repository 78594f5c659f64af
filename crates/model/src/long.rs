//! Lists with an item for each thing of a cluster: millions, of which few come later.

/// Appends, with room for an eighth more where there is none: twice as much would be most of a
/// list's memory.
pub fn push_long<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 64);
    }
    list.push(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_left() {
        let mut list = Vec::new();
        (0..100_000).for_each(|item| push_long(&mut list, item));
        assert!(list.iter().copied().eq(0..100_000));
        assert!(list.capacity() <= 100_000 / 8 * 9 + 64, "{}", list.capacity());
    }
}
