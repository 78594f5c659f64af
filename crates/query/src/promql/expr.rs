//! The expression tree that is evaluated: names resolved, times in milliseconds, labels sorted.

use std::sync::Arc;

use super::Matcher;
use super::functions::Function;

/// What an expression yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A number.
    Scalar,
    /// A string.
    Text,
    /// One sample per series.
    Vector,
    /// Samples over time per series.
    Matrix,
}

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Number(f64),
    Text(String),
    Instant(Selector),
    Range(Selector, i64),
    Subquery(Subquery),
    Negate(Box<Expr>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Function, Vec<Expr>),
}

#[derive(Debug, Clone)]
pub(super) struct Selector {
    pub(super) matchers: Vec<Matcher>,
    pub(super) time: TimeShift,
}

impl Selector {
    /// Whether it selects series of one name only.
    pub(super) fn has_one_name(&self) -> bool {
        self.matchers.iter().any(Matcher::is_one_name)
    }
}

/// The modifiers `@` and `offset`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TimeShift {
    pub(super) at: Option<At>,
    pub(super) offset: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Start,
    End,
    Time(i64),
}

#[derive(Debug, Clone)]
pub(super) struct Subquery {
    pub(super) inner: Box<Expr>,
    pub(super) range: i64,
    pub(super) step: Option<i64>,
    pub(super) time: TimeShift,
}

#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub(super) op: BinaryOp,
    pub(super) left: Expr,
    pub(super) right: Expr,
    pub(super) matching: Matching,
    pub(super) return_bool: bool,
}

impl Binary {
    /// The vector and the scalar between which the operator stands, and whether the scalar is on its
    /// left; `None` where it stands between two of a kind.
    pub(super) fn with_scalar(&self) -> Option<(&Expr, &Expr, bool)> {
        match (self.left.kind(), self.right.kind()) {
            (ValueKind::Vector, ValueKind::Scalar) => Some((&self.left, &self.right, false)),
            (ValueKind::Scalar, ValueKind::Vector) => Some((&self.right, &self.left, true)),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    pub(super) fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::Less
                | Self::GreaterOrEqual
                | Self::LessOrEqual
        )
    }

    /// True if results keep the metric's name: filters, and `atan2` as Prometheus 2.42 has it.
    pub(super) fn keeps_name(self) -> bool {
        self.is_comparison() || self == Self::Atan2
    }

    pub(super) fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// How the series of two vectors find each other.
#[derive(Debug, Clone)]
pub(super) struct Matching {
    /// `on`: only `labels` count; else all but them count.
    pub(super) on: bool,
    pub(super) labels: Vec<Arc<str>>,
    pub(super) side: Side,
}

/// Which side may have several series per match.
#[derive(Debug, Clone)]
pub(super) enum Side {
    None,
    /// `group_left` with labels taken from the right.
    Left(Vec<Arc<str>>),
    /// `group_right` with labels taken from the left.
    Right(Vec<Arc<str>>),
}

#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub(super) op: AggregateOp,
    pub(super) inner: Expr,
    pub(super) parameter: Option<Expr>,
    /// `without`: all but `labels` count; else only them.
    pub(super) without: bool,
    pub(super) labels: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AggregateOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    Quantile,
    CountValues,
}

impl Expr {
    pub(super) fn kind(&self) -> ValueKind {
        match self {
            Self::Number(_) => ValueKind::Scalar,
            Self::Text(_) => ValueKind::Text,
            Self::Range(..) | Self::Subquery(_) => ValueKind::Matrix,
            Self::Negate(inner) => inner.kind(),
            Self::Binary(binary) => match (binary.left.kind(), binary.right.kind()) {
                (ValueKind::Scalar, ValueKind::Scalar) => ValueKind::Scalar,
                _ => ValueKind::Vector,
            },
            Self::Call(function, _) if function.yields_scalar() => ValueKind::Scalar,
            Self::Instant(_) | Self::Aggregate(_) | Self::Call(..) => ValueKind::Vector,
        }
    }

    /// True if the value is the same at every step.
    ///
    /// Source: Prometheus' `preprocessExprHelper`, which does not look at an aggregation's
    /// parameter: such a parameter is then taken from the first step only.
    pub(super) fn is_step_invariant(&self) -> bool {
        match self {
            Self::Number(_) | Self::Text(_) => true,
            Self::Instant(Selector { time, .. })
            | Self::Range(Selector { time, .. }, _)
            | Self::Subquery(Subquery { time, .. }) => time.at.is_some(),
            Self::Negate(inner) => inner.is_step_invariant(),
            Self::Binary(binary) => {
                binary.left.is_step_invariant() && binary.right.is_step_invariant()
            }
            Self::Aggregate(aggregate) => aggregate.inner.is_step_invariant(),
            Self::Call(function, args) => {
                !function.reads_step_time() && args.iter().all(Self::is_step_invariant)
            }
        }
    }
}
