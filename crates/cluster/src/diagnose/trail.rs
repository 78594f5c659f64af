//! The hops of one way in their order: after a failed one the others are skipped, and say so.

use super::{Check, Outcome};

/// The checks of one way so far.
pub(super) struct Trail {
    about: String,
    checks: Vec<Check>,
    /// The hop at which the way ended.
    broken: Option<&'static str>,
}

impl Trail {
    pub(super) fn new(about: String) -> Self {
        Self { about, checks: Vec::new(), broken: None }
    }

    /// What it leads to.
    pub(super) fn about(&self) -> &str {
        &self.about
    }

    /// Whether the way goes on.
    pub(super) fn is_open(&self) -> bool {
        self.broken.is_none()
    }

    /// The hop at which the way ended.
    pub(super) fn broken(&self) -> Option<&'static str> {
        self.broken
    }

    /// Whether hop `name` is to be tried; when the way has ended, it is noted as skipped.
    pub(super) fn reaches(&mut self, name: &'static str) -> bool {
        let Some(broken) = self.broken else { return true };
        self.skip(name, format!("after {broken} failed"));
        false
    }

    pub(super) fn pass(&mut self, name: &'static str, evidence: String) {
        self.note(name, Outcome::Pass, evidence, String::new());
    }

    pub(super) fn warn(&mut self, name: &'static str, evidence: String, change: String) {
        self.note(name, Outcome::Warn, evidence, change);
    }

    pub(super) fn skip(&mut self, name: &'static str, reason: String) {
        self.note(name, Outcome::Skip, reason, String::new());
    }

    /// Ends the way.
    pub(super) fn fail(&mut self, name: &'static str, evidence: String, change: String) {
        self.note(name, Outcome::Fail, evidence, change);
        self.broken = Some(name);
    }

    /// Something is wrong here, but the way goes on.
    pub(super) fn fault(&mut self, name: &'static str, evidence: String, change: String) {
        self.note(name, Outcome::Fail, evidence, change);
    }

    /// Says that the way that ended is not needed: another one, found meanwhile, works.
    pub(super) fn detour(&mut self) {
        self.checks.retain(|check| check.outcome != Outcome::Skip);
        for check in &mut self.checks {
            if check.outcome == Outcome::Fail {
                check.outcome = Outcome::Warn;
            }
        }
        self.broken = None;
    }

    pub(super) fn checks(self) -> Vec<Check> {
        self.checks
    }

    fn note(&mut self, name: &'static str, outcome: Outcome, evidence: String, change: String) {
        let evidence = if evidence.contains('\n') { one_line(&evidence) } else { evidence };
        self.checks.push(Check { name, about: self.about.clone(), outcome, evidence, change });
    }
}

/// What others wrote (messages of servers) may have lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
