//! Makes `types.txt` of the types that k8s-openapi publishes: each tells serde its fields when it
//! is read, and each field how it wants to be read.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::{apps, autoscaling, batch, coordination, core, networking, policy, rbac};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer, UnitDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

/// Types whose objects stand by themselves, with their group's version.
type Whole = BTreeMap<&'static str, &'static str>;

struct Tracer {
    whole: Whole,
    /// The fields of each type seen, with their types.
    lines: BTreeMap<&'static str, String>,
}

/// A value of a type that is not known yet; what it turns out to be goes to `found`.
struct Traced<'a> {
    tracer: &'a mut Tracer,
    found: &'a mut String,
}

struct Expecting<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> fmt::Display for Expecting<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

impl Traced<'_> {
    fn note(self, name: &str) {
        name.clone_into(self.found);
    }
}

macro_rules! scalars {
    ($($method:ident $name:literal $visit:ident $value:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.note($name);
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Traced<'_> {
    type Error = Error;

    scalars! {
        deserialize_bool "bool" visit_bool true;
        deserialize_i32 "i32" visit_i32 1;
        deserialize_i64 "i64" visit_i64 1;
        deserialize_f64 "f64" visit_f64 1.0;
        deserialize_string "string" visit_str "";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if Expecting(&visitor).to_string() == "IntOrString" {
            self.note("IntOrString");
            return visitor.visit_i32(1);
        }
        self.note("any");
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if Expecting(&visitor).to_string() == "a base64-encoded string" {
            self.note("ByteString");
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            "Time" | "MicroTime" => {
                self.note(name);
                let time: StrDeserializer<'_, Error> = "2026-01-01T00:00:00Z".into_deserializer();
                visitor.visit_newtype_struct(time)
            }
            "Quantity" => {
                self.note(name);
                let one: StrDeserializer<'_, Error> = "1".into_deserializer();
                visitor.visit_newtype_struct(one)
            }
            "RawExtension" | "FieldsV1" | "JSON" => {
                self.note("any");
                visitor.visit_newtype_struct(UnitDeserializer::<Error>::new())
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut inner = String::new();
        let value = visitor.visit_seq(Once { tracer: Some(self.tracer), found: &mut inner })?;
        *self.found = format!("[{inner}]");
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut inner = String::new();
        let value = visitor.visit_map(Once { tracer: Some(self.tracer), found: &mut inner })?;
        *self.found = format!("{{{inner}}}");
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        name.clone_into(self.found);
        let whole = self.tracer.whole.get(name);
        let left = if whole.is_some() { &fields[2..] } else { fields };
        let mut line =
            whole.map(|version| format!(" apiVersion:={version} kind:={name}")).unwrap_or_default();
        let all = Fields { tracer: &mut *self.tracer, left, at: "", line: &mut line };
        let value = visitor.visit_map(all)?;
        let known = self.tracer.lines.insert(name, line.clone());
        assert!(known.is_none_or(|known| known == line), "two types are named {name}");
        Ok(value)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char str bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier ignored_any
    }
}

/// The one item of a list or map.
struct Once<'a> {
    tracer: Option<&'a mut Tracer>,
    found: &'a mut String,
}

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(tracer) = self.tracer.take() else { return Ok(None) };
        seed.deserialize(Traced { tracer, found: self.found }).map(Some)
    }
}

impl<'de> MapAccess<'de> for Once<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.tracer.is_none() {
            return Ok(None);
        }
        let key: StrDeserializer<'_, Error> = "key".into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let tracer = self.tracer.take().unwrap();
        seed.deserialize(Traced { tracer, found: self.found })
    }
}

/// The fields of a struct, one after the other.
struct Fields<'a> {
    tracer: &'a mut Tracer,
    left: &'static [&'static str],
    at: &'static str,
    line: &'a mut String,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((first, rest)) = self.left.split_first() else { return Ok(None) };
        (self.at, self.left) = (first, rest);
        let key: StrDeserializer<'_, Error> = self.at.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let mut found = String::new();
        let value = seed.deserialize(Traced { tracer: &mut *self.tracer, found: &mut found })?;
        self.line.extend([" ", self.at, ":", &found]);
        Ok(value)
    }
}

/// Traces types; all that stand by themselves must be named, for others hold them.
macro_rules! traced {
    ($($type:ty)*) => {{
        use k8s_openapi::Resource;
        let whole = Whole::from([$((<$type>::KIND, <$type>::API_VERSION)),*]);
        let mut tracer = Tracer { whole, lines: BTreeMap::new() };
        $({
            let mut found = String::new();
            <$type>::deserialize(Traced { tracer: &mut tracer, found: &mut found }).unwrap();
        })*
        tracer.lines.iter().map(|(name, fields)| format!("{name}{fields}\n")).collect::<String>()
    }};
}

#[test]
fn types_are_those_that_kubernetes_publishes() {
    let made = traced!(
        core::v1::Namespace core::v1::ServiceAccount core::v1::Service core::v1::Endpoints
        core::v1::Secret core::v1::ConfigMap core::v1::PersistentVolumeClaim
        core::v1::PersistentVolume core::v1::ResourceQuota batch::v1::Job batch::v1::CronJob
        apps::v1::Deployment apps::v1::StatefulSet apps::v1::DaemonSet
        apps::v1::ControllerRevision autoscaling::v2::HorizontalPodAutoscaler
        coordination::v1::Lease rbac::v1::Role rbac::v1::RoleBinding rbac::v1::ClusterRole
        rbac::v1::ClusterRoleBinding networking::v1::NetworkPolicy
        policy::v1::PodDisruptionBudget APIService
    );
    if std::env::var_os("UPDATE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/apiserver/schema/types.txt");
        std::fs::write(path, &made).unwrap();
    }
    assert!(made == include_str!("types.txt"), "UPDATE=1 cargo test -p sim makes types.txt anew");
}
