//! YAML as a tree that knows its lines: reading it never stops at the first wrong value.
//!
//! Knows no keys: who reads a file says what may stand where.
#![forbid(unsafe_code)]

use granit_parser::{Event, Parser, ScalarStyle, StrInput};

/// A value, and the line that it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// From 1; of a block text the line where its content begins.
    pub line: usize,
    /// What stands there.
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Any other scalar, as it was written.
    Text(String),
    /// Items in the file's order.
    List(Vec<Node>),
    /// In the file's order; keys with the line they stand on.
    Map(Vec<(String, usize, Node)>),
}

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 16;

/// A line, and what is wrong there.
pub type Wrong = (usize, String);

/// What begins and ends where, for those who make another tree of it: what reads here is then the
/// same code.
pub fn events(text: &str) -> Parser<'_, StrInput<'_>> {
    Parser::new_from_str(text)
}

/// Reads one document.
pub fn parse(text: &str) -> Result<Node, Wrong> {
    let mut open: Vec<Open> = Vec::new();
    for event in events(text) {
        let (event, span) = event.map_err(|error| (error.marker().line(), error.info()))?;
        let line = span.start.line();
        let whole = match event {
            Event::Scalar(text, style, ..) => Node { line, value: scalar(&text, style) },
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= MAX_DEPTH => {
                return Err((line, format!("nested deeper than {MAX_DEPTH}")));
            }
            Event::SequenceStart(..) => {
                open.push(Open { line, key: None, items: Items::List(Vec::new()) });
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open { line, key: None, items: Items::Map(Vec::new()) });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open { line, items: Items::List(items), .. }) => {
                    Node { line, value: Value::List(items) }
                }
                Some(Open { line, items: Items::Map(items), .. }) => {
                    Node { line, value: Value::Map(items) }
                }
                None => continue,
            },
            Event::Alias(_) => {
                return Err((line, "aliases are not taken; write the value out".to_owned()));
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.put(whole)?,
            None => return Ok(whole),
        }
    }
    Ok(Node { line: 1, value: Value::Null })
}

/// A list or map whose end has not come yet.
struct Open {
    line: usize,
    /// The key whose value comes next, and its line.
    key: Option<(String, usize)>,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<(String, usize, Node)>),
}

impl Open {
    fn put(&mut self, node: Node) -> Result<(), Wrong> {
        match (&mut self.items, self.key.take(), node) {
            (Items::List(items), _, node) => items.push(node),
            (Items::Map(items), Some((key, line)), node) => {
                if items.iter().any(|(known, ..)| *known == key) {
                    return Err((line, format!("{key} is there twice")));
                }
                items.push((key, line, node));
            }
            (Items::Map(_), None, Node { line, value: Value::Text(key) }) => {
                self.key = Some((key, line));
            }
            (Items::Map(_), None, Node { line, .. }) => {
                return Err((line, "a key must be a text".to_owned()));
            }
        }
        Ok(())
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match text {
        "" | "~" | "null" if style == ScalarStyle::Plain => Value::Null,
        text => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines() {
        let tree = parse("a: 1\nb:\n  - x\n  - {c: \"\"}\nd: ~\n").unwrap();
        let Value::Map(items) = tree.value else { panic!("{tree:?}") };
        let shown: Vec<_> = items.iter().map(|(key, line, _)| (&**key, *line)).collect();
        assert_eq!(shown, [("a", 1), ("b", 2), ("d", 5)]);
        let Value::List(list) = &items[1].2.value else { panic!("{items:?}") };
        assert_eq!((list[0].line, list[1].line), (3, 4));
        assert_eq!(items[2].2.value, Value::Null);
        assert_eq!(parse("a: 1\na: 2\n"), Err((2, "a is there twice".to_owned())));
        assert_eq!(parse("a: [\n").unwrap_err().0, 1);
        assert_eq!(parse("# nothing\n").unwrap().value, Value::Null);
    }
}
