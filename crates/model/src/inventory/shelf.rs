//! Where objects of a kind are held by their names.

use std::sync::Arc;

use super::Inventory;
use super::named::{Named, Places};

/// An object that is held by its name.
pub trait Held: PartialEq + Sized {
    /// Namespace; empty for what is in none.
    fn namespace(&self) -> &str;
    /// Name.
    fn name(&self) -> &str;
    /// Where such objects are held.
    fn shelf(inventory: &Inventory) -> &Shelf<Self>;
    /// The same, to change.
    fn shelf_mut(inventory: &mut Inventory) -> &mut Shelf<Self>;
    /// Takes over from the record before it what is long and equal in both, so that both hold it
    /// once.
    fn share(&mut self, _before: &Self) {}
}

impl<T: Held> Named for T {
    fn namespace(&self) -> &str {
        Held::namespace(self)
    }

    fn name(&self) -> &str {
        Held::name(self)
    }
}

/// Objects of one kind by namespace and name.
#[derive(Debug)]
pub struct Shelf<T>(Places<T>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Places::default())
    }
}

impl<T: Held> Shelf<T> {
    /// The object of that namespace and name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        self.0.get(namespace, name)
    }

    /// Every object, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.all()
    }

    /// Those of one namespace, in no order.
    pub fn within(&self, namespace: &str) -> impl Iterator<Item = &Arc<T>> {
        self.0.within(namespace)
    }

    /// Adds or replaces one; what is there and equal stays.
    pub fn put(&mut self, mut one: T) {
        match self.get(one.namespace(), one.name()) {
            Some(known) if **known == one => return,
            Some(known) => one.share(known),
            None => {}
        }
        self.0.put(Arc::new(one));
    }

    /// Forgets one.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        self.0.remove(namespace, name);
    }

    /// Keeps only what `keep` accepts (after a relist).
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.0.retain(keep);
    }
}

/// Says on which shelf a kind stands, its namespace where that is no field, and which of its
/// lists are shared with the record before.
macro_rules! held {
    ($type:ident $($place:ident).+ $(, shares $shared:ident)*) => {
        held!($type |one| &one.namespace, $($place).+ $(, shares $shared)*);
    };
    ($type:ident |$one:ident| $namespace:expr, $($place:ident).+ $(, shares $shared:ident)*) => {
        impl super::shelf::Held for $type {
            fn namespace(&self) -> &str {
                let $one = self;
                $namespace
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn shelf(inventory: &super::Inventory) -> &super::shelf::Shelf<Self> {
                &inventory.$($place).+
            }
            fn shelf_mut(inventory: &mut super::Inventory) -> &mut super::shelf::Shelf<Self> {
                &mut inventory.$($place).+
            }
            $(fn share(&mut self, before: &Self) {
                if self.$shared == before.$shared {
                    self.$shared = before.$shared.clone();
                }
            })*
        }
    };
}
pub(super) use held;

impl Inventory {
    /// The objects of a kind.
    pub fn shelf<T: Held>(&self) -> &Shelf<T> {
        T::shelf(self)
    }

    /// Adds or replaces an object; what is there and equal stays.
    pub fn put<T: Held>(&mut self, one: T) {
        T::shelf_mut(self).put(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PersistentVolume, Quota, Service};

    #[test]
    fn shelves_hold_by_namespace_and_name() {
        let mut inventory = Inventory::default();
        let service =
            |name: &str| Service { namespace: "n".into(), name: name.into(), ..Service::default() };
        for name in ["a", "b"] {
            inventory.put(service(name));
        }
        assert_eq!(inventory.shelf::<Service>().within("n").count(), 2);
        Service::shelf_mut(&mut inventory).retain(|one| &*one.name == "b");
        assert!(inventory.shelf::<Service>().get("n", "a").is_none());
        Service::shelf_mut(&mut inventory).remove("n", "b");
        assert_eq!(inventory.shelf::<Service>().all().count(), 0);
    }

    #[test]
    fn what_is_in_no_namespace_is_held_too() {
        let mut inventory = Inventory::default();
        inventory.put(PersistentVolume { name: "pv".into(), ..PersistentVolume::default() });
        assert!(inventory.shelf::<PersistentVolume>().get("", "pv").is_some());
        PersistentVolume::shelf_mut(&mut inventory).remove("", "pv");
        assert_eq!(inventory.shelf::<PersistentVolume>().all().count(), 0);
    }

    #[test]
    fn an_equal_record_stays_and_a_changed_one_shares() {
        let mut inventory = Inventory::default();
        let quota = |used: i64| Quota {
            namespace: "n".into(),
            name: "q".into(),
            hard: [("pods".into(), Some(10_000))].into(),
            used: Box::new([Some(used)]),
            ..Quota::default()
        };
        let held =
            |inventory: &Inventory| Arc::clone(inventory.shelf::<Quota>().get("n", "q").unwrap());
        inventory.put(quota(1000));
        let first = held(&inventory);
        inventory.put(quota(1000));
        assert!(Arc::ptr_eq(&first, &held(&inventory)));
        inventory.put(quota(2000));
        let second = held(&inventory);
        assert_eq!(&*second.used, &[Some(2000)]);
        assert!(first.hard.is_same(&second.hard));
    }
}
