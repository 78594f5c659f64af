//! `taffrail demo`: a server over a simulated cluster, in one process. The server is the very one
//! that `taffrail serve` runs; it reaches the simulation over sockets, with TLS and a token.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use pipeline::Clock;
use sim::Sim;
use tokio::runtime::Handle;

use crate::app::App;
use crate::cli::DemoArgs;
use crate::cli::scrape::ScrapeConfig;
use crate::config::{ApisConfig, Config, Dialect, HistoryConfig};
use crate::exit::Failure;
use crate::input::Input;
use crate::{say, shutdown, simulation};

/// Shows the demo until a signal ends it; answers on the threads of `answering`.
pub(crate) async fn run(
    args: DemoArgs,
    self_metrics: PrometheusHandle,
    answering: &Handle,
) -> Result<(), Failure> {
    let stop = shutdown::on_signal()?;
    let sim = simulation::start(simulation::config(&args.world, Clock::system())?).await?;
    let kubeconfig = Kubeconfig::write(&sim, args.kubeconfig_out.clone())?;
    let folder = Folder::choose(args.data_dir.clone())?;
    let config = config(&args, &sim, &kubeconfig, &folder)?;
    let input = Input::resolve(&config).await?;
    let app = App::build(&config, input, self_metrics).await?;
    if let Some(address) = app.secure_address() {
        sim.control().lead(address, &api::API_SERVICES);
    }
    say(&greeting(&args, &app, &kubeconfig))?;
    let served = app.run(answering, stop.clone().cancelled_owned());
    let simulated = sim.run(stop.cancelled_owned());
    let (served, simulated) = tokio::join!(served, simulated);
    served?;
    simulated.map_err(|error| anyhow::anyhow!("the simulated cluster: {error}").into())
}

/// The demo's kubeconfig: the one that was asked for, else a temporary file that goes with it.
struct Kubeconfig {
    path: PathBuf,
    temporary: bool,
}

impl Kubeconfig {
    fn write(sim: &Sim, wanted: Option<PathBuf>) -> Result<Self, Failure> {
        let temporary = wanted.is_none();
        let path = wanted.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("taffrail-demo-{}.yaml", std::process::id()))
        });
        simulation::write_kubeconfig(&path, &sim.kubeconfig())?;
        Ok(Self { path, temporary })
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        if self.temporary {
            // Somebody else may have removed it; then nothing is left to do.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// The demo's folder of history: the one that was asked for, else a temporary one that goes with
/// it.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn choose(wanted: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(path) = wanted {
            return Ok(Self { path, temporary: false });
        }
        let path = std::env::temp_dir().join(format!("taffrail-demo-{}", std::process::id()));
        // Fails when it is there: it is not ours to remove then.
        std::fs::create_dir(&path).map_err(|error| {
            Failure::unavailable(format!(
                "create {}: {error}; give another folder with --data-dir=DIR",
                path.display()
            ))
        })?;
        Ok(Self { path, temporary: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "temporary history stays");
        }
    }
}

fn config(
    args: &DemoArgs,
    sim: &Sim,
    kubeconfig: &Kubeconfig,
    folder: &Folder,
) -> Result<Config, Failure> {
    let history = HistoryConfig {
        temporary: folder.temporary,
        ..args.kept.clone().in_folder(Some(folder.path.clone()))
    };
    let source = format!(
        "kubernetes.summary_api:?inClusterConfig=false&auth={}&kubeletHttps=true&kubeletPort={}",
        kubeconfig.path.display(),
        sim.kubelet_https_port(),
    );
    Config {
        source: Some(source),
        scrape: scraped(args.metric_resolution),
        listen: free(args.listen),
        resolution: Some(args.metric_resolution),
        history: Some(history),
        apis: ApisConfig::on_loopback(args.secure_port),
        ..Config::bare(Dialect::Taffrail)
    }
    .checked()
    .map_err(Failure::usage)
}

/// Everything that can be scraped, as often as kubelets are asked.
fn scraped(interval: Duration) -> ScrapeConfig {
    let settings = scrape::Settings {
        annotations: true,
        monitors: true,
        interval,
        timeout: interval.min(scrape::Settings::default().timeout),
        ..scrape::Settings::default()
    };
    ScrapeConfig { settings, ..ScrapeConfig::default() }
}

/// `wanted`, or a free port of the same address when somebody listens there already.
fn free(wanted: SocketAddr) -> SocketAddr {
    match std::net::TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::new(wanted.ip(), 0),
    }
}

fn greeting(args: &DemoArgs, app: &App, kubeconfig: &Kubeconfig) -> String {
    let (address, kept) = (app.address(), app.kept());
    let (world, kubectl) = (&args.world, kubeconfig.path.display());
    let also = match app.secure_address() {
        Some(_) => format!("kubectl --kubeconfig {kubectl} top pods -A"),
        None => format!("kubectl --kubeconfig {kubectl} get pods -A"),
    };
    format!(
        "Taffrail demo: http://{address}/\n\
         {} simulated nodes with {} pods each, measured every {} s, {kept}. Ctrl-C ends it.\n\
         Also try: {also}\n\
         On a real cluster: taffrail serve",
        world.nodes,
        world.pods_per_node,
        args.metric_resolution.as_secs(),
    )
}
