//! Whether a sink's destination is there and lets us in, tried without sending it anything that
//! it would keep.

use std::time::Duration;

use crate::plan::Transport;
use crate::transport::Sender;
use crate::{Error, Kind};
use model::LabelOptions;

/// How a destination was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It answered, or took a connection: what was seen.
    Yes(String),
    /// It cannot be told without sending (datagrams, output).
    Untold(String),
    /// It was not reached: why.
    No(String),
    /// It was reached and does not accept who we are: what it says.
    Stranger(String),
}

/// A destination, for people and without secrets, and how it was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// `http://db:8086`.
    pub to: String,
    /// How it went.
    pub reached: Reached,
}

impl Kind {
    /// Tries a sink of these settings within `limit`, of events where it takes no metrics. The
    /// error is a mistake in the settings.
    pub async fn reach(
        &self,
        pairs: Vec<(String, String)>,
        limit: Duration,
    ) -> Result<Reach, Error> {
        let (transport, settings) = if self.takes_metrics() {
            let (plan, settings) = self.plan(pairs, LabelOptions::default())?;
            (plan.transport, settings)
        } else {
            let (plan, _, settings) = self.event_plan(pairs)?;
            (plan.transport, settings)
        };
        let to = transport.destination();
        let untold = match &transport {
            Transport::Output => Some("it prints".to_owned()),
            Transport::Udp(_) => Some("datagrams are not answered".to_owned()),
            _ => None,
        };
        let reached = match (untold, Sender::new(transport, limit, &settings)?) {
            (Some(why), _) => Reached::Untold(why),
            (None, Some(sender)) => sender.reach().await,
            (None, None) => Reached::Untold("it prints".to_owned()),
        };
        Ok(Reach { to, reached })
    }
}
