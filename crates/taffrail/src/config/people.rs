//! The checked configuration of who may see what.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::cli::{LoginChoice, PeopleArgs, is_loopback};

/// Where providers send people back.
const CALLBACK: &str = "/api/taffrail/v1/session/oidc/callback";

/// Who may see what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeopleConfig {
    pub(crate) login: LoginChoice,
    pub(crate) read_only: bool,
    pub(crate) oidc: Option<OidcConfig>,
}

/// An OIDC provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OidcConfig {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<PathBuf>,
    pub(crate) redirect: String,
    pub(crate) scopes: String,
    pub(crate) ca: Option<PathBuf>,
}

impl Default for PeopleConfig {
    fn default() -> Self {
        Self { login: LoginChoice::Off, read_only: false, oidc: None }
    }
}

impl PeopleConfig {
    /// From flags; what others reach is closed unless somebody opens it.
    pub(crate) fn from_args(args: PeopleArgs, listen: SocketAddr) -> Result<Self, String> {
        let usual = if is_loopback(listen.ip()) { LoginChoice::Off } else { LoginChoice::All };
        let oidc = match (args.oidc_issuer, args.oidc_client_id, args.oidc_redirect_url) {
            (None, None, None) => None,
            (Some(issuer), Some(client_id), Some(redirect)) => {
                let url = |text: &str| text.starts_with("https://") || text.starts_with("http://");
                if !url(&issuer) || !url(&redirect) || !redirect.ends_with(CALLBACK) {
                    return Err(format!(
                        "--oidc-issuer and --oidc-redirect-url: give URLs, the latter ending in {CALLBACK}"
                    ));
                }
                if !args.oidc_scopes.split(' ').any(|scope| scope == "openid") {
                    return Err("--oidc-scopes: openid must be among them".to_owned());
                }
                Some(OidcConfig {
                    issuer,
                    client_id,
                    client_secret: args.oidc_client_secret_file,
                    redirect,
                    scopes: args.oidc_scopes,
                    ca: args.oidc_ca_file,
                })
            }
            _ => {
                return Err(
                    "--oidc-issuer, --oidc-client-id and --oidc-redirect-url: give all three"
                        .to_owned(),
                );
            }
        };
        Ok(Self { login: args.login.unwrap_or(usual), read_only: args.read_only, oidc })
    }
}
