//! What templates compute with.

use std::cmp::Ordering;
use std::rc::Rc;

use query::promql::{Labels, METRIC_NAME};

use super::number::shortest;
use super::{Found, TemplateError};

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    Labels(Labels),
    Sample(Rc<Found>),
    List(Rc<[Value]>),
    /// Names with values, as `args` makes them.
    Map(Rc<[(String, Value)]>),
}

impl Value {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Rc::from(text.as_ref()))
    }

    /// What Go calls its type, for messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Labels(_) => "map[string]string",
            Self::Sample(_) => "*template.sample",
            Self::List(_) => "template.queryResult",
            Self::Map(_) => "map[string]interface {}",
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Sample(_) => true,
            Self::List(items) => !items.is_empty(),
            Self::Map(items) => !items.is_empty(),
        }
    }

    /// `.name` of it.
    pub(super) fn field(&self, name: &str) -> Result<Value, TemplateError> {
        match self {
            Self::Labels(labels) => Ok(Self::text(labels.get(name))),
            Self::Map(items) => {
                let found = items.iter().find(|(known, _)| known == name);
                Ok(found.map_or(Self::Nil, |(_, value)| value.clone()))
            }
            Self::Sample(sample) => match name {
                "Labels" => Ok(Self::Labels(sample.labels.clone())),
                "Value" => Ok(Self::Float(sample.value)),
                _ => Err(self.no_field(name)),
            },
            _ => Err(self.no_field(name)),
        }
    }

    fn no_field(&self, name: &str) -> TemplateError {
        TemplateError::new(format!("can't evaluate field {name} in type {}", self.type_name()))
    }

    /// As Go prints it with `%v`.
    pub(super) fn print(&self) -> String {
        match self {
            Self::Nil => "<no value>".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => shortest(*value),
            Self::Text(text) => text.to_string(),
            Self::Labels(labels) => {
                let pairs: Vec<String> = labels
                    .iter()
                    .filter(|(name, _)| *name != METRIC_NAME)
                    .map(|(name, value)| format!("{name}:{value}"))
                    .collect();
                format!("map[{}]", pairs.join(" "))
            }
            Self::Sample(sample) => {
                let labels = Self::Labels(sample.labels.clone()).print();
                format!("{{{labels} {}}}", shortest(sample.value))
            }
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::print).collect();
                format!("[{}]", items.join(" "))
            }
            Self::Map(items) => {
                let items: Vec<String> =
                    items.iter().map(|(name, value)| format!("{name}:{}", value.print())).collect();
                format!("map[{}]", items.join(" "))
            }
        }
    }

    /// As a number: Prometheus reads texts too.
    pub(super) fn number(&self) -> Result<f64, TemplateError> {
        match self {
            Self::Float(value) => Ok(*value),
            #[expect(clippy::cast_precision_loss, reason = "as Prometheus does")]
            Self::Int(value) => Ok(*value as f64),
            Self::Text(text) => text.parse().map_err(|_| {
                TemplateError::new(format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
            }),
            other => {
                Err(TemplateError::new(format!("can't convert {} to float", other.type_name())))
            }
        }
    }

    pub(super) fn str(&self) -> Result<&str, TemplateError> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(TemplateError::new(format!(
                "wrong type for value; expected string; got {}",
                other.type_name()
            ))),
        }
    }

    /// Go's comparison of basic kinds; `None` for kinds that do not compare.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }

    /// Whether Go refuses to compare the two.
    pub(super) fn differs_in_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) != std::mem::discriminant(other)
    }
}
