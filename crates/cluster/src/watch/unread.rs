//! One type for the objects of every kind, so that kube's watcher exists once in the program: an
//! object's JSON, of which nothing is read yet but what the watcher needs.
//!
//! The JSON is written anew instead of borrowed, for kube may have an event in memory already, and
//! without managed fields, which are about half of an object and which nobody reads.

use std::borrow::Cow;
use std::fmt;

use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::DynamicResourceScope;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Kind;

/// An object of any kind.
#[derive(Debug, Clone)]
pub(super) struct Unread {
    /// Name, namespace and resource version.
    pub(super) meta: ObjectMeta,
    /// All but the managed fields.
    pub(super) json: String,
}

impl Resource for Unread {
    type DynamicType = &'static Kind;
    type Scope = DynamicResourceScope;

    fn kind<'a>(kind: &'a &'static Kind) -> Cow<'a, str> {
        (kind.name)(&())
    }

    fn group<'a>(kind: &'a &'static Kind) -> Cow<'a, str> {
        (kind.group)(&())
    }

    fn version<'a>(kind: &'a &'static Kind) -> Cow<'a, str> {
        (kind.version)(&())
    }

    fn plural<'a>(kind: &'a &'static Kind) -> Cow<'a, str> {
        kind.plural.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut copy = Copy { json: Vec::new(), meta: ObjectMeta::default() };
        Part { copy: &mut copy, place: Place::Object }.deserialize(deserializer)?;
        // Exact, for a page of a list holds hundreds.
        copy.json.shrink_to_fit();
        let json = String::from_utf8(copy.json).map_err(D::Error::custom)?;
        Ok(Self { meta: copy.meta, json })
    }
}

/// What was written so far, and what of it the watcher needs.
struct Copy {
    json: Vec<u8>,
    meta: ObjectMeta,
}

impl Copy {
    fn write<E: Error>(&mut self, value: impl Serialize) -> Result<(), E> {
        serde_json::to_writer(&mut self.json, &value).map_err(E::custom)
    }
}

/// Where a value stands in its object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Object,
    Metadata,
    Name,
    Namespace,
    ResourceVersion,
    ManagedFields,
    Elsewhere,
}

impl Place {
    fn under(self, key: &str) -> Self {
        match (self, key) {
            (Self::Object, "metadata") => Self::Metadata,
            (Self::Metadata, "name") => Self::Name,
            (Self::Metadata, "namespace") => Self::Namespace,
            (Self::Metadata, "resourceVersion") => Self::ResourceVersion,
            (Self::Metadata, "managedFields") => Self::ManagedFields,
            _ => Self::Elsewhere,
        }
    }
}

/// A value that is copied.
struct Part<'a> {
    copy: &'a mut Copy,
    place: Place,
}

impl Part<'_> {
    fn inner(&mut self, place: Place) -> Part<'_> {
        Part { copy: self.copy, place }
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object's JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.copy.write(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.copy.write(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.copy.write(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.copy.write(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.copy.write(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let meta = &mut self.copy.meta;
        let kept = match self.place {
            Place::Name => Some(&mut meta.name),
            Place::Namespace => Some(&mut meta.namespace),
            Place::ResourceVersion => Some(&mut meta.resource_version),
            _ => None,
        };
        if let Some(kept) = kept {
            *kept = Some(value.to_owned());
        }
        self.copy.write(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.copy.json.push(b'[');
        let empty = self.copy.json.len();
        while items.next_element_seed(self.inner(Place::Elsewhere))?.is_some() {
            self.copy.json.push(b',');
        }
        self.close(empty, b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.copy.json.push(b'{');
        let empty = self.copy.json.len();
        while let Some(place) = fields.next_key_seed(Key(self.inner(self.place)))? {
            if place == Place::ManagedFields {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            fields.next_value_seed(self.inner(place))?;
            self.copy.json.push(b',');
        }
        self.close(empty, b'}');
        Ok(())
    }
}

/// A key of the map that stands at the part's place, copied unless its value is not.
struct Key<'a>(Part<'a>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Place, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Place, E> {
        let place = self.0.place.under(key);
        if place != Place::ManagedFields {
            self.0.copy.write(key)?;
            self.0.copy.json.push(b':');
        }
        Ok(place)
    }
}

impl Part<'_> {
    /// Ends a list or map whose content begins at `empty`, each item with a comma behind it.
    fn close(self, empty: usize, end: u8) {
        if self.copy.json.len() > empty {
            self.copy.json.pop();
        }
        self.copy.json.push(end);
    }
}

#[cfg(test)]
mod tests {
    use kube::api::WatchEvent;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_object_is_copied_but_for_managed_fields() {
        let object = json!({ "metadata": {
                "name": "a", "namespace": "b", "resourceVersion": "7", "labels": {},
                "managedFields": [{ "fieldsV1": { "f:x": {} } }],
            }, "spec": { "list": [1, -2, 0.25, true, null, "\"\u{1}\n"], "none": [], "name": "c" } });
        for text in [
            format!(r#"{{"type":"ADDED","object":{object}}}"#),
            format!(r#"{{"object":{object},"type":"ADDED"}}"#),
        ] {
            let event: WatchEvent<Unread> = serde_json::from_str(&text).unwrap();
            let WatchEvent::Added(unread) = event else { panic!("{event:?}") };
            let meta = &unread.meta;
            let told = [&meta.name, &meta.namespace, &meta.resource_version];
            assert_eq!(told.map(|one| one.as_deref().unwrap()), ["a", "b", "7"]);
            let mut expected = object.clone();
            expected["metadata"].as_object_mut().unwrap().remove("managedFields");
            assert_eq!(serde_json::from_str::<Value>(&unread.json).unwrap(), expected);
        }
    }
}
