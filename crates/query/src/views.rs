//! Prometheus' series over what Taffrail keeps: entities with columns, objects with versions, and
//! recording rules that are computed when asked for.
//!
//! Knows no store: [`Columns`] hands out values, [`StateHistory`] records.

use std::collections::HashMap;
use std::sync::Arc;

use model::Pairs;

use crate::columns::{Columns, ColumnsAsked, EntityRow};
use crate::promql::{
    AnswerValue, Column, Database, Limits, METRIC_NAME, MatchOp, Matcher, MetricInfo, Options,
    RangeSeries, STALE, Select, SelectError, SelectRequest, Selected, SeriesView, parse,
};

mod ahead;
mod found;
mod gathered;
mod kept;
mod kube;
mod recorded;
mod shape;
mod state;
mod table;

pub use state::{StateHistory, UnknownStates};

use ahead::find_ahead;
use found::{Found, Strip};
use gathered::Gathered;
use kept::Kept;
use kube::Family;
use shape::{Plan, Words};
use table::View;

/// Every series that dashboards expect of a cluster.
pub struct Views {
    columns: Arc<dyn Columns>,
    state: Arc<StateHistory>,
    names: HashMap<Arc<str>, Named, foldhash::fast::RandomState>,
    kept: Kept,
}

/// What has series of one name.
#[derive(Default)]
struct Named {
    views: Vec<(View, Words)>,
    families: Vec<Family>,
    rule: Option<Rule>,
}

/// A recording rule's name and expression.
type Rule = (&'static str, &'static str);

impl Views {
    /// Views over these.
    pub fn new(columns: Arc<dyn Columns>, state: Arc<StateHistory>) -> Self {
        let mut names: HashMap<Arc<str>, Named, foldhash::fast::RandomState> = HashMap::default();
        for view in table::all() {
            let words = Words::new(&view);
            names.entry(Arc::clone(&view.name)).or_default().views.push((view, words));
        }
        for family in kube::families() {
            names.entry(family.name.into()).or_default().families.push(*family);
        }
        for rule in recorded::RULES {
            names.entry(rule.0.into()).or_default().rule = Some(*rule);
        }
        Self { columns, state, names, kept: Kept::default() }
    }

    /// What has the names that pass the matchers on `__name__`.
    fn named(&self, matchers: &[Matcher]) -> Vec<&Named> {
        let on_name = || matchers.iter().filter(|matcher| matcher.name() == METRIC_NAME);
        let passes = |name: &str| on_name().all(|matcher| matcher.is_match(name));
        if let Some(exact) = on_name().find(|matcher| matcher.op() == MatchOp::Equal) {
            let known = self.names.get(exact.value());
            return known.filter(|_| passes(exact.value())).into_iter().collect();
        }
        let mut all: Vec<_> = self.names.iter().filter(|(name, _)| passes(name)).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all.into_iter().map(|(_, named)| named).collect()
    }

    /// What may have series that pass.
    fn sources<'s>(&'s self, matchers: &'s [Matcher]) -> Vec<Source<'s>> {
        let mut sources = Vec::new();
        for named in self.named(matchers) {
            for view in &named.views {
                let others = matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME);
                let plan = shape::plan(&view.0, others, &self.state);
                sources.extend(plan.map(|plan| Source::Measured(view, plan)));
            }
            let families = named.families.iter();
            let families = families.filter(|family| gathered::may_pass(family, matchers));
            sources.extend(families.map(Source::Stated));
            sources.extend(named.rule.map(Source::Recorded));
        }
        sources
    }

    fn find(
        &self,
        request: &SelectRequest<'_>,
        take: &mut dyn FnMut(SeriesView<'static>) -> bool,
    ) -> Result<(), SelectError> {
        let sources = self.sources(request.matchers);
        if sources.is_empty() {
            return Ok(());
        }
        let Some((start, end)) = self.needed(&sources, request)? else { return Ok(()) };
        let distinct = are_distinct(&sources);
        // What is the same is told by all labels.
        let labels = request.labels.filter(|_| distinct);
        let request = &SelectRequest { start, end, labels, ..*request };
        let mut found = Found::new(request, distinct, take);
        for source in &sources {
            match source {
                Source::Measured(view, plan) => self.measured((view, plan), request, &mut found),
                Source::Stated(family) => self.stated(family, request, &mut found),
                Source::Recorded(rule) => self.recorded(*rule, request, &mut found),
            }?;
        }
        Ok(())
    }

    /// The time that has to be read: a series that is not there at the newest tick has ended, so
    /// that whoever looks at newest samples needs no other. `None` where there is no tick.
    fn needed(
        &self,
        sources: &[Source<'_>],
        request: &SelectRequest<'_>,
    ) -> Result<Option<(i64, i64)>, SelectError> {
        let (start, end) = (request.start, request.end);
        // What was measured is found with its newest tick.
        let measured = sources.iter().all(|source| matches!(source, Source::Measured(..)));
        if !request.newest || measured {
            return Ok(Some((start, end)));
        }
        Ok(self.columns.newest(start, end)?.map(|tick| (tick, tick)))
    }

    /// The ticks of a request.
    fn ticks(&self, request: &SelectRequest<'_>) -> Result<Arc<[i64]>, SelectError> {
        if request.newest {
            return Ok(Arc::from([request.end]));
        }
        self.columns.times(request.start, request.end)
    }

    fn measured(
        &self,
        ((view, words), plan): (&(View, Words), &Plan<'_>),
        request: &SelectRequest<'_>,
        found: &mut Found<'_>,
    ) -> Result<(), SelectError> {
        let first = model::descriptor(view.column).name;
        let second = view.minus.map(|metric| model::descriptor(metric).name);
        let columns = [first, second.unwrap_or_default()];
        let wanted = |stored: &Pairs| shape::is_of_claim(stored, &self.state);
        let asked = ColumnsAsked {
            kind: view.kind,
            matchers: &plan.stored,
            columns: if second.is_some() { &columns } else { &columns[..1] },
            start: request.start,
            end: request.end,
            max_values: found.samples_left(),
            values: request.samples,
            newest: request.newest,
            wanted: (view.family == table::Family::Volumes).then_some(&wanted),
        };
        let names = request.labels.filter(|_| plan.late.is_empty());
        let mut outcome = Ok(true);
        self.columns.read(&asked, &mut |times, row| {
            if request.samples && row.columns.first().is_none_or(Vec::is_empty) {
                return true;
            }
            let labels = shape::labels((view, words), &row.labels, names, &self.state);
            let Some(labels) = labels else { return true };
            let wanted = |matcher: &&Matcher| matcher.is_match(labels.get(matcher.name()));
            if plan.late.iter().all(wanted) {
                let (timestamps, values) = samples(view, row, times);
                outcome = found.put(SeriesView { labels, timestamps, values });
            }
            matches!(outcome, Ok(true))
        })?;
        outcome.map(drop)
    }

    fn stated(
        &self,
        family: &Family,
        request: &SelectRequest<'_>,
        found: &mut Found<'_>,
    ) -> Result<(), SelectError> {
        let times = if request.samples { self.ticks(request)? } else { Arc::from([request.end]) };
        let range = (request.start, request.end);
        Gathered::new(family, request, &times, found).fill(&self.state.read(), range)
    }

    /// A recording rule's series at every tick; those that nobody asked for before are computed.
    fn recorded(
        &self,
        (name, expression): Rule,
        request: &SelectRequest<'_>,
        found: &mut Found<'_>,
    ) -> Result<(), SelectError> {
        let times = self.ticks(request)?;
        let mut computed = self.kept.of(name);
        let missing = computed.missing(&times);
        for run in &missing {
            let ticks = &times[run.clone()];
            let matrix = self.computed((name, expression), ticks, found.samples_left())?;
            computed = Arc::new(computed.with(ticks, matrix));
        }
        if !missing.is_empty() {
            self.kept.put(name, &computed);
        }
        for (labels, strip) in computed.strips(&times) {
            let labels = labels.with(METRIC_NAME, name);
            let wanted = |matcher: &Matcher| matcher.is_match(labels.get(matcher.name()));
            if !request.matchers.iter().all(wanted) {
                continue;
            }
            let (timestamps, values) = strip.samples(&times);
            if !found.put(SeriesView { labels, timestamps, values })? {
                break;
            }
        }
        Ok(())
    }

    /// What a recording rule gives at `ticks`, between which there is one step.
    fn computed(
        &self,
        (name, expression): (&str, &str),
        ticks: &[i64],
        samples: usize,
    ) -> Result<Vec<RangeSeries>, SelectError> {
        let failed =
            |error: crate::promql::QueryError| SelectError::Failed(format!("{name}: {error}"));
        let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else {
            return Ok(Vec::new());
        };
        let step = ticks.get(1).map_or(1, |second| second - first);
        let limits = Limits { samples, steps: usize::MAX, ..Limits::default() };
        let query = parse(expression, &limits).map_err(failed)?;
        let options = Options { limits, ..Options::default() };
        let answer = query.range(self, (*first, *last, step), &options, &|| false);
        match answer.map_err(failed)?.value {
            AnswerValue::Matrix(series) => Ok(series),
            _ => Ok(Vec::new()),
        }
    }
}

/// Where series of a request come from.
enum Source<'s> {
    Measured(&'s (View, Words), Plan<'s>),
    Stated(&'s Family),
    Recorded(Rule),
}

/// Whether no two series have the same labels. Two pods may mount one claim; else what is stored
/// differs, and so do the series of one source. Of cAdvisor's, those of different kinds do too.
fn are_distinct(sources: &[Source<'_>]) -> bool {
    let view = |source: &Source<'_>| match source {
        Source::Measured((view, _), _) => Some((view.family, view.kind)),
        Source::Stated(_) | Source::Recorded(_) => None,
    };
    if let [] | [_] = sources {
        return !sources.iter().any(|one| matches!(view(one), Some((table::Family::Volumes, _))));
    }
    let differs = |at: usize| sources[..at].iter().all(|one| view(one) != view(&sources[at]));
    sources.iter().all(|one| matches!(view(one), Some((table::Family::Cadvisor, _))))
        && (1..sources.len()).all(differs)
}

impl Select for Views {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        let mut series = Vec::new();
        self.find(request, &mut |one| {
            series.push(one);
            true
        })?;
        Ok(Selected { series, warnings: Vec::new() })
    }

    fn select_each(
        &self,
        request: &SelectRequest<'_>,
        take: &mut dyn FnMut(SeriesView<'_>) -> bool,
    ) -> Result<Vec<String>, SelectError> {
        if request.ahead {
            find_ahead(|take| self.find(request, take), take)?;
        } else {
            self.find(request, &mut |one| take(one))?;
        }
        Ok(Vec::new())
    }
}

impl Database for Views {
    fn metrics(&self) -> Vec<MetricInfo> {
        let kind = |counter: bool| if counter { "counter" } else { "gauge" };
        let told = |(name, named): (&Arc<str>, &Named)| {
            let (is_counter, help) = match (named.views.first(), named.families.first()) {
                (Some((view, _)), _) => (view.counter, view.help.into()),
                (None, Some(family)) => (name.ends_with("_total"), family.help.into()),
                (None, None) => {
                    let (_, expression) = named.rule?;
                    (false, format!("Recording rule: {expression}").into())
                }
            };
            Some(MetricInfo { name: Arc::clone(name), kind: kind(is_counter), help })
        };
        let mut all: Vec<MetricInfo> = self.names.iter().filter_map(told).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

/// A row's samples: the first column in base units; where it has a gap the series ends.
fn samples<'a>(
    view: &View,
    row: EntityRow,
    times: &Arc<[i64]>,
) -> (Column<'a, i64>, Column<'a, f64>) {
    let mut columns = row.columns.into_iter();
    let mut values = columns.next().unwrap_or_default();
    let minus = columns.next();
    if view.minus.is_some() {
        let minus = minus.unwrap_or_default();
        for (at, value) in values.iter_mut().enumerate() {
            *value -= minus.get(at).copied().unwrap_or(f64::NAN);
        }
    }
    for value in &mut values {
        *value = if value.is_nan() { STALE } else { *value / view.per };
    }
    Strip { start: row.start, values }.samples(times)
}
