//! Documents as trees of nodes, each with the place where it begins.

use std::collections::HashMap;

use granit_parser::{Event, Marker, ScalarStyle};

use crate::Error;

/// Nodes of all documents together, aliases written out.
const MAX_NODES: usize = 200_000;
/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// A value and where it begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) place: (usize, usize),
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A text; whether it may stand for something else.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Default for Value {
    fn default() -> Self {
        Self::Scalar(String::new(), true)
    }
}

impl Node {
    /// Whether nothing stands there.
    pub(crate) fn is_null(&self) -> bool {
        let Value::Scalar(text, true) = &self.value else { return false };
        matches!(&**text, "" | "~" | "null" | "Null" | "NULL")
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(..) => 0,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(items) => items.iter().map(|(key, value)| key.size() + value.size()).sum(),
        }
    }
}

/// A list or map whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<Node>,
}

/// Reads every document.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, Error> {
    let mut reader = Reader::default();
    for event in yaml::events(text) {
        let (event, span) = event.map_err(|error| at(place(error.marker()), error.info()))?;
        reader.take(event, place(&span.start))?;
    }
    Ok(reader.documents)
}

fn place(marker: &Marker) -> (usize, usize) {
    (marker.line(), marker.col() + 1)
}

pub(crate) fn at(place: (usize, usize), what: impl Into<String>) -> Error {
    Error { place, what: what.into() }
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, place: (usize, usize)) -> Result<(), Error> {
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (anchor, Node { place, value: Value::Scalar(text.into_owned(), plain) })
            }
            Event::SequenceStart(_, anchor, _) => {
                return self.open(anchor, Node { place, value: Value::List(Vec::new()) });
            }
            Event::MappingStart(_, anchor, _) => {
                return self.open(anchor, Node { place, value: Value::Map(Vec::new()) });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => (open.anchor, merged(open.node)?),
                None => return Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => (0, Node { place, ..node.clone() }),
                None => return Err(at(place, "unknown alias")),
            },
            _ => return Ok(()),
        };
        self.count(node.size(), place)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    fn open(&mut self, anchor: usize, node: Node) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(at(node.place, format!("nested deeper than {MAX_DEPTH}")));
        }
        self.open.push(Open { node, anchor, key: None });
        Ok(())
    }

    /// Counts each node once for every list or map around it, which bounds the work too.
    fn count(&mut self, nodes: usize, place: (usize, usize)) -> Result<(), Error> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(at(place, "the document is too large")) } else { Ok(()) }
    }

    fn put(&mut self, node: Node) -> Result<(), Error> {
        let Some(parent) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut parent.node.value, parent.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(items), Some(key)) => items.push((key, node)),
            (Value::Map(items), None) => {
                if let Value::Scalar(text, _) = &node.value {
                    let same = |(key, _): &(Node, Node)| matches!(&key.value, Value::Scalar(known, _) if known == text);
                    if items.iter().any(same) {
                        return Err(at(node.place, format!("duplicate mapping key: {text}")));
                    }
                }
                parent.key = Some(node);
            }
            (Value::Scalar(..), _) => {}
        }
        Ok(())
    }
}

/// A map with what its merge keys name written out; what stands in the map itself goes before.
fn merged(mut node: Node) -> Result<Node, Error> {
    let Value::Map(items) = &mut node.value else { return Ok(node) };
    let text = |key: &Node| match &key.value {
        Value::Scalar(text, _) => Some(text.clone()),
        _ => None,
    };
    let is_merge =
        |(key, _): &(Node, Node)| matches!(&key.value, Value::Scalar(text, true) if text == "<<");
    while let Some(found) = items.iter().position(is_merge) {
        let (_, source) = items.remove(found);
        let sources = match source.value {
            Value::List(sources) => sources,
            _ => vec![source],
        };
        for source in sources {
            let Value::Map(more) = source.value else {
                return Err(at(source.place, "a merge key takes a map"));
            };
            for (key, value) in more {
                if !items.iter().any(|(known, _)| text(known) == text(&key)) {
                    items.push((key, value));
                }
            }
        }
    }
    Ok(node)
}
