//! The text of a kubeconfig file. Knows nothing of where it is written.

use std::fmt::Write;

/// A kubeconfig for one cluster with one token. `ca_pem` is left out for plain HTTP.
pub(crate) fn write(server: &str, ca_pem: Option<&str>, token: &str) -> String {
    let authority = ca_pem.map_or(String::new(), |pem| {
        format!("    certificate-authority-data: {}\n", base64(pem.as_bytes()))
    });
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: sim\nclusters:\n- name: sim\n  cluster:\n    \
         server: {server}\n{authority}contexts:\n- name: sim\n  context:\n    cluster: sim\n    \
         user: sim-admin\nusers:\n- name: sim-admin\n  user:\n    token: {token}\n"
    )
}

/// RFC 4648 base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for place in 0..4_usize {
            if place > group.len() {
                text.push('=');
                continue;
            }
            let Ok(()) =
                text.write_char(char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]))
            else {
                continue;
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_base64() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
