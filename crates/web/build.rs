//! Builds the dashboard through npm where that is needed and writes the table of its files; it does not know what the files are for.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Names a prebuilt `dist` for packagers who build the dashboard elsewhere.
const PREBUILT: &str = "TAFFRAIL_UI_DIST";

/// What the bundle is made from, below `ui/`.
const SOURCES: &[&str] = &[
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];

const INDEX: &str = "index.html";

/// Vite puts files with a content hash in their name here: they never change.
const HASHED: &str = "assets/";

type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let dist = if let Ok(prebuilt) = variable(PREBUILT) {
        let dist = PathBuf::from(prebuilt);
        if !dist.join(INDEX).is_file() {
            return Err(format!(
                "{PREBUILT}={}: no index.html in there; unset it or name the folder that `npm run build` wrote",
                dist.display()
            ));
        }
        println!("cargo::rerun-if-changed={}", dist.display());
        dist
    } else {
        let ui = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../ui");
        for source in SOURCES {
            println!("cargo::rerun-if-changed={}", ui.join(source).display());
        }
        built(&ui)?
    };
    embed(&dist, &out)
}

fn variable(name: &str) -> Outcome<String> {
    std::env::var(name).map_err(|error| format!("environment variable {name}: {error}"))
}

/// `ui/dist`, made anew where it is missing or older than its sources.
fn built(ui: &Path) -> Outcome<PathBuf> {
    let dist = ui.join("dist");
    let mut newest = SystemTime::UNIX_EPOCH;
    for source in SOURCES {
        newest = newest.max(newest_change(&ui.join(source))?);
    }
    if changed(&dist.join(INDEX)).is_some_and(|built| built >= newest) {
        return Ok(dist);
    }
    let installed = changed(&ui.join("node_modules/.package-lock.json"));
    if installed.is_none() || installed < changed(&ui.join("package-lock.json")) {
        npm(ui, &["ci", "--no-audit", "--no-fund"])?;
    }
    npm(ui, &["run", "build"])?;
    Ok(dist)
}

fn npm(ui: &Path, arguments: &[&str]) -> Outcome {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(ui)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            format!(
                "the dashboard is built by npm, which did not start ({error}): install Node.js 20.19 or later (https://nodejs.org), or point {PREBUILT} at a prebuilt ui/dist"
            )
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`npm {}` in {} ended with {}:\n{}{}",
        arguments.join(" "),
        ui.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    ))
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// The newest modification below `path`; folders count too, so that a deletion is seen.
fn newest_change(path: &Path) -> Outcome<SystemTime> {
    let mut newest =
        changed(path).ok_or_else(|| format!("{}: missing from the source tree", path.display()))?;
    if path.is_dir() {
        for entry in entries(path)? {
            newest = newest.max(newest_change(&entry)?);
        }
    }
    Ok(newest)
}

fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut paths =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    list().map_err(failed("read", folder))
}

fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> String {
    let place = format!("{doing} {}", path.display());
    move |error| format!("{place}: {error}")
}

/// Copies `dist` to where the compiler reads it and writes `assets.rs`, sorted by path.
fn embed(dist: &Path, out: &Path) -> Outcome {
    let mut files = Vec::new();
    collect(dist, dist, &mut files)?;
    files.sort();
    let folder = out.join("dist");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed("remove", &folder))?;
    }
    fs::create_dir_all(&folder).map_err(failed("create", &folder))?;
    let mut table = String::from("pub(crate) static ASSETS: &[(&str, Asset)] = &[\n");
    for (index, path) in files.iter().enumerate() {
        let bytes = fs::read(dist.join(path)).map_err(failed("read", &dist.join(path)))?;
        let packed = gzip(&bytes).map_err(|error| format!("compress {path}: {error}"))?;
        // The page is changed before it is served, and small.
        let (form, kept) = if path != INDEX && packed.len() < bytes.len() {
            ("Gzip", &packed)
        } else {
            ("Plain", &bytes)
        };
        write(&folder.join(index.to_string()), kept)?;
        writeln!(
            table,
            "    ({path:?}, Asset {{ content: Content::{form}({}), content_type: {:?}, etag: {:?}, immutable: {} }}),",
            include(&index.to_string()),
            content_type(path)?,
            format!("\"{:016x}\"", fnv1a(&bytes)),
            path.starts_with(HASHED),
        )
        .map_err(|error| error.to_string())?;
    }
    table.push_str("];\n");
    write(&out.join("assets.rs"), table.as_bytes())
}

fn include(name: &str) -> String {
    format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/dist/{name}\"))")
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::write(path, bytes).map_err(failed("write", path))
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> Outcome {
    for path in entries(folder)? {
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            let segments: Vec<_> =
                relative.iter().map(|segment| segment.to_string_lossy()).collect();
            files.push(segments.join("/"));
        }
    }
    Ok(())
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn content_type(path: &str) -> Outcome<&'static str> {
    match Path::new(path).extension().and_then(OsStr::to_str) {
        Some("html") => Ok("text/html; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("json") => Ok("application/json"),
        Some("svg") => Ok("image/svg+xml"),
        Some("png") => Ok("image/png"),
        Some("ico") => Ok("image/x-icon"),
        Some("woff2") => Ok("font/woff2"),
        Some("wasm") => Ok("application/wasm"),
        Some("webmanifest") => Ok("application/manifest+json"),
        Some("md") => Ok("text/markdown; charset=utf-8"),
        Some("txt") => Ok("text/plain; charset=utf-8"),
        _ => Err(format!("{path}: say its content type in crates/web/build.rs")),
    }
}

/// FNV-1a, 64 bits: enough to tell two builds of a file apart.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
