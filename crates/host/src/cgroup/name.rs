//! Names of cgroups, told from their paths as systemd and container runtimes lay them out.

/// A container's id has so many hexadecimal digits; so many are shown.
const ID_DIGITS: usize = 64;
const SHORT_ID_DIGITS: usize = 12;

/// What a shown cgroup is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: String,
    /// Whether it is a container, whose inside is not shown.
    pub(super) is_container: bool,
}

/// The name of the cgroup at `path` (`/system.slice/ssh.service`); `None` for one that is not
/// shown.
pub(super) fn of(path: &str) -> Option<Name> {
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let last = parts.pop()?;
    if let Some(id) = container_id(last) {
        return container(last, id, &parts);
    }
    let shown = |text: String| Some(Name { text, is_container: false });
    if let Some(uid) = pod_uid(last) {
        return shown(format!("pod{}", uid.replace('_', "-")));
    }
    // Inside a user's session manager only containers are of interest.
    if parts.iter().any(|part| part.starts_with("user@")) {
        return None;
    }
    if matches!(parts[..], ["kubepods"]) {
        return shown(format!("kubepods-{last}"));
    }
    let in_session = parts.iter().any(|part| part.starts_with("user-"));
    let kind = last.rsplit_once('.').map(|(_, kind)| kind);
    let is_unit = match kind {
        Some("slice" | "service") => true,
        Some("scope") => !in_session,
        _ => false,
    };
    let is_other_unit = matches!(kind, Some("mount" | "socket" | "swap"));
    if is_unit || (parts.is_empty() && !is_other_unit) {
        return shown(last.replace("\\x2d", "-"));
    }
    None
}

/// The id in a folder's name: the folder's whole name, or between a prefix and `.scope`.
fn container_id(folder: &str) -> Option<&str> {
    let bare = folder.strip_suffix(".scope").unwrap_or(folder);
    let id = bare.rsplit_once(['-', ':']).map_or(bare, |(_, id)| id);
    (id.len() == ID_DIGITS && id.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(id)
}

fn container(folder: &str, id: &str, parents: &[&str]) -> Option<Name> {
    let (prefix, _) = folder.split_once(id)?;
    if prefix.contains("conmon") {
        return None;
    }
    let inside = |name: &str| parents.contains(&name);
    let runtime = match prefix.trim_end_matches(['-', ':']) {
        "docker" => "docker",
        "crio" => "cri-o",
        prefix if prefix.starts_with("libpod") => "podman",
        prefix if prefix.contains("containerd") => "containerd",
        "" if inside("docker") => "docker",
        "" if inside("libpod_parent") => "podman",
        _ => "container",
    };
    let short: String = id.chars().take(SHORT_ID_DIGITS).collect();
    Some(Name { text: format!("{runtime}-{short}"), is_container: true })
}

/// The uid in `pod<uid>` or `kubepods-burstable-pod<uid>.slice`.
fn pod_uid(folder: &str) -> Option<&str> {
    let bare = match folder.strip_suffix(".slice") {
        Some(slice) if slice.starts_with("kubepods") => slice.rsplit_once('-')?.1,
        Some(_) => return None,
        None => folder,
    };
    let uid = bare.strip_prefix("pod")?;
    let is_uid = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-' || byte == b'_';
    (uid.len() >= 32 && uid.bytes().all(is_uid)).then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let path = path.replace("ID", &"0123456789abcdef".repeat(4));
        let name = of(&path).map_or_else(String::new, |name| {
            format!("{}{}", name.text, if name.is_container { "*" } else { "" })
        });
        assert_eq!(name, expected, "{path}");
    }

    #[test]
    fn names_follow_the_path() {
        for (path, expected) in [
            ("", ""),
            ("/system.slice", "system.slice"),
            ("/system.slice/ssh.service", "ssh.service"),
            ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
            ("/system.slice/dev-hugepages.mount", ""),
            ("/dev-hugepages.mount", ""),
            ("/init.scope", "init.scope"),
            ("/process_api", "process_api"),
            ("/process_api/cd628d8bd2823d944798b98ee38cfa9e", ""),
            ("/user.slice/user-1000.slice", "user-1000.slice"),
            ("/user.slice/user-1000.slice/session-3.scope", ""),
            ("/user.slice/user-1000.slice/user@1000.service", "user@1000.service"),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice", ""),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
                "podman-0123456789ab*",
            ),
            ("/docker", "docker"),
            ("/docker/ID", "docker-0123456789ab*"),
            ("/system.slice/docker-ID.scope", "docker-0123456789ab*"),
            ("/machine.slice/libpod-conmon-ID.scope", ""),
            ("/machine.slice/machine-qemu\\x2d1.scope", "machine-qemu-1.scope"),
            ("/kubepods", "kubepods"),
            ("/kubepods/burstable", "kubepods-burstable"),
            (
                "/kubepods/burstable/pod8eafaeff-3a48-4891-b7d0-2e276c2df931",
                "pod8eafaeff-3a48-4891-b7d0-2e276c2df931",
            ),
            (
                "/kubepods/burstable/pod8eafaeff-3a48-4891-b7d0-2e276c2df931/ID",
                "container-0123456789ab*",
            ),
            (
                "/kubepods.slice/kubepods-pod8eafaeff_3a48_4891_b7d0_2e276c2df931.slice",
                "pod8eafaeff-3a48-4891-b7d0-2e276c2df931",
            ),
            ("/kubepods.slice/kubepods-burstable.slice", "kubepods-burstable.slice"),
            ("/kubepods.slice/cri-containerd-ID.scope", "containerd-0123456789ab*"),
            ("/kubepods.slice/cri-containerd:ID", "containerd-0123456789ab*"),
            ("/kubepods.slice/crio-ID.scope", "cri-o-0123456789ab*"),
        ] {
            check(path, expected);
        }
    }
}
