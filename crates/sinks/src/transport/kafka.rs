//! A Kafka producer: finds the leader of each of a topic's partitions and hands it one record
//! batch per chunk, a partition after the other.
//!
//! Requests are of the oldest versions that brokers from 1.0 to 4.x take. Any failure makes it
//! ask for the leaders again.

mod scram;
mod wire;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

use super::Outcome;
use super::peer::{Stream, connect};
use crate::settings::Secret;
use scram::Scram;
use wire::{Answer, Request};

pub(crate) use scram::Hash;
pub(crate) use wire::Compression;

/// Most bytes of one answer.
const MAX_ANSWER_BYTES: u32 = 16 << 20;

/// Where and how messages go. A chunk is a run of messages, each after its time in milliseconds
/// (eight bytes) and its length (four), both with the highest byte first.
#[derive(Debug)]
pub(crate) struct KafkaPlan {
    /// `host:port` of brokers to begin with.
    pub(crate) brokers: Vec<String>,
    pub(crate) topic: String,
    pub(crate) compression: Compression,
    pub(crate) sasl: Option<Sasl>,
    pub(crate) tls: bool,
}

/// Who asks, and how that is shown.
#[derive(Debug)]
pub(crate) struct Sasl {
    pub(crate) user: String,
    pub(crate) password: Secret,
    /// By SCRAM with this hash; else by PLAIN, which sends the password.
    pub(crate) scram: Option<Hash>,
}

#[derive(Debug)]
pub(super) struct KafkaSender {
    plan: KafkaPlan,
    tls: Arc<ClientConfig>,
    state: Mutex<State>,
}

/// What is known of the cluster.
#[derive(Debug, Default)]
struct State {
    /// Partitions with the addresses of their leaders.
    leaders: Vec<(i32, String)>,
    connections: HashMap<String, Connection>,
    /// Counts chunks, so that every partition gets its turn.
    turn: usize,
}

impl KafkaSender {
    /// Where the cluster is asked for.
    pub(super) fn brokers(&self) -> &[String] {
        &self.plan.brokers
    }

    pub(super) fn new(plan: KafkaPlan, tls: ClientConfig) -> Self {
        Self { plan, tls: Arc::new(tls), state: Mutex::default() }
    }

    pub(super) async fn send(&self, bytes: &[u8]) -> Outcome {
        let batch = match wire::record_batch(bytes, self.plan.compression) {
            Ok(batch) => batch,
            Err(reason) => return Outcome::Refused(reason.to_string()),
        };
        let mut state = self.state.lock().await;
        // Taken out, so that an attempt that is given up leaves no half-read answer behind.
        let mut known = std::mem::take(&mut *state);
        match self.produce(&mut known, &batch).await {
            Ok(0) => {
                *state = known;
                Outcome::Delivered
            }
            Ok(code) if wire::is_hopeless(code) => {
                *state = known;
                Outcome::Refused(wire::error_text(code))
            }
            Ok(code) => Outcome::failed(wire::error_text(code)),
            Err(error) => Outcome::failed(error),
        }
    }

    /// The broker's error code; 0 when it took the batch.
    async fn produce(&self, state: &mut State, batch: &[u8]) -> io::Result<i16> {
        if state.leaders.is_empty() {
            state.leaders = self.find_leaders(&mut state.connections).await?;
        }
        state.turn = state.turn.wrapping_add(1);
        let Some((partition, leader)) = state.leaders.get(state.turn % state.leaders.len()) else {
            return Err(io::Error::other("the topic has no partition with a leader"));
        };
        let connection = match state.connections.entry(leader.clone()) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(self.connect(leader).await?)
            }
        };
        let answer = connection.ask(&wire::produce(&self.plan.topic, *partition, batch)).await?;
        answer.produced()
    }

    async fn find_leaders(
        &self,
        connections: &mut HashMap<String, Connection>,
    ) -> io::Result<Vec<(i32, String)>> {
        let mut last = io::Error::other("no broker is named");
        for address in &self.plan.brokers {
            let found = async {
                let mut connection = self.connect(address).await?;
                let leaders = connection.ask(&wire::metadata(&self.plan.topic)).await?.leaders()?;
                Ok((connection, leaders))
            };
            match found.await {
                Ok((connection, leaders)) => {
                    connections.insert(address.clone(), connection);
                    return Ok(leaders);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect(&self, address: &str) -> io::Result<Connection> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
        let tls = self.plan.tls.then_some(&self.tls);
        let stream = connect(address, tls).await.map_err(named)?;
        let mut connection = Connection { stream, correlation: 0 };
        if let Some(sasl) = &self.plan.sasl {
            connection.log_in(sasl).await.map_err(named)?;
        }
        Ok(connection)
    }
}

/// A connection to one broker, one request at a time.
struct Connection {
    stream: Box<dyn Stream>,
    correlation: i32,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("correlation", &self.correlation).finish_non_exhaustive()
    }
}

impl Connection {
    async fn log_in(&mut self, sasl: &Sasl) -> io::Result<()> {
        let Sasl { user, password, scram } = sasl;
        let mechanism = match scram {
            None => "PLAIN",
            Some(Hash::Sha256) => "SCRAM-SHA-256",
            Some(Hash::Sha512) => "SCRAM-SHA-512",
        };
        self.ask(&wire::sasl_handshake(mechanism)).await?.sasl_offered()?;
        let Some(hash) = scram else {
            let proof = format!("\0{user}\0{}", password.reveal());
            return self.authenticate(&proof).await.map(drop);
        };
        let scram = Scram::new(*hash, user)?;
        let challenge = self.authenticate(&scram.first()).await?;
        let (last, verdict) = scram.last(&challenge, password.reveal())?;
        if self.authenticate(&last).await? == verdict {
            return Ok(());
        }
        Err(io::Error::other("the broker does not know the password: it is another one"))
    }

    async fn authenticate(&mut self, message: &str) -> io::Result<String> {
        self.ask(&wire::sasl_authenticate(message)).await?.sasl_accepted()
    }

    async fn ask(&mut self, request: &Request) -> io::Result<Answer> {
        self.correlation = self.correlation.wrapping_add(1);
        self.stream.write_all(&request.framed(self.correlation)).await?;
        self.stream.flush().await?;
        let length = self.stream.read_u32().await?;
        if length > MAX_ANSWER_BYTES {
            return Err(io::Error::other(format!("an answer of {length} bytes")));
        }
        let mut bytes = vec![0; length as usize];
        self.stream.read_exact(&mut bytes).await?;
        Answer::new(bytes, self.correlation)
    }
}
