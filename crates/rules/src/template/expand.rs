//! Walks the tree of a template and writes its text.

use std::rc::Rc;

use super::functions;
use super::parse::{Node, Operand, Pipeline};
use super::value::Value;
use super::{Data, MAX_OUTPUT_BYTES, TemplateError};

/// Most templates that may call each other.
const MAX_CALLS: usize = 16;
/// Most passes through bodies of `range` in one expansion.
const MAX_PASSES: usize = 10_000;

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Break,
    Continue,
}

pub(super) struct Expansion<'a> {
    data: &'a Data<'a>,
    defined: &'a [(String, Vec<Node>)],
    out: String,
    dot: Value,
    variables: Vec<(String, Value)>,
    calls: usize,
    passes: usize,
}

type Done<T> = Result<T, TemplateError>;

impl<'a> Expansion<'a> {
    pub(super) fn new(data: &'a Data<'a>, defined: &'a [(String, Vec<Node>)]) -> Self {
        let labels = Value::Labels(data.labels.clone());
        let value = Value::Float(data.value);
        let none = Value::Labels(query::promql::Labels::default());
        let url = Value::text(data.external_url);
        let root: Rc<[(String, Value)]> = Rc::new([
            ("Labels".to_owned(), labels.clone()),
            ("ExternalLabels".to_owned(), none.clone()),
            ("ExternalURL".to_owned(), url.clone()),
            ("Value".to_owned(), value.clone()),
        ]);
        let dot = Value::Map(root);
        let variables = vec![
            (String::new(), dot.clone()),
            ("labels".to_owned(), labels),
            ("externalLabels".to_owned(), none),
            ("externalURL".to_owned(), url),
            ("value".to_owned(), value),
        ];
        Self { data, defined, out: String::new(), dot, variables, calls: 0, passes: 0 }
    }

    pub(super) fn into_text(self) -> String {
        self.out
    }

    fn put(&mut self, text: &str) -> Done<()> {
        if self.out.len() + text.len() > MAX_OUTPUT_BYTES {
            return Err(TemplateError::new(format!(
                "expands to more than {MAX_OUTPUT_BYTES} bytes"
            )));
        }
        self.out.push_str(text);
        Ok(())
    }

    pub(super) fn nodes(&mut self, nodes: &[Node]) -> Done<Flow> {
        for node in nodes {
            match self.node(node)? {
                Flow::On => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node) -> Done<Flow> {
        match node {
            Node::Text(text) => self.put(text)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline)?;
                if pipeline.variables.is_empty() {
                    self.put(&value.print())?;
                }
            }
            Node::If(pipeline, body, otherwise) => {
                let scope = self.variables.len();
                let value = self.pipeline(pipeline)?;
                let flow = self.nodes(if value.is_true() { body } else { otherwise })?;
                self.variables.truncate(scope);
                return Ok(flow);
            }
            Node::With(pipeline, body, otherwise) => {
                let scope = self.variables.len();
                let value = self.pipeline(pipeline)?;
                let flow = if value.is_true() {
                    let outer = std::mem::replace(&mut self.dot, value);
                    let flow = self.nodes(body)?;
                    self.dot = outer;
                    flow
                } else {
                    self.nodes(otherwise)?
                };
                self.variables.truncate(scope);
                return Ok(flow);
            }
            Node::Range(pipeline, body, otherwise) => self.range(pipeline, body, otherwise)?,
            Node::Template(name, given) => self.call(name, given.as_ref())?,
        }
        Ok(Flow::On)
    }

    fn range(&mut self, pipeline: &Pipeline, body: &[Node], otherwise: &[Node]) -> Done<()> {
        let scope = self.variables.len();
        let over = self.commands(pipeline)?;
        let items: Vec<(Value, Value)> = match &over {
            Value::List(items) => (0..).map(Value::Int).zip(items.iter().cloned()).collect(),
            Value::Labels(labels) => {
                labels.iter().map(|(name, value)| (Value::text(name), Value::text(value))).collect()
            }
            Value::Map(items) => {
                items.iter().map(|(name, value)| (Value::text(name), value.clone())).collect()
            }
            Value::Nil => Vec::new(),
            other => {
                let kind = other.type_name();
                return Err(TemplateError::new(format!("range can't iterate over {kind}")));
            }
        };
        if items.is_empty() {
            self.nodes(otherwise)?;
        }
        let outer = self.dot.clone();
        for (key, item) in items {
            self.passes += 1;
            if self.passes > MAX_PASSES {
                return Err(TemplateError::new(format!("more than {MAX_PASSES} passes of range")));
            }
            match &*pipeline.variables {
                [] => {}
                [one] => self.variables.push((one.clone(), item.clone())),
                [first, second, ..] => {
                    self.variables.push((first.clone(), key));
                    self.variables.push((second.clone(), item.clone()));
                }
            }
            self.dot = item;
            let flow = self.nodes(body)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        self.dot = outer;
        Ok(())
    }

    fn call(&mut self, name: &str, given: Option<&Pipeline>) -> Done<()> {
        let Some((_, nodes)) = self.defined.iter().find(|(known, _)| known == name) else {
            return Err(TemplateError::new(format!("template {name:?} not defined")));
        };
        self.calls += 1;
        if self.calls > MAX_CALLS {
            return Err(TemplateError::new(format!(
                "more than {MAX_CALLS} templates in each other"
            )));
        }
        let dot = match given {
            Some(pipeline) => self.pipeline(pipeline)?,
            None => Value::Nil,
        };
        let outer = std::mem::replace(&mut self.dot, dot.clone());
        let variables = std::mem::replace(&mut self.variables, vec![(String::new(), dot)]);
        self.nodes(nodes)?;
        (self.dot, self.variables) = (outer, variables);
        self.calls -= 1;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Done<Value> {
        let value = self.commands(pipeline)?;
        for name in &pipeline.variables {
            if pipeline.assigns {
                let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
                match known {
                    Some((_, place)) => *place = value.clone(),
                    None => return Err(undefined(name)),
                }
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &Pipeline) -> Done<Value> {
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(self.command(command, piped)?);
        }
        Ok(piped.unwrap_or(Value::Nil))
    }

    fn command(&mut self, command: &[Operand], piped: Option<Value>) -> Done<Value> {
        let Some((first, rest)) = command.split_first() else { return Ok(Value::Nil) };
        if let Operand::Function(name) = first {
            if let "and" | "or" = &**name {
                return self.logical(name == "and", rest, piped);
            }
            let mut arguments = Vec::with_capacity(rest.len() + 1);
            for operand in rest {
                arguments.push(self.operand(operand)?);
            }
            arguments.extend(piped);
            return functions::call(name, &arguments, self.data)
                .map_err(|error| TemplateError::new(format!("error calling {name}: {error}")));
        }
        if !rest.is_empty() || piped.is_some() {
            return Err(TemplateError::new("can't give argument to non-function"));
        }
        self.operand(first)
    }

    /// `and` and `or` stop at the first argument that decides.
    fn logical(&mut self, all: bool, rest: &[Operand], piped: Option<Value>) -> Done<Value> {
        let mut last = None;
        for operand in rest {
            let value = self.operand(operand)?;
            if value.is_true() != all {
                return Ok(value);
            }
            last = Some(value);
        }
        piped
            .or(last)
            .ok_or_else(|| TemplateError::new("wrong number of args for and/or: want at least 1"))
    }

    fn operand(&mut self, operand: &Operand) -> Done<Value> {
        let (value, fields) = match operand {
            Operand::Function(name) => {
                return functions::call(name, &[], self.data)
                    .map_err(|error| TemplateError::new(format!("error calling {name}: {error}")));
            }
            Operand::Field(fields) => (self.dot.clone(), fields),
            Operand::Variable(name, fields) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                (known.map(|(_, value)| value.clone()).ok_or_else(|| undefined(name))?, fields)
            }
            Operand::Pipeline(pipeline, fields) => (self.pipeline(pipeline)?, fields),
            Operand::Int(number) => return Ok(Value::Int(*number)),
            Operand::Float(number) => return Ok(Value::Float(*number)),
            Operand::Text(text) => return Ok(Value::text(text)),
            Operand::Bool(value) => return Ok(Value::Bool(*value)),
            Operand::Nil => return Ok(Value::Nil),
        };
        fields.iter().try_fold(value, |value, name| value.field(name))
    }
}

fn undefined(name: &str) -> TemplateError {
    TemplateError::new(format!("undefined variable \"${name}\""))
}
