//! From pieces to a tree: pipelines, blocks and what belongs to them.

use super::TemplateError;
use super::lex::{Piece, Token};

/// Deepest nesting of blocks and brackets.
const MAX_DEPTH: usize = 32;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Action(Pipeline),
    If(Pipeline, Vec<Node>, Vec<Node>),
    With(Pipeline, Vec<Node>, Vec<Node>),
    Range(Pipeline, Vec<Node>, Vec<Node>),
    Template(String, Option<Pipeline>),
    Break,
    Continue,
}

/// Commands joined by `|`, and the variables that get the result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Function(String),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Pipeline(Box<Pipeline>, Vec<String>),
    Int(i64),
    Float(f64),
    Text(String),
    Bool(bool),
    Nil,
}

type Parsed<T> = Result<T, TemplateError>;
/// A block's nodes and the word that ended it with the tokens behind that word.
type Block = (Vec<Node>, Option<(String, Vec<Token>)>);

#[expect(clippy::type_complexity, reason = "the nodes, and those of every defined template")]
pub(super) fn parse(pieces: Vec<Piece>) -> Parsed<(Vec<Node>, Vec<(String, Vec<Node>)>)> {
    let mut parser = Parser { pieces: pieces.into_iter(), defined: Vec::new(), depth: 0 };
    let (nodes, end) = parser.block()?;
    match end {
        None => Ok((nodes, parser.defined)),
        Some((word, _)) => Err(TemplateError::new(format!("unexpected {{{{{word}}}}}"))),
    }
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    defined: Vec<(String, Vec<Node>)>,
    depth: usize,
}

impl Parser {
    fn block(&mut self) -> Parsed<Block> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let mut tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            let word = match tokens.first() {
                Some(Token::Word(word)) => word.clone(),
                _ => String::new(),
            };
            match &*word {
                "end" | "else" => return Ok((nodes, Some((word, tokens.split_off(1))))),
                "if" | "with" | "range" => {
                    let node = self.control(&word, tokens.split_off(1))?;
                    nodes.push(node);
                }
                "define" => self.define(&tokens)?,
                "template" => nodes.push(template(&mut tokens)?),
                "break" => nodes.push(Node::Break),
                "continue" => nodes.push(Node::Continue),
                "block" => return Err(TemplateError::new("block is not supported: use define")),
                _ => nodes.push(Node::Action(pipeline(tokens)?)),
            }
        }
        Ok((nodes, None))
    }

    fn control(&mut self, word: &str, tokens: Vec<Token>) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TemplateError::new(format!("nested deeper than {MAX_DEPTH}")));
        }
        let pipeline = pipeline(tokens)?;
        let (body, end) = self.block()?;
        let otherwise = match end {
            None => return Err(TemplateError::new("unexpected EOF: no {{end}}")),
            Some((end, _)) if end == "end" => Vec::new(),
            Some((_, mut rest)) => match rest.first() {
                Some(Token::Word(next)) if matches!(&**next, "if" | "with") => {
                    let next = next.clone();
                    vec![self.control(&next, rest.split_off(1))?]
                }
                _ => match self.block()? {
                    (nodes, Some((end, _))) if end == "end" => nodes,
                    _ => return Err(TemplateError::new("expected {{end}} after {{else}}")),
                },
            },
        };
        self.depth -= 1;
        Ok(match word {
            "if" => Node::If(pipeline, body, otherwise),
            "with" => Node::With(pipeline, body, otherwise),
            _ => Node::Range(pipeline, body, otherwise),
        })
    }

    fn define(&mut self, tokens: &[Token]) -> Parsed<()> {
        let [_, Token::Text(name)] = tokens else {
            return Err(TemplateError::new("define takes one quoted name"));
        };
        match self.block()? {
            (nodes, Some((end, _))) if end == "end" => self.defined.push((name.clone(), nodes)),
            _ => return Err(TemplateError::new(format!("no {{{{end}}}} of define {name:?}"))),
        }
        Ok(())
    }
}

fn template(tokens: &mut Vec<Token>) -> Parsed<Node> {
    let Some(Token::Text(name)) = tokens.get(1).cloned() else {
        return Err(TemplateError::new("template takes a quoted name"));
    };
    let rest = tokens.split_off(2);
    let given = if rest.is_empty() { None } else { Some(pipeline(rest)?) };
    Ok(Node::Template(name, given))
}

fn pipeline(tokens: Vec<Token>) -> Parsed<Pipeline> {
    let mut tokens = tokens.into_iter().peekable();
    let parsed = pipeline_of(&mut tokens, 0)?;
    match tokens.next() {
        None => Ok(parsed),
        Some(_) => Err(TemplateError::new("unexpected right paren")),
    }
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;

fn pipeline_of(tokens: &mut Tokens, depth: usize) -> Parsed<Pipeline> {
    if depth > MAX_DEPTH {
        return Err(TemplateError::new(format!("nested deeper than {MAX_DEPTH}")));
    }
    let (variables, assigns) = declared(tokens)?;
    let mut commands = vec![Vec::new()];
    while let Some(token) = tokens.next_if(|token| *token != Token::Close) {
        let operand = match token {
            Token::Pipe => {
                if commands.last().is_none_or(Vec::is_empty) {
                    return Err(TemplateError::new("missing value before |"));
                }
                commands.push(Vec::new());
                continue;
            }
            Token::Word(word) => match &*word {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "nil" => Operand::Nil,
                _ if super::functions::is_known(&word) => Operand::Function(word),
                _ => return Err(TemplateError::new(format!("function {word:?} not defined"))),
            },
            Token::Field(fields) => Operand::Field(fields),
            Token::Variable(name, fields) => Operand::Variable(name, fields),
            Token::Int(number) => Operand::Int(number),
            Token::Float(number) => Operand::Float(number),
            Token::Text(text) => Operand::Text(text),
            Token::Open => {
                let inner = pipeline_of(tokens, depth + 1)?;
                if tokens.next() != Some(Token::Close) {
                    return Err(TemplateError::new("unclosed left paren"));
                }
                let fields = match tokens.next_if(|token| matches!(token, Token::Chain(_))) {
                    Some(Token::Chain(fields)) => fields,
                    _ => Vec::new(),
                };
                Operand::Pipeline(Box::new(inner), fields)
            }
            Token::Close | Token::Chain(_) | Token::Comma | Token::Declare | Token::Assign => {
                return Err(TemplateError::new("unexpected token in a pipeline"));
            }
        };
        if let Some(command) = commands.last_mut() {
            command.push(operand);
        }
    }
    if commands.last().is_none_or(Vec::is_empty) {
        return Err(TemplateError::new("missing value for command"));
    }
    Ok(Pipeline { variables, assigns, commands })
}

/// `$a :=`, `$a, $b :=` or `$a =` at the beginning.
fn declared(tokens: &mut Tokens) -> Parsed<(Vec<String>, bool)> {
    let mut ahead = tokens.clone();
    let mut names = Vec::new();
    loop {
        match ahead.next() {
            Some(Token::Variable(name, fields)) if fields.is_empty() => names.push(name),
            _ => return Ok((Vec::new(), false)),
        }
        match ahead.next() {
            Some(Token::Comma) => {}
            Some(end @ (Token::Declare | Token::Assign)) => {
                if names.len() > 2 {
                    return Err(TemplateError::new("too many declarations"));
                }
                *tokens = ahead;
                return Ok((names, end == Token::Assign));
            }
            _ => return Ok((Vec::new(), false)),
        }
    }
}
