//! Sinks: what turns a batch into somebody else's format, one file each, listed in [`ALL`].
//!
//! Knows nothing of the tick, queues or timeouts: the binary puts a sink behind those.
#![forbid(unsafe_code)]

mod error;
mod log;

use std::io::Write;

use model::{Batch, LabelOptions};

pub use error::Error;

/// Every sink there is.
pub const ALL: &[Kind] = &[log::KIND];

/// Takes batches. Exporting may block; the caller sees to it that nothing else waits for it.
pub trait Sink: Send {
    /// Heapster's name of it: the value of `exporter` in self-metrics.
    fn name(&self) -> &'static str;

    /// Hands over one batch.
    fn export(&mut self, batch: &Batch) -> Result<(), Error>;
}

/// One row of [`ALL`].
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What `--sink` calls it.
    pub key: &'static str,
    /// Heapster's name of it.
    pub name: &'static str,
    /// Its settings as (name, one sentence).
    pub settings: &'static [(&'static str, &'static str)],
    /// One `--sink` value as an example.
    pub example: &'static str,
    build: fn(Setup) -> Result<Box<dyn Sink>, Error>,
}

/// What a sink is made from.
pub struct Setup {
    /// Settings as (name, value), as the command line's URI or the configuration gives them.
    pub settings: Vec<(String, String)>,
    /// How Kubernetes labels become metric labels.
    pub labels: LabelOptions,
    /// Where a sink that prints prints to.
    pub output: Box<dyn Write + Send>,
}

impl Kind {
    /// A sink of this kind. A setting that it does not have is an error.
    pub fn build(&self, setup: Setup) -> Result<Box<dyn Sink>, Error> {
        for (name, _) in &setup.settings {
            if !self.settings.iter().any(|(known, _)| known == name) {
                return Err(Error::UnknownSetting {
                    sink: self.key,
                    name: name.clone(),
                    known: list(self.settings.iter().map(|(known, _)| *known)),
                });
            }
        }
        (self.build)(setup)
    }
}

/// The sink kind of that key.
pub fn find(key: &str) -> Result<&'static Kind, Error> {
    ALL.iter().find(|kind| kind.key == key).ok_or_else(|| Error::NotRecognized {
        key: key.to_owned(),
        known: list(ALL.iter().map(|kind| kind.key)),
    })
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(settings: &[(&str, &str)]) -> Setup {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Setup {
            settings: settings.collect(),
            labels: LabelOptions::default(),
            output: Box::new(std::io::sink()),
        }
    }

    #[test]
    fn mistakes_name_what_is_known() {
        let error = find("logg").unwrap_err().to_string();
        assert_eq!(error, "sink not recognized: \"logg\" (known: log)");
        for kind in ALL {
            let error = kind.build(setup(&[("bogus", "1")])).err().unwrap().to_string();
            assert!(error.contains("has no setting \"bogus\""), "{error}");
        }
        let error = log::KIND.build(setup(&[("metrics", "some")])).err().unwrap().to_string();
        assert_eq!(error, "sink log: metrics=\"some\" is not one of heapster, all");
    }

    #[test]
    fn every_kind_is_found_and_built() {
        for kind in ALL {
            let sink = find(kind.key).unwrap().build(setup(&[])).unwrap();
            assert_eq!(sink.name(), kind.name);
        }
    }
}
