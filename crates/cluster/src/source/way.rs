//! Which way the kubelets of this cluster are asked, and why: what an operator sees in one line.

use crate::connect::Origin;
use crate::options::Via;

/// How many kubelets answered in the last tick, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// At their own addresses.
    pub(super) direct: usize,
    /// Through the API server's node proxy.
    pub(super) proxied: usize,
    /// Not at all.
    pub(super) failed: usize,
}

/// The way to the kubelets that this process asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletWay {
    /// `direct`, `proxy`, `both`, or `none` while none has answered.
    pub way: &'static str,
    /// Why that one, in a sentence for people.
    pub why: String,
    /// Kubelets that answered at their own addresses in the last tick.
    pub direct: usize,
    /// Kubelets that answered through the API server's node proxy.
    pub proxied: usize,
    /// Kubelets that did not answer.
    pub failed: usize,
}

impl KubeletWay {
    /// From the option, where we are, what answered, and whether the proxy is known to be allowed.
    pub(super) fn of(via: Via, origin: &Origin, count: Count, allowed: Option<bool>) -> Self {
        let Count { direct, proxied, failed } = count;
        let way = match (direct > 0, proxied > 0) {
            (true, true) => "both",
            (true, false) => "direct",
            (false, true) => "proxy",
            (false, false) => "none",
        };
        let why = why(via, origin, count, allowed);
        Self { way, why, direct, proxied, failed }
    }
}

fn why(via: Via, origin: &Origin, count: Count, allowed: Option<bool>) -> String {
    let inside = matches!(origin, Origin::InCluster);
    match via {
        Via::Direct => {
            "kubeletVia=direct: kubelets are asked at their own addresses only".to_owned()
        }
        Via::Proxy => "kubeletVia=proxy: the API server's node proxy asks them, which needs the \
                       right nodes/proxy"
            .to_owned(),
        Via::Auto if inside => "inside the cluster kubelets are asked at their own addresses; the \
                                node proxy is never used there"
            .to_owned(),
        Via::Auto if count.proxied > 0 => format!(
            "{} of {} kubelets are not reached at their own addresses from here, and our own \
             rights let the API server's node proxy stand in",
            count.proxied,
            count.direct + count.proxied + count.failed
        ),
        Via::Auto if count.direct > 0 => {
            "kubelets are reached at their own addresses from here".to_owned()
        }
        Via::Auto if count.failed == 0 => "no kubelet has been asked yet".to_owned(),
        Via::Auto => match allowed {
            Some(false) => "kubelets are not reached at their own addresses from here, and our \
                            own rights do not allow the API server's node proxy (get nodes/proxy)"
                .to_owned(),
            Some(true) => "neither their own addresses nor the API server's node proxy leads to \
                           the kubelets"
                .to_owned(),
            None => "no kubelet answers at its own address".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_one_that_decided() {
        let count = |direct, proxied, failed| Count { direct, proxied, failed };
        for (via, origin, count, allowed, way, said) in [
            (Via::Auto, Origin::InCluster, count(3, 0, 0), None, "direct", "inside the cluster"),
            (Via::Auto, Origin::Uri, count(3, 0, 0), None, "direct", "reached at their own"),
            (Via::Auto, Origin::Uri, count(1, 2, 0), Some(true), "both", "2 of 3 kubelets"),
            (Via::Auto, Origin::Uri, count(0, 3, 0), Some(true), "proxy", "our own rights let"),
            (Via::Auto, Origin::Uri, count(0, 0, 3), Some(false), "none", "get nodes/proxy"),
            (Via::Auto, Origin::Uri, count(0, 0, 3), Some(true), "none", "neither"),
            (Via::Auto, Origin::Uri, count(0, 0, 0), None, "none", "asked yet"),
            (Via::Proxy, Origin::Uri, count(0, 3, 0), None, "proxy", "kubeletVia=proxy"),
            (Via::Direct, Origin::Uri, count(3, 0, 0), None, "direct", "kubeletVia=direct"),
        ] {
            let told = KubeletWay::of(via, &origin, count, allowed);
            assert_eq!(told.way, way, "{told:?}");
            assert!(told.why.contains(said), "{told:?} does not say {said}");
        }
    }
}
