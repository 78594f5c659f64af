//! Series of a family of objects, made from the versions of one object after the other.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::found::{Found, Strip, is_looked_at};
use super::kube::{Family, Made, Put};
use super::state::{Objects, State, Version};
use crate::promql::{Labels, METRIC_NAME, Matcher, SelectError, SelectRequest, SeriesView};

/// Series of one family while versions are read.
pub(super) struct Gathered<'g, 'e> {
    family: &'g Family,
    /// Those on labels that differ from series to series.
    matchers: Vec<&'g Matcher>,
    times: &'g Arc<[i64]>,
    /// The only labels that are looked at, where it is not all.
    wanted: Option<&'g [Arc<str>]>,
    /// Of an object that has one version, where only some labels are looked at: its series have
    /// different labels, whatever is left of them.
    few: Vec<(Labels, Strip)>,
    /// Of the object whose versions are read: no other's series have the same labels.
    series: Vec<(Labels, Strip)>,
    /// Where in `series` labels are.
    places: HashMap<Labels, usize, foldhash::fast::RandomState>,
    /// The same by labels as an earlier version had them, for most versions have the same.
    written: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    /// Labels that are written.
    text: Vec<u8>,
    words: SharedWords,
    found: &'g mut Found<'e>,
}

/// Names and values of labels, each once: most series share most of theirs.
#[derive(Default)]
struct SharedWords(HashSet<Arc<str>, foldhash::fast::RandomState>);

/// Most words that are kept; all are forgotten when there are more.
const MAX_WORDS: usize = 4_096;

impl SharedWords {
    fn shared(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.0.get(word) {
            return Arc::clone(known);
        }
        if self.0.len() >= MAX_WORDS {
            self.0.clear();
        }
        let word: Arc<str> = word.into();
        self.0.insert(Arc::clone(&word));
        word
    }
}

/// The labels that all series of a family have in common.
fn own(family: &Family) -> [(&'static str, &'static str); 3] {
    [(METRIC_NAME, family.name), ("job", family.job), family.part]
}

/// Whether these labels pass the conditions on them.
pub(super) fn may_pass(family: &Family, matchers: &[Matcher]) -> bool {
    let passes = |matcher: &Matcher| {
        own(family).iter().all(|(name, value)| *name != matcher.name() || matcher.is_match(value))
    };
    matchers.iter().all(passes)
}

impl<'g, 'e> Gathered<'g, 'e> {
    /// Of a family that [may pass](may_pass).
    pub(super) fn new(
        family: &'g Family,
        request: &SelectRequest<'g>,
        times: &'g Arc<[i64]>,
        found: &'g mut Found<'e>,
    ) -> Self {
        let words = SharedWords::default();
        let common = own(family);
        let is_common = |matcher: &&Matcher| common.iter().any(|(name, _)| *name == matcher.name());
        let differ = request.matchers.iter().filter(|matcher| !is_common(matcher));
        let (matchers, wanted, few) = (differ.collect(), request.labels, Vec::new());
        Self {
            family,
            matchers,
            times,
            wanted,
            few,
            series: Vec::new(),
            places: HashMap::default(),
            written: HashMap::default(),
            text: Vec::new(),
            words,
            found,
        }
    }

    /// Whether an object of this namespace and name may have series that pass.
    fn may(&self, pairs: &[(&str, &str)]) -> bool {
        self.matchers.iter().all(|matcher| {
            pairs.iter().all(|(name, value)| *name != matcher.name() || matcher.is_match(value))
        })
    }

    /// Hands on the series of every object that was there between two times.
    pub(super) fn fill(&mut self, state: &State, range: (i64, i64)) -> Result<(), SelectError> {
        match self.family.made {
            Made::Pod(made) => self.each(
                (&state.pods, range),
                |pod| [("namespace", &pod.namespace), ("pod", &pod.name)],
                |pod, put| made(pod, state, put),
            ),
            Made::Node(made) => {
                self.each((&state.nodes, range), |node| [("node", &node.name)], made)
            }
            Made::Namespace(made) => {
                self.each((&state.namespaces, range), |one| [("namespace", &one.name)], made)
            }
            Made::Workload(kind, made) => self.each(
                (&state.workloads, range),
                |one| [("namespace", &one.namespace)],
                |one, put| {
                    if *one.kind == *kind {
                        made(one, put);
                    }
                },
            ),
            Made::Claim(made) => {
                self.each((&state.claims, range), |one| [("namespace", &one.namespace)], made)
            }
            Made::Volume(made) => {
                self.each((&state.volumes, range), |one| [("persistentvolume", &one.name)], made)
            }
            Made::Autoscaler(made) => self.each(
                (&state.autoscalers, range),
                |one| [("namespace", &one.namespace), ("horizontalpodautoscaler", &one.name)],
                made,
            ),
            Made::Quota(made, same) => self.each_but_same(
                (&state.quotas, range),
                |quota| [("namespace", &quota.namespace), ("resourcequota", &quota.name)],
                same,
                made,
            ),
            Made::Up(made) => self.each((&state.targets, range), |up| [("node", &up.node)], made),
        }
    }

    /// Hands on the series of those objects whose `own` labels may pass.
    fn each<T, const OWN: usize>(
        &mut self,
        objects: (&Objects<T>, (i64, i64)),
        own: impl Fn(&T) -> [(&'static str, &str); OWN],
        made: impl Fn(&T, &mut Put<'_>),
    ) -> Result<(), SelectError> {
        self.each_but_same(objects, own, |_, _| false, made)
    }

    /// As [`Self::each`]; of versions that follow each other with the `same` series, the first
    /// stands for all.
    fn each_but_same<T, const OWN: usize>(
        &mut self,
        (objects, (start, end)): (&Objects<T>, (i64, i64)),
        own: impl Fn(&T) -> [(&'static str, &str); OWN],
        same: impl Fn(&T, &T) -> bool,
        made: impl Fn(&T, &mut Put<'_>),
    ) -> Result<(), SelectError> {
        for versions in objects.each_versions(start, end) {
            let mut versions = versions.peekable();
            // What an object is called is the same in all its versions.
            if !versions.peek().is_some_and(|first| self.may(&own(&first.record))) {
                continue;
            }
            let (mut others, mut after) = (false, 0);
            while let Some(version) = versions.next() {
                let mut until = version.until;
                let goes_on = |next: &Version<T>| same(&version.record, &next.record);
                while let Some(next) = versions.next_if(|next| next.from == until && goes_on(next))
                {
                    until = next.until;
                }
                others = others || versions.peek().is_some();
                let ticks = self.ticks((version.created, version.from, until), after);
                after = ticks.end;
                made(&version.record, &mut |labels, value| {
                    self.put(labels, value, &ticks, others);
                });
            }
            if !self.hand_on()? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Hands on the series of an object; whether more are wanted. Once for all kinds of objects.
    #[inline(never)]
    fn hand_on(&mut self) -> Result<bool, SelectError> {
        self.places.clear();
        self.written.clear();
        for (labels, strip) in self.series.drain(..).chain(self.few.drain(..)) {
            let (timestamps, values) = strip.samples(self.times);
            if !self.found.put(SeriesView { labels, timestamps, values })? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Positions of the ticks at which a version held, by when its object was created and between
    /// which times that was; those before `after` are others'.
    fn ticks(&self, (created, from, until): (i64, i64, i64), after: usize) -> Range<usize> {
        let from = if self.family.lasting { created.min(from) } else { from };
        let first = after + before(self.times.get(after..).unwrap_or_default(), from);
        let held = before(self.times.get(first..).unwrap_or_default(), until);
        first..first + held
    }

    /// Puts the value of a series at `ticks`. `others`: the object has other versions, which may
    /// have the same series.
    #[inline(never)]
    fn put(&mut self, labels: &[(&str, &str)], value: f64, ticks: &Range<usize>, others: bool) {
        if ticks.is_empty() || !self.passes(labels) {
            return;
        }
        if others && self.go_on(labels, value, ticks) {
            return;
        }
        let common = own(self.family);
        let wanted = self.wanted.filter(|_| !others);
        let mut all: Vec<(&str, &str)> = Vec::with_capacity(labels.len() + common.len());
        all.extend(
            labels
                .iter()
                .chain(&common)
                .filter(|(name, value)| !value.is_empty() && is_looked_at(wanted, name)),
        );
        all.sort_by_key(|(name, _)| *name);
        // Two keys of an object may be one label's name: the last counts.
        all.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = later.1;
            }
            same
        });
        let words = &mut self.words;
        let shared = all.iter().map(|(name, value)| (words.shared(name), words.shared(value)));
        let labels = Labels::shared(shared.collect());
        let begun = || Strip { start: ticks.start, values: Vec::new() };
        if wanted.is_some() {
            self.few.push((labels, Strip { start: ticks.start, values: vec![value; ticks.len()] }));
            return;
        }
        let place = *self.places.entry(labels).or_insert_with_key(|labels| {
            self.series.push((labels.clone(), begun()));
            self.series.len() - 1
        });
        if let Some((_, strip)) = self.series.get_mut(place) {
            strip.put(value, ticks.clone());
        }
        if others {
            self.written.insert(self.text.as_slice().into(), place);
        }
    }

    /// Whether labels pass the conditions. What refused comes first the next time: most series of a
    /// family fail the same one.
    fn passes(&mut self, labels: &[(&str, &str)]) -> bool {
        let value = |name: &str| {
            labels.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
        };
        let fails = |matcher: &&Matcher| !matcher.is_match(value(matcher.name()));
        let Some(at) = self.matchers.iter().position(fails) else { return true };
        self.matchers.swap(0, at);
        false
    }

    /// Puts the value of a series that an earlier version of the object had with these very labels;
    /// whether one had.
    fn go_on(&mut self, labels: &[(&str, &str)], value: f64, ticks: &Range<usize>) -> bool {
        self.text.clear();
        for part in labels.iter().flat_map(|(name, value)| [name, value]) {
            self.text.extend_from_slice(part.as_bytes());
            self.text.push(0xFF);
        }
        let place = self.written.get(self.text.as_slice());
        let Some((_, strip)) = place.and_then(|at| self.series.get_mut(*at)) else { return false };
        strip.put(value, ticks.clone());
        true
    }
}

/// How many of the times are before this one: most often few.
fn before(times: &[i64], time: i64) -> usize {
    let mut end = 1;
    while times.get(end - 1).is_some_and(|at| *at < time) {
        end *= 2;
    }
    let begin = end / 2;
    let near = times.get(begin..end.min(times.len())).unwrap_or_default();
    begin + near.partition_point(|at| *at < time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_another_are_counted() {
        for len in 0..40 {
            let times: Vec<i64> = (0..len).map(|at| at * 10).collect();
            for time in -5..420 {
                let expected = times.partition_point(|at| *at < time);
                assert_eq!(before(&times, time), expected, "{len} {time}");
            }
        }
    }
}
