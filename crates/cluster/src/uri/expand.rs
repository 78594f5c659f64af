//! Expansion of `$NAME` and `${NAME}` as Go's `os.Expand` does it.

/// Replaces variables by what `env` says, unknown ones by nothing. A dollar sign that no name
/// follows stays; `$$`, `$*`, `$1` and the like are names too, as in a shell.
pub fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if after.is_empty() {
            out.push('$');
        }
        let (name, remaining) = name_of(after);
        match name {
            Name::Variable(name) => out.push_str(&env(name).unwrap_or_default()),
            Name::None if !after.is_empty() => out.push('$'),
            Name::None | Name::Malformed => {}
        }
        rest = remaining;
    }
    out.push_str(rest);
    out
}

enum Name<'a> {
    Variable(&'a str),
    /// No name follows the dollar sign.
    None,
    /// `${}` or an unclosed brace: Go swallows it.
    Malformed,
}

fn name_of(text: &str) -> (Name<'_>, &str) {
    if let Some(braced) = text.strip_prefix('{') {
        return match braced.split_once('}') {
            Some(("", rest)) => (Name::Malformed, rest),
            Some((name, rest)) => (Name::Variable(name), rest),
            None => (Name::Malformed, braced),
        };
    }
    let special = |c: char| matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9');
    let end = match text.chars().next() {
        Some(first) if special(first) => 1,
        _ => text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len()),
    };
    match text.split_at_checked(end) {
        Some(("", rest)) => (Name::None, rest),
        Some((name, rest)) => (Name::Variable(name), rest),
        None => (Name::None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let env = |name: &str| (name == "A").then(|| "x".to_owned());
        assert_eq!(expand(text, &env), expected, "{text}");
    }

    #[test]
    fn follows_go() {
        check("no variables", "no variables");
        check("$A/${A}b$Ab", "x/xb");
        check("pa$word", "pa");
        check("pa$$word", "paword");
        check("end$", "end$");
        check("$%41", "$%41");
        check("${}a${A", "aA");
        check("ä$Aß", "äxß");
    }
}
