//! Targets: what is asked, how often, and under which labels its samples are kept.

use std::sync::Arc;
use std::time::Duration;

use model::{ScrapeParams, SeriesPairs as Pairs};
use once::Order as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::labels::{Labels, Pool as Texts};
use crate::pool::Pool;
use crate::relabel;

/// What is written as %XX in a path: all but what RFC 3986 lets stand there, and `%` itself.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b'%');

/// Something that is scraped.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Unlike any other's; equal as long as nothing about it changes.
    pub(crate) key: Arc<str>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) url: String,
    /// What its samples get.
    pub(crate) labels: Arc<Pairs>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    /// What it was discovered with, sorted; empty unless asked for.
    pub(crate) discovered: Vec<(String, String)>,
}

/// What became of discovered labels.
#[derive(Debug)]
pub(crate) enum Placed {
    Target(Box<Target>),
    /// Relabelling drops it.
    Dropped,
    /// It cannot be asked.
    Wrong(String),
}

/// Makes a target of discovered labels, as Prometheus does.
pub(crate) fn place(
    pool: &Arc<Pool>,
    mut labels: Labels<'_>,
    show: bool,
    texts: &mut Texts,
) -> Placed {
    for (name, value) in &pool.presets {
        if !labels.has(name) {
            labels.push(name.clone(), value.clone());
        }
    }
    let discovered = if show { labels.sorted() } else { Vec::new() };
    if !relabel::apply(&pool.rules, &mut labels) {
        return Placed::Dropped;
    }
    match finished(&labels, &pool.params) {
        Ok((url, interval, timeout)) => {
            if !labels.has("instance") {
                let address = with_port(labels.get("__address__"), labels.get("__scheme__"));
                labels.set("instance", address);
            }
            labels.retain(|name| !name.starts_with("__"));
            let labels = labels.finish(texts);
            let mut key = format!("{} {url} {}s", pool.name, interval.as_secs_f64());
            for (name, value) in &*labels {
                key.extend([" ", name, "=", value]);
            }
            let (key, pool) = (key.into(), Arc::clone(pool));
            Placed::Target(Target { key, pool, url, labels, interval, timeout, discovered }.into())
        }
        Err(why) => Placed::Wrong(why),
    }
}

fn finished(
    labels: &Labels<'_>,
    params: &ScrapeParams,
) -> Result<(String, Duration, Duration), String> {
    let (address, scheme) = (labels.get("__address__"), labels.get("__scheme__"));
    if address.is_empty() {
        return Err("it has no address".to_owned());
    }
    if !matches!(scheme, "http" | "https") {
        return Err(format!("its scheme `{scheme}` is neither http nor https"));
    }
    let time = |label: &str| {
        let text = labels.get(label);
        duration(text).ok_or_else(|| format!("its {label} `{text}` is no duration"))
    };
    let (interval, timeout) = (time("__scrape_interval__")?, time("__scrape_timeout__")?);
    if interval < crate::limits::MIN_INTERVAL {
        return Err(format!("its interval of {interval:?} is too short: 1s at least"));
    }
    if timeout.is_zero() || timeout > interval {
        return Err(format!(
            "its timeout of {timeout:?} is not within its interval of {interval:?}"
        ));
    }
    let mut url = format!("{scheme}://{}", with_port(address, scheme));
    let path = labels.get("__metrics_path__");
    if !path.starts_with('/') {
        url.push('/');
    }
    url.extend(utf8_percent_encode(path, PATH));
    let query = query(labels, params);
    if !query.is_empty() {
        url.extend(["?", &query]);
    }
    url.parse::<http::Uri>().map_err(|error| format!("{url} is no URL: {error}"))?;
    Ok((url, interval, timeout))
}

/// The query: of every parameter the first value can be relabelled.
fn query(labels: &Labels<'_>, params: &ScrapeParams) -> String {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for (name, values) in params {
        pairs.extend(values.iter().skip(1).map(|value| (&**name, &**value)));
    }
    for (name, value) in labels.iter() {
        if let Some(name) = name.strip_prefix("__param_") {
            pairs.insert(0, (name, value));
        }
    }
    pairs.order_by_key(|(name, _)| *name);
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// An address with its scheme's port unless it has one.
fn with_port(address: &str, scheme: &str) -> String {
    let has_port = match address.rsplit_once(':') {
        Some((host, port)) => {
            !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']'))
        }
        None => false,
    };
    let bare = address.contains(':') && !address.starts_with('[') && !has_port;
    let port = if scheme == "https" { 443 } else { 80 };
    match (has_port, bare) {
        (true, _) => address.to_owned(),
        (false, true) => format!("[{address}]:{port}"),
        (false, false) => format!("{address}:{port}"),
    }
}

/// A duration as Prometheus writes it (`1m30s`, `250ms`).
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut whole = Duration::ZERO;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        // Greater units first, each at most once.
        if millis >= last {
            return None;
        }
        last = millis;
        let part = number.parse::<u64>().ok()?.checked_mul(millis)?;
        whole = whole.checked_add(Duration::from_millis(part))?;
        rest = after;
    }
    (last != u64::MAX || text == "0").then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_prometheus_writes_them() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("250ms", Some(250)),
            ("1h", Some(3_600_000)),
            ("30", None),
            ("s", None),
            ("", None),
            ("1s1m", None),
            ("1x", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }

    #[test]
    fn addresses_get_the_port_of_their_scheme() {
        for (address, scheme, expected) in [
            ("10.0.0.1", "http", "10.0.0.1:80"),
            ("10.0.0.1:9100", "https", "10.0.0.1:9100"),
            ("host", "https", "host:443"),
            ("fd00::1", "http", "[fd00::1]:80"),
            ("[fd00::1]", "http", "[fd00::1]:80"),
            ("[fd00::1]:81", "http", "[fd00::1]:81"),
        ] {
            assert_eq!(with_port(address, scheme), expected);
        }
    }

    #[test]
    fn urls_have_their_parameters() {
        let labels: Labels<'_> = [
            ("__address__", "a:1"),
            ("__scheme__", "http"),
            ("__metrics_path__", "/probe me"),
            ("__scrape_interval__", "10s"),
            ("__scrape_timeout__", "5s"),
            ("__param_module", "x y"),
            ("__param_extra", "1"),
        ]
        .into_iter()
        .collect();
        let params: ScrapeParams =
            Box::new([("module".into(), Box::new(["first".into(), "second".into()]))]);
        let (url, interval, timeout) = finished(&labels, &params).unwrap();
        assert_eq!(url, "http://a:1/probe%20me?extra=1&module=x+y&module=second");
        assert_eq!((interval, timeout), (Duration::from_secs(10), Duration::from_secs(5)));
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        let check = |changes: &[(&'static str, &'static str)], expected: &str| {
            let mut labels: Labels<'_> = [
                ("__address__", "a:1"),
                ("__scheme__", "http"),
                ("__metrics_path__", "/metrics"),
                ("__scrape_interval__", "10s"),
                ("__scrape_timeout__", "5s"),
            ]
            .into_iter()
            .collect();
            for (name, value) in changes {
                labels.set(*name, *value);
            }
            let error = finished(&labels, &ScrapeParams::default()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(&[("__address__", "")], "no address");
        check(&[("__scheme__", "ftp")], "neither http nor https");
        check(&[("__scrape_interval__", "soon")], "no duration");
        check(&[("__scrape_timeout__", "11s")], "not within its interval");
        check(&[("__scrape_interval__", "10ms"), ("__scrape_timeout__", "5ms")], "too short");
        check(&[("__address__", "a b")], "no URL");
    }
}
