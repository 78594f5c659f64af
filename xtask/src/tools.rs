//! What the tests need besides Rust and Node: programs from Debian's packages, Python packages in
//! `target/tools/python`, and npm's in `target/tools/node`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Outcome, root, run};

/// (what is looked for, the package that brings it)
const TOOLS: &[(&str, &str)] = &[
    ("/usr/bin/chromium", "chromium"),
    ("/usr/bin/kubectl", "kubernetes-client"),
    ("/usr/bin/influxd", "influxdb"),
    ("/usr/bin/prometheus", "prometheus"),
    ("/usr/bin/prometheus-alertmanager", "prometheus-alertmanager"),
    ("/usr/bin/victoria-metrics", "victoria-metrics"),
    ("/usr/bin/vmagent", "victoria-metrics"),
    ("/usr/bin/carbon-cache", "graphite-carbon"),
    ("/usr/bin/tinyproxy", "tinyproxy"),
    ("/usr/bin/python3", "python3"),
    ("/usr/share/doc/python3-venv", "python3-venv"),
];

/// (what is looked for in the folder of Python packages, the package that brings it)
const PYTHON: &[(&str, &str)] = &[
    ("confluent_kafka", "confluent-kafka==2.16.1"),
    // Kubernetes' own schemas, of many versions.
    ("kubernetes_validate", "kubernetes-validate==1.37.0"),
    // Helm's own engine, as a library.
    ("helm_python", "helm-python-sdk==0.2.2"),
    ("duckdb", "duckdb==2.0.1"),
    ("pandas", "pandas==3.1.1"),
    ("pyarrow", "pyarrow==26.0.1"),
    // S3 as AWS answers it, with its checks of signatures.
    ("moto", "moto[server]==5.2.5"),
    // OpenTelemetry's own messages and services, to read what is sent.
    ("opentelemetry/proto", "opentelemetry-proto==1.45.2"),
    ("grpc", "grpcio==1.85.1"),
    // OpenTelemetry's own sender, over HTTP and gRPC.
    ("opentelemetry/sdk", "opentelemetry-sdk==1.45.2"),
    ("opentelemetry/exporter/otlp/proto/http", "opentelemetry-exporter-otlp-proto-http==1.45.2"),
    ("opentelemetry/exporter/otlp/proto/grpc", "opentelemetry-exporter-otlp-proto-grpc==1.45.2"),
    ("aiosmtpd", "aiosmtpd==1.4.6"),
];

/// (what is looked for in npm's folder, the package that brings it)
const NODE: &[(&str, &str)] = &[("statsd", "statsd@0.9.0")];

/// Installs what is missing; does nothing where all is there.
pub(crate) fn install() -> Outcome {
    debian()?;
    unpacked()?;
    python()?;
    node()
}

fn debian() -> Outcome {
    let missing: Vec<&str> =
        TOOLS.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing: {}", missing.join(", "));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))
    .map_err(|error| format!("{error}; install {} by hand and run again", missing.join(", ")))
}

/// Debian's kubectl, whichever other one is installed: an old client that real clusters still meet.
fn unpacked() -> Outcome {
    let folder = root().join("target/tools/kubernetes-client");
    if folder.join("usr/bin/kubectl").exists() {
        return Ok(());
    }
    println!("missing: kubernetes-client, unpacked");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["download", "-qq", "kubernetes-client"])
        .current_dir(&folder))?;
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let archive = files
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or("apt-get download left no package of kubernetes-client")?;
    run(Command::new("dpkg").arg("-x").arg(archive).arg(&folder))
}

fn python() -> Outcome {
    let folder = root().join("target/tools/python");
    let packages = packages(&folder);
    let missing: Vec<&str> = PYTHON
        .iter()
        .filter(|(name, _)| !packages.iter().any(|folder| folder.join(name).exists()))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing: {}", missing.join(", "));
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(&missing))
        .map_err(|error| format!("{error}; see that pip reaches PyPI and run again"))
}

fn node() -> Outcome {
    let folder = root().join("target/tools/node");
    let missing: Vec<&str> = NODE
        .iter()
        .filter(|(name, _)| !folder.join("node_modules").join(name).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing: {}", missing.join(", "));
    run(Command::new("npm")
        .args(["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--omit=optional"])
        .arg("--prefix")
        .arg(&folder)
        .args(&missing))
    .map_err(|error| format!("{error}; see that npm reaches its registry and run again"))
}

/// Where a virtual environment keeps its packages: below a folder named after Python's version.
fn packages(folder: &Path) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(folder.join("lib")).into_iter().flatten().flatten();
    versions.map(|entry| entry.path().join("site-packages")).collect()
}
