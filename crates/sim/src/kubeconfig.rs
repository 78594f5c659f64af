//! The text of a kubeconfig file. Knows nothing of where it is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A kubeconfig for one cluster with one token. `ca_pem` is left out for plain HTTP.
pub(crate) fn write(server: &str, ca_pem: Option<&str>, token: &str) -> String {
    let authority = ca_pem.map_or(String::new(), |pem| {
        format!("    certificate-authority-data: {}\n", STANDARD.encode(pem))
    });
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: sim\nclusters:\n- name: sim\n  cluster:\n    \
         server: {server}\n{authority}contexts:\n- name: sim\n  context:\n    cluster: sim\n    \
         user: sim-admin\nusers:\n- name: sim-admin\n  user:\n    token: {token}\n"
    )
}
