//! Sending one chunk, once. Knows neither formats nor queues; who calls decides about repetition.

mod answer;
mod dial;
mod files;
mod finish;
mod google;
mod http;
mod kafka;
mod peer;
mod riemann;
mod sigv4;
mod smtp;
mod tcp;
mod tls;
mod udp;

use std::time::Duration;

use bytes::Bytes;
use model::Timestamp;
use tokio::time::timeout;

use crate::Error;
use crate::plan::Transport;
use crate::reach::Reached;
use crate::settings::Settings;
use peer::Caller;

pub(crate) use answer::Judge;
pub(crate) use dial::{Dialer, connector};
pub(crate) use files::FilesPlan;
pub(crate) use finish::Finish;
pub(crate) use google::{GoogleAccount, ServiceKey};
pub(crate) use http::{Body, HttpPlan, Preparation, Sign, Target};
pub(crate) use kafka::{Compression, Hash, KafkaPlan, Sasl};
pub(crate) use peer::Peer;
pub(crate) use sigv4::{SETTINGS as SIGNER_SETTINGS, Signer, push_encoded};
pub(crate) use smtp::{Encryption, SmtpPlan};

/// One or more chunks that go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    /// Its name for ever, wherever it is sent how often.
    pub(crate) id: String,
    /// The last chunk's id in its queue.
    pub(crate) through: u64,
    pub(crate) chunks: u64,
    /// The time of its first batch.
    pub(crate) time: Timestamp,
    pub(crate) points: u64,
    pub(crate) bytes: Bytes,
}

impl Parcel {
    /// A name for an object or file: day, time of day, id.
    pub(crate) fn object_name(&self) -> String {
        let time = jiff::Timestamp::from_second(self.time.secs()).unwrap_or_default();
        format!("{}-{}", time.strftime("%Y/%m/%d/%H%M%S"), self.id)
    }
}
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
    Tcp(Caller),
    Udp(String),
    Http(Box<http::HttpSender>),
    Riemann(Caller),
    Files(FilesPlan),
    Kafka(Box<kafka::KafkaSender>),
    Smtp(Box<smtp::SmtpSender>),
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
            Transport::Tcp(peer) => Way::Tcp(Caller::new(peer, settings)?),
            Transport::Udp(address) => Way::Udp(address),
            Transport::Http(plan) => {
                let tls = tls::config(settings, plan.needs_tls())?;
                Way::Http(Box::new(http::HttpSender::new(*plan, tls, settings)?))
            }
            Transport::Riemann(peer) => Way::Riemann(Caller::new(peer, settings)?),
            Transport::Files(plan) => Way::Files(plan),
            Transport::Kafka(plan) => {
                let tls = tls::config(settings, plan.tls)?;
                Way::Kafka(Box::new(kafka::KafkaSender::new(*plan, tls)))
            }
            Transport::Smtp(plan) => {
                let tls = tls::config(settings, plan.encryption != Encryption::None)?;
                let clock = settings.clock.clone();
                Way::Smtp(Box::new(smtp::SmtpSender::new(*plan, tls, clock)))
            }
        };
        Ok(Some(Self { way, limit }))
    }

    /// Whether the destination is there and knows us, without sending what it would keep.
    pub(crate) async fn reach(&self) -> Reached {
        let attempt = async {
            match &self.way {
                Way::Http(sender) => sender.reach().await,
                Way::Tcp(caller) | Way::Riemann(caller) => reach_tcp(caller.address()).await,
                Way::Udp(_) => Reached::Untold("datagrams are not answered".to_owned()),
                Way::Files(plan) => match tokio::fs::metadata(&plan.folder).await {
                    Ok(found) if found.is_dir() => Reached::Yes("the folder is there".to_owned()),
                    Ok(_) => Reached::No("it is no folder".to_owned()),
                    Err(error) => Reached::No(error.to_string()),
                },
                Way::Kafka(sender) => reach_any(sender.brokers()).await,
                Way::Smtp(sender) => reach_tcp(sender.server()).await,
            }
        };
        let late = || Reached::No(format!("no answer within {:?}", self.limit));
        timeout(self.limit, attempt).await.unwrap_or_else(|_| late())
    }

    /// What must be done before chunks are taken, such as making a database.
    pub(crate) async fn prepare(&self) -> Outcome {
        match &self.way {
            Way::Http(sender) => self.within(sender.prepare()).await,
            _ => Outcome::Delivered,
        }
    }

    /// One attempt.
    pub(crate) async fn send(&self, parcel: &Parcel) -> Outcome {
        match &self.way {
            Way::Tcp(caller) => self.within(tcp::send(caller, &parcel.bytes)).await,
            Way::Udp(address) => self.within(udp::send(address, &parcel.bytes)).await,
            Way::Http(sender) => self.within(sender.send(parcel)).await,
            Way::Files(plan) => self.within(files::send(plan, parcel)).await,
            Way::Riemann(caller) => self.within(riemann::send(caller, &parcel.bytes)).await,
            Way::Kafka(sender) => self.within(sender.send(&parcel.bytes)).await,
            Way::Smtp(sender) => self.within(sender.send(parcel)).await,
        }
    }

    async fn within(&self, attempt: impl Future<Output = Outcome>) -> Outcome {
        timeout(self.limit, attempt)
            .await
            .unwrap_or_else(|_| Outcome::failed(format_args!("not done within {:?}", self.limit)))
    }
}

async fn reach_tcp(address: &str) -> Reached {
    match tokio::net::TcpStream::connect(address).await {
        Ok(_) => Reached::Yes("it takes connections".to_owned()),
        Err(error) => Reached::No(error.to_string()),
    }
}

/// Any of several, the first error where none is there.
async fn reach_any(addresses: &[String]) -> Reached {
    let mut first = None;
    for address in addresses {
        match reach_tcp(address).await {
            Reached::No(reason) => first = first.or(Some(format!("{address}: {reason}"))),
            reached => return reached,
        }
    }
    Reached::No(first.unwrap_or_else(|| "there is no address".to_owned()))
}
