//! From `promql-parser`'s tree to ours; refuses what Prometheus 2.42 does not have.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use promql_parser::label::{Labels as Names, Matchers};
use promql_parser::parser::{
    self as grammar, AtModifier, LabelModifier, Offset, VectorMatchCardinality,
};

use super::Matcher;
use super::expr::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Expr, Matching, Selector, Side, Subquery,
    TimeShift,
};
use super::functions::Function;
use super::labels::METRIC_NAME;

/// Why a parsed expression is refused.
pub(super) enum Refusal {
    TooDeep,
    /// `name` is the word in the text that is not supported.
    Unsupported {
        name: String,
        reason: String,
    },
}

fn unsupported(name: &str, reason: impl Into<String>) -> Refusal {
    Refusal::Unsupported { name: name.to_owned(), reason: reason.into() }
}

/// Translates an expression nested at most `depth` deep.
pub(super) fn lower(expr: &grammar::Expr, depth: usize) -> Result<Expr, Refusal> {
    let Some(depth) = depth.checked_sub(1) else { return Err(Refusal::TooDeep) };
    match expr {
        grammar::Expr::Paren(paren) => lower(&paren.expr, depth),
        grammar::Expr::NumberLiteral(number) => Ok(Expr::Number(number.val)),
        grammar::Expr::StringLiteral(text) => Ok(Expr::Text(text.val.clone())),
        grammar::Expr::Unary(unary) => Ok(Expr::Negate(Box::new(lower(&unary.expr, depth)?))),
        grammar::Expr::VectorSelector(vector) => Ok(Expr::Instant(selector(vector)?)),
        grammar::Expr::MatrixSelector(matrix) => {
            Ok(Expr::Range(selector(&matrix.vs)?, milliseconds(matrix.range)))
        }
        grammar::Expr::Subquery(subquery) => Ok(Expr::Subquery(Subquery {
            inner: Box::new(lower(&subquery.expr, depth)?),
            range: milliseconds(subquery.range),
            step: subquery.step.map(milliseconds).filter(|step| *step > 0),
            time: time_shift(subquery.at.as_ref(), subquery.offset.as_ref())?,
        })),
        grammar::Expr::Call(call) => {
            let name = call.func.name;
            let function = Function::by_name(name)
                .ok_or_else(|| unsupported(name, format!("unknown function with name {name:?}")))?;
            let args: Result<Vec<Expr>, Refusal> =
                call.args.args.iter().map(|arg| lower(arg, depth)).collect();
            Ok(Expr::Call(function, args?))
        }
        grammar::Expr::Aggregate(aggregate) => lower_aggregate(aggregate, depth),
        grammar::Expr::Binary(binary) => lower_binary(binary, depth),
        grammar::Expr::Extension(_) => Err(unsupported("", "extensions are not supported")),
    }
}

fn lower_aggregate(aggregate: &grammar::AggregateExpr, depth: usize) -> Result<Expr, Refusal> {
    let name = aggregate.op.to_string();
    let op = match name.as_str() {
        "sum" => AggregateOp::Sum,
        "avg" => AggregateOp::Avg,
        "min" => AggregateOp::Min,
        "max" => AggregateOp::Max,
        "count" => AggregateOp::Count,
        "group" => AggregateOp::Group,
        "stddev" => AggregateOp::Stddev,
        "stdvar" => AggregateOp::Stdvar,
        "topk" => AggregateOp::Topk,
        "bottomk" => AggregateOp::Bottomk,
        "quantile" => AggregateOp::Quantile,
        "count_values" => AggregateOp::CountValues,
        _ => return Err(unsupported(&name, format!("unknown aggregation {name:?}"))),
    };
    let (without, labels) = match &aggregate.modifier {
        None => (false, Vec::new()),
        Some(LabelModifier::Include(labels)) => (false, names(labels)),
        Some(LabelModifier::Exclude(labels)) => (true, names(labels)),
    };
    let parameter = aggregate.param.as_ref().map(|param| lower(param, depth)).transpose()?;
    let inner = lower(&aggregate.expr, depth)?;
    Ok(Expr::Aggregate(Box::new(Aggregate { op, inner, parameter, without, labels })))
}

fn lower_binary(binary: &grammar::BinaryExpr, depth: usize) -> Result<Expr, Refusal> {
    let name = binary.op.to_string();
    let op = match name.as_str() {
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Subtract,
        "*" => BinaryOp::Multiply,
        "/" => BinaryOp::Divide,
        "%" => BinaryOp::Modulo,
        "^" => BinaryOp::Power,
        "atan2" => BinaryOp::Atan2,
        "==" => BinaryOp::Equal,
        "!=" => BinaryOp::NotEqual,
        ">" => BinaryOp::Greater,
        "<" => BinaryOp::Less,
        ">=" => BinaryOp::GreaterOrEqual,
        "<=" => BinaryOp::LessOrEqual,
        "and" => BinaryOp::And,
        "or" => BinaryOp::Or,
        "unless" => BinaryOp::Unless,
        _ => return Err(unsupported(&name, format!("unknown operator {name:?}"))),
    };
    let mut matching = Matching { on: false, labels: Vec::new(), side: Side::None };
    let mut return_bool = false;
    if let Some(modifier) = &binary.modifier {
        return_bool = modifier.return_bool;
        if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
            return Err(unsupported("fill", "fill modifiers are not supported"));
        }
        if let Some(labels) = &modifier.matching {
            matching.on = labels.is_include();
            matching.labels = names(labels.labels());
        }
        matching.side = match &modifier.card {
            VectorMatchCardinality::ManyToOne(labels) => Side::Left(names(labels)),
            VectorMatchCardinality::OneToMany(labels) => Side::Right(names(labels)),
            _ => Side::None,
        };
    }
    let left = lower(&binary.lhs, depth)?;
    let right = lower(&binary.rhs, depth)?;
    Ok(Expr::Binary(Box::new(Binary { op, left, right, matching, return_bool })))
}

fn selector(vector: &grammar::VectorSelector) -> Result<Selector, Refusal> {
    let Matchers { matchers, or_matchers } = &vector.matchers;
    if !or_matchers.is_empty() {
        return Err(unsupported("or", "alternatives of matchers are not supported"));
    }
    let name = vector.name.as_ref().map(|name| Matcher::equal(METRIC_NAME, name));
    let matchers = name.into_iter().chain(matchers.iter().map(Matcher::from_parser)).collect();
    Ok(Selector { matchers, time: time_shift(vector.at.as_ref(), vector.offset.as_ref())? })
}

fn time_shift(at: Option<&AtModifier>, offset: Option<&Offset>) -> Result<TimeShift, Refusal> {
    let at = match at {
        None => None,
        Some(AtModifier::Start) => Some(At::Start),
        Some(AtModifier::End) => Some(At::End),
        Some(AtModifier::At(time)) => {
            let since = time.duration_since(SystemTime::UNIX_EPOCH);
            let at = match since {
                Ok(after) => i64::try_from(after.as_millis()),
                Err(error) => i64::try_from(error.duration().as_millis()).map(|before| -before),
            };
            let at = at.ok().filter(|at| at.unsigned_abs() < 1 << 60);
            let at =
                at.ok_or_else(|| unsupported("@", "timestamp out of bounds for @ modifier"))?;
            Some(At::Time(at))
        }
    };
    let offset = match offset {
        None => 0,
        Some(Offset::Pos(offset)) => milliseconds(*offset),
        Some(Offset::Neg(offset)) => -milliseconds(*offset),
    };
    Ok(TimeShift { at, offset })
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(1 << 60)
}

fn names(labels: &Names) -> Vec<Arc<str>> {
    labels.labels.iter().map(|name| Arc::from(name.as_str())).collect()
}
