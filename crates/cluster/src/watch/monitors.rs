//! Watches of what only scraping needs: monitors of the Prometheus operator, and the services and
//! endpoint slices that they select. Each begins when the API server serves its kind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::SharedInventory;
use once::Order as _;
use tokio::time::sleep;

use super::{Kind, Watch, Watched, Watches};
use crate::Connection;
use crate::wire::object;

/// The group and version of monitors.
const MONITORS: &str = "monitoring.coreos.com/v1";
/// How often it is asked whether the kinds have come.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// Whether the API server serves monitors; shared and cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct MonitorKinds {
    /// Plural names that are missing.
    missing: Arc<Mutex<Vec<&'static str>>>,
}

impl MonitorKinds {
    /// Kinds that the API server does not serve, by their plural names. Nothing is wrong with
    /// that: then nobody asks by them to be scraped.
    pub fn missing(&self) -> Vec<&'static str> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, plural: &'static str, served: bool) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.retain(|known| *known != plural);
        if !served {
            missing.push(plural);
            missing.order();
        }
    }
}

impl Watches {
    /// Begins to watch monitors, and what they select, into `inventory`. Must run inside a
    /// runtime.
    pub fn follow_monitors(
        &mut self,
        connection: &Connection,
        inventory: &SharedInventory,
    ) -> MonitorKinds {
        let kinds = MonitorKinds::default();
        let watch = Watch {
            connection: connection.clone(),
            inventory: Arc::clone(inventory),
            board: self.board.clone(),
            clock: self.clock,
            paging: Arc::default(),
        };
        self.tasks.spawn(services(watch.clone(), kinds.clone()));
        self.tasks.spawn(pods(watch, kinds.clone()));
        kinds
    }
}

async fn services(watch: Watch, kinds: MonitorKinds) -> &'static str {
    let plural = object::ServiceMonitor::PLURAL;
    watch.served(plural, &kinds).await;
    for plural in [plural, object::Service::PLURAL, object::EndpointSlice::PLURAL] {
        watch.board.add(plural, watch.clock.now());
    }
    tokio::select! {
        ended = watch.clone().run(Kind::of::<object::ServiceMonitor>()) => ended,
        ended = watch.clone().run(Kind::of::<object::Service>()) => ended,
        ended = watch.run(Kind::of::<object::EndpointSlice>()) => ended,
    }
}

async fn pods(watch: Watch, kinds: MonitorKinds) -> &'static str {
    let plural = object::PodMonitor::PLURAL;
    watch.served(plural, &kinds).await;
    watch.board.add(plural, watch.clock.now());
    watch.run(Kind::of::<object::PodMonitor>()).await
}

impl Watch {
    /// Ends when the API server serves the kind.
    async fn served(&self, plural: &'static str, kinds: &MonitorKinds) {
        loop {
            match self.serves(plural).await {
                Ok(served) => {
                    kinds.note(plural, served);
                    if served {
                        return;
                    }
                }
                // That the API server is away is told elsewhere.
                Err(error) => tracing::debug!(%error, plural, "cannot ask whether it is served"),
            }
            sleep(ASK_EVERY).await;
        }
    }

    async fn serves(&self, plural: &str) -> Result<bool, kube::Error> {
        match self.connection.client().list_api_group_resources(MONITORS).await {
            Ok(kinds) => Ok(kinds.resources.iter().any(|kind| kind.name == plural)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }
}
