//! Where history is kept when nobody says it: the platform's data folder, one folder a cluster.

use std::path::PathBuf;

/// The folder for what is called `name`, below the data folder that the environment names.
/// Each cluster gets its own: two of them in one history would be mixed up.
pub(super) fn default_dir(
    environment: &dyn Fn(&str) -> Option<String>,
    name: &str,
) -> Option<PathBuf> {
    let set = |variable| environment(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    // systemd's StateDirectory= is ours alone.
    let ours = set("STATE_DIRECTORY").or_else(|| {
        let data = set("XDG_DATA_HOME").or_else(|| {
            let below = if cfg!(target_os = "macos") {
                "Library/Application Support"
            } else {
                ".local/share"
            };
            set("HOME").map(|home| home.join(below))
        });
        data.map(|data| data.join("taffrail"))
    });
    ours.map(|ours| ours.join(file_name(name)))
}

/// `name` with what does not belong into a file's name replaced.
fn file_name(name: &str) -> String {
    let bare = name.trim_start_matches("https://").trim_start_matches("http://");
    let kept = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    let mut text: String = bare.chars().map(|c| if kept(c) { c } else { '-' }).collect();
    text.truncate(100);
    match text.trim_matches(['.', '-']) {
        "" => "default".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(set: &[(&str, &str)], name: &str, expected: Option<&str>) {
        let environment = |wanted: &str| {
            set.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(default_dir(&environment, name), expected.map(PathBuf::from), "{set:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_environment_names_the_folder() {
        check(&[], "x", None);
        check(&[("HOME", "/h")], "in-cluster", Some("/h/.local/share/taffrail/in-cluster"));
        check(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")], "host", Some("/d/taffrail/host"));
        check(&[("HOME", "/h"), ("XDG_DATA_HOME", "")], "a", Some("/h/.local/share/taffrail/a"));
        check(&[("STATE_DIRECTORY", "/s")], "kind-kind", Some("/s/kind-kind"));
    }

    #[test]
    fn any_name_becomes_one_plain_file_name() {
        assert_eq!(file_name("https://10.0.0.1:6443"), "10.0.0.1-6443");
        assert_eq!(file_name("admin@prod/eu"), "admin@prod-eu");
        assert_eq!(file_name("../.."), "default");
        assert_eq!(file_name(&"x".repeat(300)).len(), 100);
    }
}
