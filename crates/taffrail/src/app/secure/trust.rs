//! Whom the secure port trusts: files that were given, else what the cluster says; both looked at
//! again and again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::{Gate, Trust};
use cluster::{Connection, FrontProxy};

use super::{REFRESH, RETRY};
use crate::config::TrustFiles;
use crate::exit::Failure;

/// Keeps a gate's trust up to date.
pub(super) struct Trusted {
    files: TrustFiles,
    gate: Arc<Gate>,
    connection: Connection,
    /// What the cluster said last.
    told: Trust,
    /// What the gate trusts.
    current: Option<Trust>,
    /// What was warned of last, so that it is said once.
    warned: Option<String>,
}

impl Trusted {
    /// Trusts what the files say already; a file that cannot be used is a mistake.
    pub(super) fn begin(
        files: &TrustFiles,
        gate: &Arc<Gate>,
        connection: &Connection,
    ) -> Result<Self, Failure> {
        let mut this = Self {
            files: files.clone(),
            gate: Arc::clone(gate),
            connection: connection.clone(),
            told: Trust::default(),
            current: None,
            warned: None,
        };
        this.apply().map_err(Failure::config)?;
        Ok(this)
    }

    /// Looks again; how long until the next time.
    pub(super) async fn refresh(&mut self) -> Duration {
        let asks = self.files.lookup
            && (self.files.client_ca.is_none() || self.files.front_proxy.is_none());
        if asks {
            match self.connection.front_proxy().await {
                Ok(found) => self.told = trust(found),
                Err(error) => {
                    let trouble = error.trouble();
                    let (reason, advice) = (&trouble.reason, &trouble.advice);
                    self.warn(&format!(
                        "the API server does not say whom the secure port should trust: {reason}; {advice}"
                    ));
                    return RETRY;
                }
            }
        }
        if let Err(mistake) = self.apply() {
            self.warn(&mistake);
            return RETRY;
        }
        self.warned = None;
        REFRESH
    }

    /// Reads the files and tells the gate what is new.
    fn apply(&mut self) -> Result<(), String> {
        let trust = with_files(&self.files, self.told.clone())?;
        if self.current.as_ref() == Some(&trust) {
            return Ok(());
        }
        self.gate.trust(trust.clone()).map_err(|error| {
            format!("whom the secure port should trust cannot be used: {error}")
        })?;
        self.current = Some(trust);
        Ok(())
    }

    fn warn(&mut self, what: &str) {
        if self.warned.as_deref() != Some(what) {
            tracing::warn!("{what}");
            self.warned = Some(what.to_owned());
        }
    }
}

/// `told`, where the files say nothing else; as a whole, as Kubernetes' own servers take it.
fn with_files(files: &TrustFiles, told: Trust) -> Result<Trust, String> {
    let mut trust = told;
    if let Some(file) = &files.client_ca {
        trust.client_ca = Some(read("--client-ca-file", file)?);
    }
    if let Some(proxy) = &files.front_proxy {
        trust.front_proxy_ca = Some(read("--requestheader-client-ca-file", &proxy.ca)?);
        trust.allowed_names.clone_from(&proxy.allowed_names);
        trust.username_headers.clone_from(&proxy.username_headers);
        trust.uid_headers.clone_from(&proxy.uid_headers);
        trust.group_headers.clone_from(&proxy.group_headers);
        trust.extra_prefixes.clone_from(&proxy.extra_prefixes);
    }
    Ok(trust)
}

fn read(flag: &str, file: &Path) -> Result<String, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{flag}={shown}: {error}"))?;
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(text);
    }
    Err(format!("{flag}={shown}: it holds no certificate; give a PEM file"))
}

fn trust(found: FrontProxy) -> Trust {
    Trust {
        client_ca: found.client_ca,
        front_proxy_ca: found.front_proxy_ca,
        allowed_names: found.allowed_names,
        username_headers: found.username_headers,
        uid_headers: found.uid_headers,
        group_headers: found.group_headers,
        extra_prefixes: found.extra_prefixes,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::config::Config;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    fn files(flags: &[String]) -> TrustFiles {
        let words = ["taffrail", "serve", "--secure-port=1"].map(str::to_owned);
        let words = words.iter().chain(flags);
        let Command::Serve(args) = Cli::try_parse_from(words).unwrap().command else { panic!() };
        Config::from_serve(*args).unwrap().apis.secure.unwrap().trust
    }

    #[test]
    fn a_file_takes_the_place_of_what_the_cluster_says_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        std::fs::write(&file, PEM).unwrap();
        let told = Trust {
            client_ca: Some("theirs".to_owned()),
            front_proxy_ca: Some("theirs".to_owned()),
            allowed_names: vec!["front-proxy-client".to_owned()],
            username_headers: vec!["X-Remote-User".to_owned()],
            ..Trust::default()
        };
        assert_eq!(with_files(&files(&[]), told.clone()), Ok(told.clone()));
        let clients = format!("--client-ca-file={}", file.display());
        let by_clients = files(&[clients]);
        let trust = with_files(&by_clients, told.clone()).unwrap();
        assert_eq!(trust.client_ca.as_deref(), Some(PEM));
        assert_eq!(trust.front_proxy_ca, told.front_proxy_ca);
        let fronts = format!("--requestheader-client-ca-file={}", file.display());
        let names = "--requestheader-username-headers=x-user,x-name".to_owned();
        let trust = with_files(&files(&[fronts, names]), told.clone()).unwrap();
        assert_eq!(trust.client_ca, told.client_ca);
        assert_eq!((trust.front_proxy_ca.as_deref(), &*trust.allowed_names), (Some(PEM), &[][..]));
        assert_eq!(trust.username_headers, ["x-user", "x-name"]);
        assert_eq!(trust.group_headers, ["x-remote-group"]);
        // It is read each time, and what cannot be used is named.
        std::fs::write(&file, "nothing").unwrap();
        let mistake = with_files(&by_clients, told).unwrap_err();
        assert!(mistake.starts_with("--client-ca-file=") && mistake.contains("no certificate"));
    }
}
