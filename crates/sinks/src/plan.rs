//! What a kind of sink makes of its settings: how to encode, how to cut, how to send.

use model::{Alert, Batch, Event, Timestamp};

use crate::chunks::{Chunks, Framing};
use crate::transport::{FilesPlan, HttpPlan, KafkaPlan, Peer, SmtpPlan};

/// Turns a batch into points of somebody else's format. Pure: no I/O, no clock.
pub(crate) trait Encode: Send {
    /// Writes every point of `batch`.
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>);
}

/// Turns events into somebody else's format. Pure: no I/O, no clock.
pub(crate) trait EncodeEvents: Send {
    /// Writes what comes before the events of the batch of `timestamp`, if anything does.
    fn begin(&mut self, timestamp: Timestamp, out: &mut Chunks<'_>) {
        let _ = (timestamp, out);
    }

    /// Writes one event of the batch of `timestamp`.
    fn event(&mut self, timestamp: Timestamp, event: &Event, out: &mut Chunks<'_>);
}

/// Turns alerts into somebody else's format. Pure: no I/O, no clock.
pub(crate) trait EncodeAlerts: Send {
    /// Writes one alert of the batch of `timestamp`.
    fn alert(&mut self, timestamp: Timestamp, alert: &Alert, out: &mut Chunks<'_>);
}

/// How chunks reach their destination.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Written at once to the output that the caller gave; no queue.
    Output,
    /// A connection for each chunk, done when the other side closes it.
    Tcp(Peer),
    /// Datagrams to `host:port`: nobody says whether they arrive.
    Udp(String),
    /// A request for each chunk.
    Http(Box<HttpPlan>),
    /// A message of Riemann's for each chunk.
    Riemann(Peer),
    /// A file for each parcel.
    Files(FilesPlan),
    /// A record batch for each chunk.
    Kafka(Box<KafkaPlan>),
    /// A message for each parcel.
    Smtp(Box<SmtpPlan>),
}

impl Transport {
    /// The destination, for people and for the queue's folder. Without secrets.
    pub(crate) fn destination(&self) -> String {
        match self {
            Self::Output => "output".to_owned(),
            Self::Tcp(peer) => peer.shown("tcp", "tls"),
            Self::Udp(address) => format!("udp://{address}"),
            Self::Files(files) => format!("file://{}", files.folder.display()),
            Self::Riemann(peer) => peer.shown("riemann", "riemann+tls"),
            Self::Kafka(kafka) => format!("kafka://{}/{}", kafka.brokers.join(","), kafka.topic),
            Self::Smtp(smtp) => format!("smtp://{}/{}", smtp.server, smtp.to.join(",")),
            Self::Http(http) => format!("{}{}", http.base, http.destination),
        }
    }
}

/// Everything that is particular to one configured sink, of metrics unless it says otherwise.
pub(crate) struct Plan<E: ?Sized = dyn Encode> {
    pub(crate) encode: Box<E>,
    pub(crate) framing: Framing,
    pub(crate) transport: Transport,
    /// How many chunks may be under way at once; 1 keeps their order.
    pub(crate) concurrency: usize,
}

/// The plan of a sink of events.
pub(crate) type EventPlan = Plan<dyn EncodeEvents>;

/// The plan of a sink of alerts.
pub(crate) type AlertPlan = Plan<dyn EncodeAlerts>;
