//! The settings `user`, `pw` and `token`, as sinks of today's stores show them over HTTP.

use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::Error;
use crate::settings::{Secret, Settings};

/// The settings `user`, `pw` and `pw_file`; without a password the empty one.
pub(crate) fn basic(settings: &Settings) -> Result<Option<(String, Secret)>, Error> {
    let password = settings.secret("pw", "pw_file")?;
    let user = settings.text("user");
    Ok(user.map(|user| (user.to_owned(), password.unwrap_or_else(|| Secret::from("")))))
}

/// The header of the settings `token` and `token_file`.
pub(crate) fn bearer(settings: &Settings) -> Result<Vec<(HeaderName, Secret)>, Error> {
    let token = settings.secret("token", "token_file")?;
    let header = |token: Secret| {
        let value = Secret::from(&*format!("Bearer {}", token.reveal()));
        (AUTHORIZATION, value)
    };
    Ok(token.map(header).into_iter().collect())
}
