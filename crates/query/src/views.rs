//! Prometheus' series over what Taffrail keeps: entities with columns, objects with versions, and
//! recording rules that are computed when asked for.
//!
//! Knows no store: [`Columns`] hands out values, [`StateHistory`] records.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::columns::{Columns, ColumnsAsked, EntityRow};
use crate::promql::{
    AnswerValue, Column, Database, Labels, Limits, METRIC_NAME, MatchOp, Matcher, MetricInfo,
    Options, STALE, Select, SelectError, SelectRequest, Selected, SeriesView, parse,
};

mod kube;
mod recorded;
mod shape;
mod state;
mod table;

pub use state::{StateHistory, UnknownStates};

use kube::{Family, Made};
use state::State;
use table::View;

/// Every series that dashboards expect of a cluster.
pub struct Views {
    columns: Arc<dyn Columns>,
    state: Arc<StateHistory>,
    /// Positions in `table` by name.
    by_name: BTreeMap<Arc<str>, Vec<usize>>,
    table: Vec<View>,
    families: BTreeMap<&'static str, Vec<Family>>,
}

impl Views {
    /// Views over these.
    pub fn new(columns: Arc<dyn Columns>, state: Arc<StateHistory>) -> Self {
        let table = table::all();
        let mut by_name: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (at, view) in table.iter().enumerate() {
            by_name.entry(Arc::clone(&view.name)).or_default().push(at);
        }
        let mut families: BTreeMap<&'static str, Vec<Family>> = BTreeMap::new();
        for family in kube::families() {
            families.entry(family.name).or_default().push(*family);
        }
        Self { columns, state, by_name, table, families }
    }

    /// The names that pass the matchers on `__name__`.
    fn names(&self, matchers: &[Matcher]) -> Vec<&str> {
        let on_name: Vec<&Matcher> =
            matchers.iter().filter(|matcher| matcher.name() == METRIC_NAME).collect();
        let passes = |name: &&str| on_name.iter().all(|matcher| matcher.is_match(name));
        let exact = on_name.iter().find(|matcher| matcher.op() == MatchOp::Equal);
        if let Some(exact) = exact {
            return [exact.value()]
                .into_iter()
                .filter_map(|name| self.known(name))
                .filter(passes)
                .collect();
        }
        let rules = recorded::RULES.iter().map(|(name, _)| *name);
        let all = self.by_name.keys().map(|name| &**name).chain(self.families.keys().copied());
        all.chain(rules).filter(passes).collect()
    }

    /// The name as it is kept.
    fn known(&self, name: &str) -> Option<&str> {
        let view = self.by_name.get_key_value(name).map(|(name, _)| &**name);
        let family = || self.families.get_key_value(name).map(|(name, _)| *name);
        let rule = || recorded::RULES.iter().map(|(name, _)| *name).find(|known| *known == name);
        view.or_else(family).or_else(rule)
    }

    fn measured(
        &self,
        view: &View,
        request: &SelectRequest<'_>,
        found: &mut Found<'_>,
    ) -> Result<(), SelectError> {
        let others = request.matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME);
        let Some(plan) = shape::plan(view, others) else { return Ok(()) };
        let mut columns = vec![model::descriptor(view.column).name];
        columns.extend(view.minus.map(|metric| model::descriptor(metric).name));
        let asked = ColumnsAsked {
            kind: view.kind,
            matchers: &plan.stored,
            columns: &columns,
            start: request.start,
            end: request.end,
            max_values: request.max_samples.saturating_sub(found.samples),
            values: request.samples,
        };
        let read = self.columns.read(&asked)?;
        let state = self.state.read();
        let words = shape::Words::new(view);
        // Two pods may mount one claim; else what is stored differs, and so do the series.
        found.begin(view.family != table::Family::Volumes);
        for row in read.rows {
            if request.samples && row.columns.first().is_none_or(Vec::is_empty) {
                continue;
            }
            let Some(labels) = shape::labels(view, &words, &row.labels, &state) else { continue };
            let wanted = |matcher: &&Matcher| matcher.is_match(labels.get(matcher.name()));
            if !plan.late.iter().all(wanted) {
                continue;
            }
            let (timestamps, values) = samples(view, row, &read.times);
            found.put(SeriesView { labels, timestamps, values })?;
        }
        Ok(())
    }

    fn stated(
        &self,
        family: &Family,
        request: &SelectRequest<'_>,
        found: &mut Found<'_>,
    ) -> Result<(), SelectError> {
        let times = if request.samples {
            self.columns.times(request.start, request.end)?
        } else {
            Arc::from([request.end])
        };
        let state = self.state.read();
        let mut gathered = Gathered::new(family, request.matchers, &times);
        gathered.fill(&state, (request.start, request.end));
        found.begin(true);
        for (labels, strip) in gathered.series {
            let (timestamps, values) = strip.samples(&times);
            found.put(SeriesView { labels, timestamps, values })?;
        }
        Ok(())
    }

    /// Evaluates a recording rule at every tick.
    fn recorded(
        &self,
        (name, expression): (&str, &str),
        request: &SelectRequest<'_>,
        found: &mut Found<'_>,
    ) -> Result<(), SelectError> {
        let failed =
            |error: crate::promql::QueryError| SelectError::Failed(format!("{name}: {error}"));
        let times = self.columns.times(request.start, request.end)?;
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(()) };
        let step = times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(1).max(1);
        let limits = Limits {
            samples: request.max_samples.saturating_sub(found.samples),
            steps: usize::MAX,
            ..Limits::default()
        };
        let query = parse(expression, &limits).map_err(failed)?;
        let options = Options { limits, ..Options::default() };
        let answer =
            query.range(self, (*first, *last, step), &options, &|| false).map_err(failed)?;
        let AnswerValue::Matrix(series) = answer.value else { return Ok(()) };
        found.begin(true);
        for one in series {
            let labels = one.labels.with(METRIC_NAME, name);
            let wanted = |matcher: &Matcher| matcher.is_match(labels.get(matcher.name()));
            if !request.matchers.iter().all(wanted) {
                continue;
            }
            let (timestamps, values): (Vec<i64>, Vec<f64>) = one.samples.into_iter().unzip();
            let timestamps = Column::Owned(timestamps);
            found.put(SeriesView { labels, timestamps, values: Column::Owned(values) })?;
        }
        Ok(())
    }
}

impl Select for Views {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        let mut found = Found::new(request);
        for name in self.names(request.matchers) {
            for at in self.by_name.get(name).into_iter().flatten() {
                self.measured(&self.table[*at], request, &mut found)?;
            }
            for family in self.families.get(name).into_iter().flatten() {
                self.stated(family, request, &mut found)?;
            }
            if let Some(rule) = recorded::RULES.iter().find(|(known, _)| *known == name) {
                self.recorded(*rule, request, &mut found)?;
            }
        }
        Ok(Selected { series: found.series, warnings: Vec::new() })
    }
}

impl Database for Views {
    fn metrics(&self) -> Vec<MetricInfo> {
        let kind = |counter: bool| if counter { "counter" } else { "gauge" };
        let views = self.by_name.iter().filter_map(|(name, at)| {
            let view = self.table.get(*at.first()?)?;
            let (name, help) = (Arc::clone(name), view.help.into());
            Some(MetricInfo { name, kind: kind(view.counter), help })
        });
        let families = self.families.iter().filter_map(|(name, all)| {
            let help = all.first()?.help.into();
            Some(MetricInfo { name: (*name).into(), kind: kind(name.ends_with("_total")), help })
        });
        let rules = recorded::RULES.iter().map(|(name, expression)| {
            let help = format!("Recording rule: {expression}").into();
            MetricInfo { name: (*name).into(), kind: "gauge", help }
        });
        let mut all: Vec<MetricInfo> = views.chain(families).chain(rules).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

/// Series that were found so far, each labels once.
struct Found<'a> {
    series: Vec<SeriesView<'a>>,
    /// Labels of all series; none while no labels can repeat.
    known: Option<HashSet<Labels, foldhash::fast::RandomState>>,
    samples: usize,
    max_series: usize,
    max_samples: usize,
}

impl<'a> Found<'a> {
    fn new(request: &SelectRequest<'_>) -> Self {
        let (max_series, max_samples) = (request.max_series, request.max_samples);
        Self { series: Vec::new(), known: None, samples: 0, max_series, max_samples }
    }

    /// Before the series of one source; `distinct` when no two of them have the same labels.
    fn begin(&mut self, distinct: bool) {
        if self.known.is_none() && !(distinct && self.series.is_empty()) {
            self.known = Some(self.series.iter().map(|series| series.labels.clone()).collect());
        }
    }

    /// Takes a series; of two with the same labels (a claim that two pods mount) the first.
    fn put(&mut self, series: SeriesView<'a>) -> Result<(), SelectError> {
        if let Some(known) = &mut self.known
            && !known.insert(series.labels.clone())
        {
            return Ok(());
        }
        if self.series.len() >= self.max_series {
            return Err(SelectError::TooMany { what: "series", limit: self.max_series });
        }
        self.samples += series.timestamps.len();
        if self.samples > self.max_samples {
            return Err(SelectError::TooMany { what: "samples", limit: self.max_samples });
        }
        self.series.push(series);
        Ok(())
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

/// Values at some of all ticks, one after the other.
struct Strip {
    /// The tick of the first.
    start: usize,
    values: Vec<f64>,
}

impl Strip {
    /// Puts `value` at these ticks, and nothing at those between them and what is there.
    fn put(&mut self, value: f64, ticks: std::ops::Range<usize>) {
        let missing = self.start.saturating_sub(ticks.start);
        if missing > 0 {
            self.values.splice(..0, std::iter::repeat_n(STALE, missing));
            self.start = ticks.start;
        }
        let (from, to) = (ticks.start - self.start, ticks.end - self.start);
        if to > self.values.len() {
            self.values.resize(to, STALE);
        }
        self.values.get_mut(from..to).into_iter().flatten().for_each(|place| *place = value);
    }

    /// As a series among `times`.
    fn samples<'a>(mut self, times: &Arc<[i64]>) -> (Column<'a, i64>, Column<'a, f64>) {
        if self.start + self.values.len() < times.len() && !self.values.is_empty() {
            // There are later ticks and it is in none of them.
            self.values.push(STALE);
        }
        let times = Column::Part(Arc::clone(times), self.start, self.values.len());
        (times, Column::Owned(self.values))
    }
}

/// Series of one family while versions are read.
struct Gathered<'g> {
    family: &'g Family,
    matchers: &'g [Matcher],
    times: &'g [i64],
    series: HashMap<Labels, Strip, foldhash::fast::RandomState>,
    words: SharedWords,
}

/// Names and values of labels, each once: most series share most of theirs.
#[derive(Default)]
struct SharedWords(HashSet<Arc<str>, foldhash::fast::RandomState>);

impl SharedWords {
    fn shared(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.0.get(word) {
            return Arc::clone(known);
        }
        let word: Arc<str> = word.into();
        self.0.insert(Arc::clone(&word));
        word
    }
}

impl<'g> Gathered<'g> {
    fn new(family: &'g Family, matchers: &'g [Matcher], times: &'g [i64]) -> Self {
        let (series, words) = (HashMap::default(), SharedWords::default());
        Self { family, matchers, times, series, words }
    }

    /// Whether an object of this namespace and name may have series that pass.
    fn may(&self, pairs: &[(&str, &str)]) -> bool {
        self.matchers.iter().all(|matcher| {
            pairs.iter().all(|(name, value)| *name != matcher.name() || matcher.is_match(value))
        })
    }

    fn fill(&mut self, state: &State, (start, end): (i64, i64)) {
        match self.family.made {
            Made::Pod(made) => self.each(
                state.pods.versions(start, end),
                |pod| [("namespace", &pod.namespace), ("pod", &pod.name)],
                |pod, put| made(pod, state, put),
            ),
            Made::Node(made) => {
                let nodes = state.nodes.versions(start, end);
                self.each(nodes, |node| [("node", &node.name)], made);
            }
            Made::Namespace(made) => {
                let namespaces = state.namespaces.versions(start, end);
                self.each(namespaces, |one| [("namespace", &one.name)], made);
            }
            Made::Workload(kind, made) => {
                let workloads = state.workloads.versions(start, end);
                let of_kind = workloads.filter(|version| *version.record.kind == *kind);
                self.each(of_kind, |one| [("namespace", &one.namespace)], made);
            }
            Made::Claim(made) => {
                let claims = state.claims.versions(start, end);
                self.each(claims, |claim| [("namespace", &claim.namespace)], made);
            }
            Made::Volume(made) => {
                let volumes = state.volumes.versions(start, end);
                self.each(volumes, |volume| [("persistentvolume", &volume.name)], made);
            }
            Made::Autoscaler(made) => self.each(
                state.autoscalers.versions(start, end),
                |one| [("namespace", &one.namespace), ("horizontalpodautoscaler", &one.name)],
                made,
            ),
            Made::Quota(made) => self.each(
                state.quotas.versions(start, end),
                |quota| [("namespace", &quota.namespace), ("resourcequota", &quota.name)],
                made,
            ),
            Made::Up(made) => {
                let targets = state.targets.versions(start, end);
                self.each(targets, |up| [("node", &up.node)], made);
            }
        }
    }

    /// Puts the series of those versions whose `own` labels may pass.
    fn each<'s, T: 's, const OWN: usize>(
        &mut self,
        versions: impl Iterator<Item = &'s state::Version<T>>,
        own: impl Fn(&'s T) -> [(&'static str, &'s str); OWN],
        made: impl Fn(&T, &mut kube::Put<'_>),
    ) {
        for version in versions {
            if self.may(&own(&version.record)) {
                let ticks = self.ticks(version);
                made(&version.record, &mut |labels, value| self.put(labels, value, &ticks));
            }
        }
    }

    /// Positions of the ticks at which a version held.
    fn ticks<T>(&self, version: &state::Version<T>) -> std::ops::Range<usize> {
        let from =
            if self.family.lasting { version.created.min(version.from) } else { version.from };
        let first = self.times.partition_point(|time| *time < from);
        let last = self.times.partition_point(|time| *time < version.until);
        first..last.max(first)
    }

    fn put(&mut self, labels: &[(&str, &str)], value: f64, ticks: &std::ops::Range<usize>) {
        if ticks.is_empty() {
            return;
        }
        let family = self.family;
        let own = [(METRIC_NAME, family.name), ("job", family.job)];
        let find = |name: &str| {
            let mut all = labels
                .iter()
                .chain(&own)
                .filter(|(known, value)| *known == name && !value.is_empty());
            all.next().map_or("", |(_, value)| value)
        };
        if !self.matchers.iter().all(|matcher| matcher.is_match(find(matcher.name()))) {
            return;
        }
        let own = own.iter().filter(|(_, value)| !value.is_empty());
        let words = &mut self.words;
        let all = labels.iter().chain(own);
        let labels =
            Labels::new(all.map(|(name, value)| (words.shared(name), words.shared(value))));
        let begun = || Strip { start: ticks.start, values: Vec::new() };
        self.series.entry(labels).or_insert_with(begun).put(value, ticks.clone());
    }
}
