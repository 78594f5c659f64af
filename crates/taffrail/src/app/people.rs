//! Who may see what of this process, from its configuration.

use std::sync::Arc;

use api::{ApiServer, Login, OidcParts, PeopleParts};
use pipeline::Clock;

use super::measure::Measured;
use crate::adapters::{LetIn, Provider};
use crate::cli::{LoginChoice, is_loopback};
use crate::config::{Config, OidcConfig};
use crate::exit::Failure;
use crate::remote;

/// What the API is told about people.
pub(super) fn people(
    config: &Config,
    measured: &Measured,
    clock: Clock,
) -> Result<PeopleParts, Failure> {
    let wanted = &config.people;
    let connection = measured.cluster.as_ref().map(|(_, connection)| connection);
    if connection.is_none() && wanted.login != LoginChoice::Off {
        return Err(Failure::config(
            "--login: the source has no API server that could say who people are; serve on \
             loopback, or open it to everybody with --login=off",
        ));
    }
    Ok(PeopleParts {
        login: match wanted.login {
            LoginChoice::Off => Login::Off,
            LoginChoice::Dashboard => Login::Dashboard,
            LoginChoice::All => Login::All,
        },
        read_only: wanted.read_only,
        server: connection.map(|one| {
            let alone = is_loopback(config.listen.ip());
            Arc::new(LetIn { connection: one.clone(), alone }) as Arc<dyn ApiServer>
        }),
        oidc: wanted.oidc.as_ref().map(|oidc| provider(oidc, clock)).transpose()?,
    })
}

fn provider(config: &OidcConfig, clock: Clock) -> Result<OidcParts, Failure> {
    let secret = config.client_secret.as_ref().map(|path| {
        std::fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|error| {
            Failure::config(format!("--oidc-client-secret-file={}: {error}", path.display()))
        })
    });
    let client = remote::client(config.ca.as_deref(), "--oidc-ca-file", true)?;
    Ok(OidcParts {
        issuer: config.issuer.clone(),
        client_id: config.client_id.clone(),
        client_secret: secret.transpose()?,
        scopes: config.scopes.clone(),
        redirect: config.redirect.clone(),
        web: Arc::new(Provider(client)),
        clock: Arc::new(move || clock.now()),
    })
}
