//! Flags of scraping programs that speak Prometheus.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use super::history::size;
use crate::exit::Failure;

/// What is scraped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScrapeWhat {
    /// Pods with the annotation `prometheus.io/scrape: "true"`.
    Annotations,
    /// What `ServiceMonitor` and `PodMonitor` objects of the Prometheus operator select.
    Monitors,
}

/// Metrics of programs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Scraping of programs")]
pub(crate) struct ScrapeArgs {
    /// Scrape programs that speak Prometheus: pods by their annotations, and what monitors of the
    /// Prometheus operator select. Comma list. See docs/SCRAPING.md. [default: nothing]
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub(crate) scrape: Vec<ScrapeWhat>,
    /// How often, where no monitor says otherwise: at least 1s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub(crate) scrape_interval: Duration,
    /// How long an answer may take, where no monitor says otherwise.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(crate) scrape_timeout: Duration,
    /// Most samples of one answer; nothing of a larger one is kept.
    #[arg(long, value_name = "NUMBER", default_value_t = 50_000)]
    pub(crate) scrape_sample_limit: usize,
    /// Most bytes of one answer, decompressed; nothing of a larger one is kept.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "16MiB")]
    pub(crate) scrape_body_limit: u64,
    /// Most targets of this process; further ones are left out.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub(crate) scrape_target_limit: usize,
    /// Label of annotated pods that their series get. Comma list.
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    pub(crate) scrape_pod_label: Vec<String>,
    /// PEM file with authorities of targets' certificates, beside the system's. May be given
    /// several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) scrape_ca_file: Vec<PathBuf>,
    /// Do not keep this server's own metrics as series (`{job="taffrail"}`).
    #[arg(long)]
    pub(crate) no_self_scrape: bool,
}

/// What a server scrapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ScrapeConfig {
    /// Everything but the authorities.
    pub(crate) settings: scrape::Settings,
    /// Files with authorities.
    pub(crate) ca_files: Vec<PathBuf>,
    /// Whether the server's own metrics are left out.
    pub(crate) no_self: bool,
}

impl ScrapeArgs {
    pub(crate) fn config(self) -> ScrapeConfig {
        let bytes = usize::try_from(self.scrape_body_limit).unwrap_or(usize::MAX);
        let limits = scrape::Limits::default();
        let settings = scrape::Settings {
            annotations: self.scrape.contains(&ScrapeWhat::Annotations),
            monitors: self.scrape.contains(&ScrapeWhat::Monitors),
            interval: self.scrape_interval,
            timeout: self.scrape_timeout,
            pod_labels: self.scrape_pod_label,
            authorities: Vec::new(),
            limits: scrape::Limits {
                body_bytes: bytes,
                bodies_bytes: limits.bodies_bytes.max(bytes),
                samples: self.scrape_sample_limit,
                targets: self.scrape_target_limit,
                ..limits
            },
        };
        ScrapeConfig { settings, ca_files: self.scrape_ca_file, no_self: self.no_self_scrape }
    }
}

impl ScrapeConfig {
    /// What cannot work.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let scrape::Settings { interval, timeout, .. } = self.settings;
        let mut mistakes = Vec::new();
        if interval < scrape::limits::MIN_INTERVAL {
            mistakes.push(format!("--scrape-interval={interval:?}: give at least 1s"));
        }
        if timeout.is_zero() || timeout > interval {
            mistakes.push(format!(
                "--scrape-timeout={timeout:?}: give more than nothing and at most the interval, \
                 {interval:?}"
            ));
        }
        mistakes
    }

    /// The settings, with the authorities read.
    pub(crate) fn read(&self) -> Result<scrape::Settings, Failure> {
        let mut settings = self.settings.clone();
        for path in &self.ca_files {
            let text = fs::read(path).map_err(|error| {
                Failure::config(format!("--scrape-ca-file={}: {error}", path.display()))
            })?;
            if !text.windows(BEGIN.len()).any(|window| window == BEGIN) {
                let path = path.display();
                let why = format!("--scrape-ca-file={path}: no certificate in it");
                return Err(Failure::config(why));
            }
            settings.authorities.extend(text);
            settings.authorities.push(b'\n');
        }
        Ok(settings)
    }
}

/// How a certificate begins in PEM.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
