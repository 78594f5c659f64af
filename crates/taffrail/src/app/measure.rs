//! From a resolved input to a source with what it needs around it.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, Connection, KubernetesSource, Watches};
use host::HostSource;
use metrics_exporter_prometheus::PrometheusHandle;
use model::SharedInventory;
use pipeline::{Clock, Source};

use super::replicas::Replicas;
use crate::config::{Config, ReplicaConfig};
use crate::diagnosis::Subject;
use crate::exit::Failure;
use crate::input::Input;

/// A source with what it needs around it.
pub(crate) struct Measured {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) inventory: SharedInventory,
    pub(crate) cluster: Option<(Watches, Connection)>,
    /// Where it is one of several.
    pub(super) replicas: Option<Replicas>,
    /// The source again, where it reads kubelets.
    pub(crate) kubelets: Option<Arc<KubernetesSource>>,
}

impl Measured {
    /// What a diagnosis of this process tries.
    pub(crate) fn subject(
        &self,
        config: &Config,
        clock: Clock,
        self_metrics: PrometheusHandle,
    ) -> Subject {
        let cluster = self.cluster.as_ref();
        // Only the kind: the rest of a sink's text may hold a password.
        let kind = |text: &String| text.split(':').next().unwrap_or_default().to_owned();
        Subject {
            connection: cluster.map(|(_, connection)| connection.clone()),
            watches: cluster.map(|(watches, _)| watches.board.clone()),
            sinks: config.sinks.iter().map(kind).collect(),
            monitors: config.scrape.settings.monitors,
            data_dir: config.history.as_ref().and_then(|history| history.dir.clone()),
            self_metrics,
            clock,
        }
    }
}

/// Makes the source, alone or as one of several replicas.
pub(super) async fn begin(
    config: &Config,
    input: Input,
    resolution: Duration,
    clock: Clock,
) -> Result<Measured, Failure> {
    match &config.replicas {
        Some(replica) => shared(replica, input, resolution, clock).await,
        None => measured(input, clock),
    }
}

/// Makes the source and, of a cluster, starts its watches.
pub(crate) fn measured(input: Input, clock: Clock) -> Result<Measured, Failure> {
    match input {
        Input::Host => {
            let inventory = SharedInventory::default();
            let options = host::Options::default();
            let source = HostSource::new(options, clock, Arc::clone(&inventory));
            Ok(Measured {
                source: Arc::new(source),
                inventory,
                cluster: None,
                kubelets: None,
                replicas: None,
            })
        }
        Input::Cluster(connection) => {
            let (source, inventory, watches) = of_cluster(&connection, clock)?;
            let source = Arc::new(source);
            Ok(Measured {
                kubelets: Some(Arc::clone(&source)),
                source,
                inventory,
                cluster: Some((watches, *connection)),
                replicas: None,
            })
        }
    }
}

/// The same as one of several replicas.
pub(super) async fn shared(
    replica: &ReplicaConfig,
    input: Input,
    resolution: Duration,
    clock: Clock,
) -> Result<Measured, Failure> {
    let Input::Cluster(connection) = input else {
        return Err(Failure::usage(
            "--lease-namespace: replicas share a cluster's nodes, and --source=host has none",
        ));
    };
    let (source, inventory, watches) = of_cluster(&connection, clock)?;
    let known = (&*connection, &inventory);
    let replicas = Replicas::around(source, replica, known, resolution, clock).await?;
    Ok(Measured {
        source: replicas.source(),
        inventory,
        cluster: Some((watches, *connection)),
        // As metrics-server's replicas, each asks all kubelets for CPU and memory: nothing changes
        // hands, and each answers as quickly as one alone.
        kubelets: Some(replicas.kubelets()),
        replicas: Some(replicas),
    })
}

fn of_cluster(
    connection: &Connection,
    clock: Clock,
) -> Result<(KubernetesSource, SharedInventory, Watches), Failure> {
    tracing::info!(url = connection.url(), settings = %connection.origin(), "API server");
    let Cluster { inventory, watches } = Cluster::start(connection, clock);
    let source = KubernetesSource::new(connection, Arc::clone(&inventory), clock)
        .map_err(Failure::config)?;
    for notice in source.notices() {
        tracing::warn!("{notice}");
    }
    Ok((source, inventory, watches))
}

/// Waits until a watch ends for good, which none does by itself.
pub(crate) async fn ended(watches: Option<&mut Watches>) -> String {
    match watches {
        Some(watches) => watches.ended().await,
        None => std::future::pending().await,
    }
}
