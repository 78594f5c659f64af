//! Go's `text/template` as rule files use it: parsed once, expanded for every alert.
//!
//! Actions, pipelines, variables, `if`, `with`, `range`, `define` and the functions of Prometheus
//! 2.42. Knows no files; queries are asked of whom the caller names.

mod expand;
mod functions;
mod lex;
mod number;
mod parse;
mod value;

use query::promql::Labels;

use expand::Expansion;
use parse::Node;

pub use number::{exponential, humanize, shortest};

/// Most bytes that one text may expand to.
const MAX_OUTPUT_BYTES: usize = 64 << 10;
/// Most bytes of a template.
const MAX_TEMPLATE_BYTES: usize = 64 << 10;

/// What is wrong with a template, or why it could not be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub String);

impl TemplateError {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// One series and its value, as `query` in a template yields them.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The labels.
    pub labels: Labels,
    /// The value.
    pub value: f64,
}

/// Asks a query of a template at the time of its evaluation.
pub type Ask<'a> = &'a dyn Fn(&str) -> Result<Vec<Found>, String>;

/// What a template is expanded with.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// `$labels`: of the series that the alert is about.
    pub labels: &'a Labels,
    /// `$value`.
    pub value: f64,
    /// `$externalURL`: where this server is reached.
    pub external_url: &'a str,
    /// What `query` asks.
    pub ask: Ask<'a>,
}

/// A text with actions.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    text: String,
    nodes: Vec<Node>,
    defined: Vec<(String, Vec<Node>)>,
}

impl Template {
    /// Reads `text`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::new(format!("longer than {MAX_TEMPLATE_BYTES} bytes")));
        }
        let (nodes, defined) = parse::parse(lex::lex(text)?)?;
        Ok(Self { text: text.to_owned(), nodes, defined })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with its actions done.
    pub fn expand(&self, data: &Data<'_>) -> Result<String, TemplateError> {
        let mut expansion = Expansion::new(data, &self.defined);
        expansion.nodes(&self.nodes)?;
        Ok(expansion.into_text())
    }

    /// The text, or what Prometheus puts in its place.
    pub fn expand_or_say(&self, data: &Data<'_>) -> String {
        self.expand(data).unwrap_or_else(|error| format!("<error expanding template: {error}>"))
    }
}

#[cfg(test)]
mod tests;
