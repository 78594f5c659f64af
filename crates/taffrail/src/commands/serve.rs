//! `taffrail serve`, and the same when invoked as `heapster`.

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Handle;

use crate::app::App;
use crate::config::Config;
use crate::exit::Failure;
use crate::input::Input;
use crate::{say, shutdown};

/// Serves until a signal ends it; answers on the threads of `answering`.
pub(crate) async fn run(
    config: Config,
    self_metrics: PrometheusHandle,
    answering: &Handle,
) -> Result<(), Failure> {
    let stop = shutdown::on_signal()?;
    if config.attached {
        shutdown::at_end_of_input(&stop)?;
    }
    let input = Input::resolve(&config).await?;
    let app = App::build(&config, input, self_metrics).await?;
    say(&app.greeting(if config.tls.is_some() { "https" } else { "http" }))?;
    app.run(answering, stop.cancelled_owned()).await
}
