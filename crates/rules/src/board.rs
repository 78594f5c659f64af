//! What others may see and change while rules are evaluated: standings, silences, changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use query::promql::Labels;

use crate::{
    Alert, Change, GroupRun, Health, Journal, RuleKind, SilenceAsked, SilenceError, Silences,
};

/// Writes down what must survive the process.
pub trait Standing: Send + Sync {
    /// All silences, as one text.
    fn silences(&self, text: &str) -> Result<(), String>;
    /// Changes as lines, after those before.
    fn changes(&self, lines: &str) -> Result<(), String>;
}

/// A group as it stands.
#[derive(Debug, Clone)]
pub struct GroupStanding {
    /// Its name.
    pub name: Arc<str>,
    /// Its file.
    pub file: Arc<str>,
    /// Milliseconds between evaluations.
    pub interval_ms: i64,
    /// Most results of a rule; 0 for no limit.
    pub limit: usize,
    /// When it was evaluated last.
    pub last: Option<i64>,
    /// How long that took, seconds.
    pub took: f64,
    /// Its rules.
    pub rules: Vec<RuleStanding>,
}

/// A rule as it stands.
#[derive(Debug, Clone)]
pub struct RuleStanding {
    /// Its name.
    pub name: Arc<str>,
    /// As it was written.
    pub expression: Arc<str>,
    /// Whether it makes alerts.
    pub alerting: bool,
    /// Milliseconds before it fires.
    pub hold_ms: i64,
    /// Milliseconds that it fires on.
    pub keep_firing_ms: i64,
    /// Its labels as they were written.
    pub labels: Vec<(Arc<str>, String)>,
    /// Its annotations as they were written.
    pub annotations: Vec<(Arc<str>, String)>,
    /// How its last evaluation went.
    pub health: Health,
    /// Why that failed.
    pub error: Option<String>,
    /// When that was.
    pub last: Option<i64>,
    /// How long it took, seconds.
    pub took: f64,
    /// Its alerts, resolved ones too.
    pub alerts: Vec<Alert>,
}

/// Where alerts are sent, and how that goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receiver {
    /// The sink's name.
    pub kind: &'static str,
    /// Its address, without secrets.
    pub to: String,
    /// Alerts that it took.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Alerts that were given up.
    pub dropped: u64,
    /// Why the last attempt failed; `None` once one succeeded.
    pub failure: Option<String>,
}

/// Says how the receivers stand now.
pub type Receivers = Arc<dyn Fn() -> Vec<Receiver> + Send + Sync>;

/// The shared board.
pub struct AlertBoard {
    groups: Mutex<Vec<Arc<GroupStanding>>>,
    silences: Mutex<Silences>,
    journal: Mutex<Journal>,
    receivers: Mutex<Option<Receivers>>,
    keeper: Option<Arc<dyn Standing>>,
}

impl std::fmt::Debug for AlertBoard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlertBoard").finish_non_exhaustive()
    }
}

impl Default for AlertBoard {
    fn default() -> Self {
        Self::new(Silences::default(), Journal::default(), None)
    }
}

impl AlertBoard {
    /// A board that goes on with what was kept.
    pub fn new(silences: Silences, journal: Journal, keeper: Option<Arc<dyn Standing>>) -> Self {
        Self {
            groups: Mutex::default(),
            silences: Mutex::new(silences),
            journal: Mutex::new(journal),
            receivers: Mutex::default(),
            keeper,
        }
    }

    /// Shows a group as it stands; a new one comes last.
    pub fn show(&self, run: &GroupRun) {
        let standing = Arc::new(standing(run));
        let mut groups = lock(&self.groups);
        let same =
            |known: &Arc<GroupStanding>| known.name == standing.name && known.file == standing.file;
        match groups.iter().position(same) {
            Some(at) => groups[at] = standing,
            None => groups.push(standing),
        }
    }

    /// Shows only these groups (name, file), in this order.
    pub fn arrange<'a>(&self, wanted: impl IntoIterator<Item = (&'a Arc<str>, &'a Arc<str>)>) {
        let mut groups = lock(&self.groups);
        let find = |(name, file): (&Arc<str>, &Arc<str>)| {
            groups.iter().find(|known| known.name == *name && known.file == *file).map(Arc::clone)
        };
        let arranged = wanted.into_iter().filter_map(find).collect();
        *groups = arranged;
    }

    /// The groups as they stand.
    pub fn groups(&self) -> Vec<Arc<GroupStanding>> {
        lock(&self.groups).clone()
    }

    /// Takes changes, writes them down, and answers those that were not known yet.
    pub fn record(&self, changes: Vec<Change>) -> Vec<Change> {
        let mut taken = Vec::new();
        {
            let mut journal = lock(&self.journal);
            for mut change in changes {
                change.silenced =
                    !self.holding(&Labels::new(change.labels.clone()), change.at).is_empty();
                if journal.record(change.clone()) {
                    taken.push(change);
                }
            }
        }
        if let Some(keeper) = self.keeper.as_ref().filter(|_| !taken.is_empty()) {
            let lines: String = taken.iter().map(Journal::line).collect();
            // A change that is not written down is still shown until the process ends.
            drop(keeper.changes(&lines));
        }
        taken
    }

    /// Reads the changes.
    pub fn journal<T>(&self, read: impl FnOnce(&Journal) -> T) -> T {
        read(&lock(&self.journal))
    }

    /// Reads the silences.
    pub fn silences<T>(&self, read: impl FnOnce(&Silences) -> T) -> T {
        read(&lock(&self.silences))
    }

    /// The ids of the silences that hold back an alert with these labels.
    pub fn holding(&self, labels: &Labels, now: i64) -> Vec<String> {
        lock(&self.silences).holding(labels, now)
    }

    /// Makes or changes a silence, writes it down and answers its id.
    pub fn silence(&self, asked: SilenceAsked, now: i64) -> Result<String, SilenceError> {
        self.change_silences(|silences| silences.set(asked, now))
    }

    /// Ends a silence.
    pub fn expire(&self, id: &str, now: i64) -> Result<(), SilenceError> {
        self.change_silences(|silences| silences.expire(id, now))
    }

    /// Changes the silences, or leaves them as they were when they cannot be kept.
    fn change_silences<T>(
        &self,
        change: impl FnOnce(&mut Silences) -> Result<T, SilenceError>,
    ) -> Result<T, SilenceError> {
        let mut silences = lock(&self.silences);
        let before = silences.text();
        let answer = change(&mut silences)?;
        if let Some(keeper) = &self.keeper
            && let Err(reason) = keeper.silences(&silences.text())
        {
            *silences = Silences::read(&before).0;
            return Err(SilenceError::NotKept(reason));
        }
        Ok(answer)
    }

    /// Says who answers for the receivers.
    pub fn set_receivers(&self, receivers: Receivers) {
        *lock(&self.receivers) = Some(receivers);
    }

    /// How the receivers stand.
    pub fn receivers(&self) -> Vec<Receiver> {
        let receivers = lock(&self.receivers).clone();
        receivers.map_or_else(Vec::new, |receivers| receivers())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn standing(run: &GroupRun) -> GroupStanding {
    let rules = run.group.rules.iter().zip(&run.rules).map(|(rule, run)| {
        let (hold_ms, keep_firing_ms, annotations) = match &rule.kind {
            RuleKind::Recording => (0, 0, &[][..]),
            RuleKind::Alerting { hold_ms, keep_firing_ms, annotations } => {
                (*hold_ms, *keep_firing_ms, &annotations[..])
            }
        };
        let texts = |pairs: &[(Arc<str>, crate::Template)]| {
            pairs.iter().map(|(name, text)| (Arc::clone(name), text.text().to_owned())).collect()
        };
        RuleStanding {
            name: Arc::clone(&rule.name),
            expression: Arc::clone(&rule.expression),
            alerting: rule.is_alerting(),
            hold_ms,
            keep_firing_ms,
            labels: texts(&rule.labels),
            annotations: texts(annotations),
            health: run.health,
            error: run.error.clone(),
            last: run.last,
            took: run.took,
            alerts: run.active.values().cloned().collect(),
        }
    });
    GroupStanding {
        name: Arc::clone(&run.group.name),
        file: Arc::clone(&run.group.file),
        interval_ms: run.interval_ms,
        limit: run.group.limit,
        last: run.last,
        took: run.took,
        rules: rules.collect(),
    }
}
