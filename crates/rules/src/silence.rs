//! Silences: which alerts are not notified, until when and why.

use query::promql::{Labels, Limits, MatchOp, Matcher};
use serde::{Deserialize, Serialize};

/// Most silences that are kept.
pub(crate) const MAX_SILENCES: usize = 1000;
/// How long an ended silence is still shown, milliseconds.
const SHOWN_MS: i64 = 5 * 86_400_000;
/// Most matchers of one silence.
const MAX_MATCHERS: usize = 32;
/// Most bytes of one text of a silence.
const MAX_TEXT_BYTES: usize = 4096;

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SilenceMatcher {
    /// The label.
    pub name: String,
    /// A text, or a pattern that must match the whole value.
    pub value: String,
    /// Whether `value` is a pattern.
    #[serde(default)]
    pub is_regex: bool,
    /// Whether the label must match, or must not.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

/// Where a silence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    /// It holds.
    Active,
    /// It begins later.
    Pending,
    /// It is over.
    Expired,
}

impl SilenceState {
    /// As the API says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

/// A silence. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// 16 hexadecimal digits.
    pub id: String,
    /// All must pass.
    pub matchers: Vec<SilenceMatcher>,
    /// From when on.
    pub starts_at: i64,
    /// Until when.
    pub ends_at: i64,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was changed last.
    pub updated_at: i64,
}

impl Silence {
    /// Where it stands at `now`.
    pub fn state(&self, now: i64) -> SilenceState {
        match () {
            () if now >= self.ends_at => SilenceState::Expired,
            () if now < self.starts_at => SilenceState::Pending,
            () => SilenceState::Active,
        }
    }
}

/// A silence as somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SilenceAsked {
    /// The silence to change; `None` for a new one.
    #[serde(default)]
    pub id: Option<String>,
    /// All must pass.
    pub matchers: Vec<SilenceMatcher>,
    /// `None` for now.
    #[serde(default)]
    pub starts_at: Option<i64>,
    /// Until when.
    #[serde(default)]
    pub ends_at: Option<i64>,
    /// Or for how long.
    #[serde(default)]
    pub duration_ms: Option<i64>,
    /// Who asks.
    #[serde(default)]
    pub created_by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// Why there is no silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// What was asked for cannot be one.
    #[error("{0}")]
    Wrong(String),
    /// Nobody knows it.
    #[error("no silence has this id")]
    Unknown,
    /// It could not be written down.
    #[error("the silence cannot be kept: {0}")]
    NotKept(String),
}

/// Every silence, with its matchers compiled.
#[derive(Debug, Default)]
pub struct Silences {
    all: Vec<(Silence, Vec<Matcher>)>,
}

impl Silences {
    /// From what [`Silences::text`] made; those that cannot be read are left out and counted.
    pub fn read(text: &str) -> (Self, usize) {
        let Ok(found) = serde_json::from_str::<Vec<serde_json::Value>>(text) else {
            return (Self::default(), 1);
        };
        let mut damaged = 0;
        let mut all = Vec::new();
        for value in found {
            let silence = serde_json::from_value::<Silence>(value).ok();
            match silence.and_then(|one| Some((compiled(&one.matchers).ok()?, one))) {
                Some((matchers, silence)) => all.push((silence, matchers)),
                None => damaged += 1,
            }
        }
        (Self { all }, damaged)
    }

    /// As JSON.
    pub fn text(&self) -> String {
        let all: Vec<&Silence> = self.all.iter().map(|(silence, _)| silence).collect();
        serde_json::to_string_pretty(&all).unwrap_or_default()
    }

    /// Active ones first, then those to come, then ended ones; the newest of each first.
    pub fn list(&self, now: i64) -> Vec<&Silence> {
        let mut all: Vec<&Silence> = self.all.iter().map(|(silence, _)| silence).collect();
        all.sort_by_key(|one| (one.state(now), -one.updated_at, one.id.clone()));
        all
    }

    /// The ids of the silences that hold back an alert with these labels at `now`.
    pub fn holding(&self, labels: &Labels, now: i64) -> Vec<String> {
        let holds = |silence: &Silence, matchers: &[Matcher]| {
            silence.state(now) == SilenceState::Active
                && matchers.iter().all(|matcher| matcher.is_match(labels.get(matcher.name())))
        };
        let holding = self.all.iter().filter(|(silence, matchers)| holds(silence, matchers));
        holding.map(|(silence, _)| silence.id.clone()).collect()
    }

    /// Makes or changes a silence and answers its id.
    pub fn set(&mut self, asked: SilenceAsked, now: i64) -> Result<String, SilenceError> {
        let wrong = |reason: &str| Err(SilenceError::Wrong(reason.to_owned()));
        let starts_at = asked.starts_at.unwrap_or(now);
        let ends_at = match (asked.ends_at, asked.duration_ms) {
            (Some(ends_at), None) => ends_at,
            (None, Some(duration)) => starts_at.saturating_add(duration),
            _ => return wrong("give endsAt or durationMs, and not both"),
        };
        if ends_at <= starts_at || ends_at <= now {
            return wrong("it must end after it begins, and after now");
        }
        if asked.comment.trim().is_empty() || asked.created_by.trim().is_empty() {
            return wrong("comment and createdBy must not be empty");
        }
        let texts = asked.matchers.iter().flat_map(|one| [&one.name, &one.value]);
        if texts.chain([&asked.comment, &asked.created_by]).any(|text| text.len() > MAX_TEXT_BYTES)
        {
            return wrong("a text is longer than 4096 bytes");
        }
        if asked.matchers.len() > MAX_MATCHERS {
            return wrong("more than 32 matchers");
        }
        let matchers = compiled(&asked.matchers)?;
        if matchers.iter().all(|matcher| matcher.is_match("")) {
            return wrong(
                "at least one matcher must not match the empty text: it would silence all",
            );
        }
        self.forget(now);
        let silence = |id: String| Silence {
            id,
            matchers: asked.matchers,
            starts_at,
            ends_at,
            created_by: asked.created_by,
            comment: asked.comment,
            updated_at: now,
        };
        if let Some(id) = asked.id {
            let known = self.all.iter_mut().find(|(known, _)| known.id == id);
            let known = known.ok_or(SilenceError::Unknown)?;
            *known = (silence(id.clone()), matchers);
            return Ok(id);
        }
        if self.all.len() >= MAX_SILENCES {
            return wrong("there are 1000 silences already: end some");
        }
        let id = self.free_id(now);
        self.all.push((silence(id.clone()), matchers));
        Ok(id)
    }

    /// Ends a silence now.
    pub fn expire(&mut self, id: &str, now: i64) -> Result<(), SilenceError> {
        let (silence, _) =
            self.all.iter_mut().find(|(known, _)| known.id == id).ok_or(SilenceError::Unknown)?;
        if silence.ends_at > now {
            (silence.ends_at, silence.updated_at) = (now, now);
            silence.starts_at = silence.starts_at.min(now);
        }
        Ok(())
    }

    /// Drops what ended long ago.
    fn forget(&mut self, now: i64) {
        self.all.retain(|(silence, _)| silence.ends_at.saturating_add(SHOWN_MS) > now);
    }

    fn free_id(&self, now: i64) -> String {
        let taken = |id: &str| self.all.iter().any(|(silence, _)| silence.id == id);
        let ids = (0_u64..).map(|at| {
            let labels = Labels::new([("at", now.to_string()), ("try", at.to_string())]);
            crate::alert::id_of(&labels)
        });
        let mut free = ids.filter(|id| !taken(id));
        free.next().unwrap_or_default()
    }
}

fn compiled(matchers: &[SilenceMatcher]) -> Result<Vec<Matcher>, SilenceError> {
    let one = |matcher: &SilenceMatcher| {
        let op = match (matcher.is_regex, matcher.is_equal) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Matches,
            (true, false) => MatchOp::MatchesNot,
        };
        if matcher.name.is_empty() {
            return Err(SilenceError::Wrong("a matcher needs a label's name".to_owned()));
        }
        Matcher::new(op, &matcher.name, &matcher.value, &Limits::default())
            .map_err(|error| SilenceError::Wrong(format!("matcher of {}: {error}", matcher.name)))
    };
    matchers.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, value: &str) -> SilenceAsked {
        SilenceAsked {
            matchers: vec![SilenceMatcher {
                name: name.to_owned(),
                value: value.to_owned(),
                is_regex: true,
                is_equal: true,
            }],
            duration_ms: Some(1000),
            created_by: "ann".to_owned(),
            comment: "work".to_owned(),
            ..SilenceAsked::default()
        }
    }

    #[test]
    fn a_silence_holds_for_its_time() {
        let mut silences = Silences::default();
        let id = silences.set(asked("node", "n-.*"), 5000).unwrap();
        let node = Labels::new([("node", "n-1")]);
        assert_eq!(silences.holding(&node, 5999), std::slice::from_ref(&id));
        assert!(silences.holding(&node, 6000).is_empty());
        assert!(silences.holding(&Labels::new([("node", "m-1")]), 5500).is_empty());
        let (back, damaged) = Silences::read(&silences.text());
        assert_eq!((back.list(5000), damaged), (silences.list(5000), 0));
        silences.expire(&id, 5500).unwrap();
        assert!(silences.holding(&node, 5500).is_empty());
        assert_eq!(silences.expire("nope", 0), Err(SilenceError::Unknown));
    }

    #[test]
    fn what_silences_everything_is_refused() {
        let mut silences = Silences::default();
        for (name, value) in [("node", ".*"), ("", "x"), ("node", "(")] {
            assert!(matches!(silences.set(asked(name, value), 0), Err(SilenceError::Wrong(_))));
        }
        let late = SilenceAsked { duration_ms: None, ends_at: Some(5), ..asked("a", "b") };
        assert!(silences.set(late, 6).is_err());
        let unknown = SilenceAsked { id: Some("x".to_owned()), ..asked("a", "b") };
        assert_eq!(silences.set(unknown, 0), Err(SilenceError::Unknown));
        for at in 0..i64::try_from(MAX_SILENCES).unwrap() {
            silences.set(asked("a", "b"), at).unwrap();
        }
        assert!(silences.set(asked("a", "b"), 1).is_err());
    }
}
