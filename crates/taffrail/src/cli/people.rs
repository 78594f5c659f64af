//! Flags about people: whether they sign in, how, and what they may change.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Who may see what.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "People")]
pub(crate) struct PeopleArgs {
    /// Who has to sign in. [default: off on loopback, else all]
    #[arg(long, value_enum, value_name = "WHO")]
    pub(crate) login: Option<LoginChoice>,
    /// Change nothing in the cluster from the dashboard: no actions, no terminals.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// OIDC provider to sign in at: its URL as its tokens name it. The API server must
    /// trust the same one.
    #[arg(long, value_name = "URL")]
    pub(crate) oidc_issuer: Option<String>,
    /// Who Taffrail is at the provider.
    #[arg(long, value_name = "ID")]
    pub(crate) oidc_client_id: Option<String>,
    /// File with the client's secret. Without it, a public client (PKCE protects both).
    #[arg(long, value_name = "FILE")]
    pub(crate) oidc_client_secret_file: Option<PathBuf>,
    /// Where the provider sends people back: `https://HOST/api/taffrail/v1/session/oidc/callback`.
    #[arg(long, value_name = "URL")]
    pub(crate) oidc_redirect_url: Option<String>,
    /// What is asked for. With `offline_access` sessions outlive the first token.
    #[arg(long, value_name = "SCOPES", default_value = "openid profile email groups")]
    pub(crate) oidc_scopes: String,
    /// PEM file with the authorities that the provider's certificate may be signed by, instead of
    /// the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) oidc_ca_file: Option<PathBuf>,
}

/// Who has to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoginChoice {
    /// Nobody: whoever reaches the port sees all.
    Off,
    /// Whoever looks at the dashboard. The APIs of Heapster and Prometheus stay open.
    Dashboard,
    /// Everybody, programs too: they send a bearer token.
    All,
}
