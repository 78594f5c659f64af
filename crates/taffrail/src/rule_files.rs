//! Rule files by name or pattern: found, read, checked.

use std::path::{Path, PathBuf};

use once::Order as _;
use regex::Regex;
use rules::{Group, MAX_FILE_BYTES};

/// Most files that patterns may find.
const MAX_FILES: usize = 1000;

/// The groups of every file that `patterns` name, or every mistake.
pub(crate) fn load(patterns: &[String]) -> Result<Vec<Group>, String> {
    let mut texts = Vec::new();
    for pattern in patterns {
        for path in expand(pattern)? {
            texts.push((path.display().to_string(), read(&path)?));
        }
        if texts.len() > MAX_FILES {
            return Err(format!("{pattern}: more than {MAX_FILES} rule files"));
        }
    }
    let files = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let checked = rules::check(files);
    if checked.mistakes.is_empty() {
        return Ok(checked.groups);
    }
    let told: Vec<String> = checked.mistakes.iter().map(ToString::to_string).collect();
    Err(told.join("\n"))
}

fn read(path: &Path) -> Result<String, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let length = std::fs::metadata(path).map_err(|error| wrong(&error))?.len();
    if length > MAX_FILE_BYTES as u64 {
        return Err(wrong(&format_args!("larger than {MAX_FILE_BYTES} bytes: split it")));
    }
    std::fs::read_to_string(path).map_err(|error| wrong(&error))
}

/// The files that `pattern` names: itself, or what `*`, `?` and `[…]` in its last part find.
pub(crate) fn expand(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let path = Path::new(pattern);
    let (folder, name) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => (folder, name.to_string_lossy()),
        _ => return Err(format!("{pattern}: names no file")),
    };
    if !name.contains(['*', '?', '[']) {
        return Ok(vec![path.to_owned()]);
    }
    let wanted = compiled(&name).ok_or_else(|| format!("{pattern}: a [ without its ]"))?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| wanted.is_match(name)))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    found.order();
    Ok(found)
}

fn compiled(name: &str) -> Option<Regex> {
    let mut pattern = String::from("^");
    for letter in name.chars() {
        match letter {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            '[' | ']' | '-' => pattern.push(letter),
            other => pattern.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern.push('$');
    Regex::new(&pattern).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.yml", "b.yml", "c.txt"] {
            std::fs::write(dir.path().join(name), "groups: []\n").unwrap();
        }
        let at = |name: &str| dir.path().join(name).display().to_string();
        assert_eq!(expand(&at("*.yml")).unwrap().len(), 2);
        assert_eq!(expand(&at("[ac].*")).unwrap().len(), 2);
        assert_eq!(load(&[at("*.yml")]).unwrap().len(), 0);
        assert!(load(&[at("none.yml")]).unwrap_err().contains("none.yml: "));
        std::fs::write(dir.path().join("a.yml"), "groups:\n- nom: x\n").unwrap();
        let told = load(&[at("?.yml")]).unwrap_err();
        assert!(told.contains("a.yml:2: unknown key nom"), "{told}");
    }
}
