//! What requests to kubelets go through: connections, TLS and credentials of one reading of the
//! settings, and another one once those are refused.

use std::sync::{Arc, PoisonError};

use http::HeaderValue;
use model::Hop;
use rustls::ClientConfig;

use super::pool::Pool;
use super::{Credentials, KubeletClient, credentials};
use crate::connect::{ConnectError, Connection, Way};
use crate::failure::Failure;
use crate::tls::NodeNames;

/// Connections, TLS and credentials of one reading of the settings.
pub(super) struct Door {
    pub(super) pool: Pool,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) verifies: bool,
    credentials: Credentials,
    way: Arc<Way>,
}

impl Door {
    pub(super) fn new(
        connection: &Connection,
        way: Arc<Way>,
        names: &Arc<NodeNames>,
    ) -> Result<Self, ConnectError> {
        let (tls, verifies) = credentials::tls(connection, &way.config, Arc::clone(names))?;
        let credentials =
            Credentials::new(&way.config).map_err(|error| connection.explain(&error, "nodes"))?;
        Ok(Self { pool: Pool::new(&tls), tls, verifies, credentials, way })
    }
}

/// A door with the header that authenticates us to kubelets. `None` without https: a token must
/// not cross the network in clear.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(super) door: Arc<Door>,
    pub(super) authorization: Option<HeaderValue>,
}

impl Entry {
    /// Whether a token is shown.
    pub(crate) fn has_token(&self) -> bool {
        self.authorization.is_some()
    }
}

impl KubeletClient {
    pub(super) fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The way in, credentials read anew where they come from a file or command.
    pub(crate) async fn entry(&self) -> Result<Entry, Failure> {
        let door = self.door();
        match self.through(Arc::clone(&door)).await {
            Ok(entry) => Ok(entry),
            Err(failure) => match self.newer_door(&door).await {
                Some(newer) => self.through(newer).await,
                None => Err(failure),
            },
        }
    }

    async fn through(&self, door: Arc<Door>) -> Result<Entry, Failure> {
        if !self.https {
            return Ok(Entry { door, authorization: None });
        }
        let header = door.credentials.header().await.map_err(|reason| Failure {
            hop: Hop::Authentication,
            reason: format!("no credentials for kubelets: {reason}"),
            advice: "check the token file or login command of the connection".to_owned(),
        })?;
        Ok(Entry { door, authorization: header })
    }

    /// A way in by newer settings than `refused`; `None` when there are none.
    pub(super) async fn newer_than(&self, refused: &Entry) -> Option<Entry> {
        let door = self.newer_door(&refused.door).await?;
        self.through(door).await.ok()
    }

    async fn newer_door(&self, refused: &Arc<Door>) -> Option<Arc<Door>> {
        let current = self.door();
        if !Arc::ptr_eq(&current, refused) {
            return Some(current);
        }
        let way = self.connection.renewal.newer_than(&refused.way).await?;
        let mut place = self.door.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&place, refused) {
            return Some(Arc::clone(&place));
        }
        match Door::new(&self.connection, way, &self.names) {
            Ok(door) => {
                *place = Arc::new(door);
                Some(Arc::clone(&place))
            }
            Err(error) => {
                tracing::warn!(%error, "renewed credentials cannot be used with kubelets");
                None
            }
        }
    }
}
