//! Sending one chunk, once. Knows neither formats nor queues; who calls decides about repetition.

mod http;
mod kafka;
mod riemann;
mod tcp;
mod tls;
mod udp;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use crate::Error;
use crate::plan::Transport;
use crate::settings::Settings;

pub(crate) use http::{Body, HttpPlan, Preparation};
pub(crate) use kafka::{Compression, KafkaPlan};
pub(crate) use tls::config as tls_config;

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The destination has it.
    Delivered,
    /// The destination will never take it.
    Refused(String),
    /// Another attempt may succeed.
    Failed {
        reason: String,
        /// How long the destination wants to be left alone.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    fn failed(reason: impl std::fmt::Display) -> Self {
        Self::Failed { reason: reason.to_string(), retry_after: None }
    }
}

/// A transport that is ready to send.
#[derive(Debug)]
pub(crate) struct Sender {
    way: Way,
    limit: Duration,
}

#[derive(Debug)]
enum Way {
    Tcp(String),
    Udp(String),
    Http(Box<http::HttpSender>),
    Riemann(String),
    Kafka(Box<kafka::KafkaSender>),
}

impl Sender {
    /// `None` for a transport that needs no sender. `limit` bounds one attempt.
    pub(crate) fn new(
        transport: Transport,
        limit: Duration,
        settings: &Settings,
    ) -> Result<Option<Self>, Error> {
        let way = match transport {
            Transport::Output => return Ok(None),
            Transport::Tcp(address) => Way::Tcp(address),
            Transport::Udp(address) => Way::Udp(address),
            Transport::Http(plan) => {
                let tls = tls::config(settings, plan.needs_tls())?;
                Way::Http(Box::new(http::HttpSender::new(*plan, tls)))
            }
            Transport::Riemann(address) => Way::Riemann(address),
            Transport::Kafka(plan) => {
                let tls = tls::config(settings, plan.tls)?;
                Way::Kafka(Box::new(kafka::KafkaSender::new(*plan, tls)))
            }
        };
        Ok(Some(Self { way, limit }))
    }

    /// What must be done before chunks are taken, such as making a database.
    pub(crate) async fn prepare(&self) -> Outcome {
        match &self.way {
            Way::Http(sender) => self.within(sender.prepare()).await,
            Way::Tcp(_) | Way::Udp(_) | Way::Riemann(_) | Way::Kafka(_) => Outcome::Delivered,
        }
    }

    /// One attempt.
    pub(crate) async fn send(&self, bytes: Bytes) -> Outcome {
        match &self.way {
            Way::Tcp(address) => self.within(tcp::send(address, &bytes)).await,
            Way::Udp(address) => self.within(udp::send(address, &bytes)).await,
            Way::Http(sender) => self.within(sender.send(bytes)).await,
            Way::Riemann(address) => self.within(riemann::send(address, &bytes)).await,
            Way::Kafka(sender) => self.within(sender.send(&bytes)).await,
        }
    }

    async fn within(&self, attempt: impl Future<Output = Outcome>) -> Outcome {
        timeout(self.limit, attempt)
            .await
            .unwrap_or_else(|_| Outcome::failed(format_args!("not done within {:?}", self.limit)))
    }
}
