//! Go's `Printf` for the kinds that templates have.

use super::super::value::Value;
use super::float;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of a verb")]
#[derive(Debug, Default, Clone, Copy)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Widest field that is filled up.
const MAX_WIDTH: usize = 1024;

pub(super) fn printf(format: &str, arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut rest = arguments.iter();
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let flags = flags(&mut letters);
        match letters.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match rest.next() {
                Some(value) => out.push_str(&padded(&one(value, verb, flags), flags)),
                None => out.extend(["%!", verb.encode_utf8(&mut [0; 4]), "(MISSING)"]),
            },
        }
    }
    let left: Vec<String> =
        rest.map(|value| format!("{}={}", value.type_name(), value.print())).collect();
    if !left.is_empty() {
        out.extend(["%!(EXTRA ", &left.join(", "), ")"]);
    }
    out
}

fn flags(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Flags {
    let mut flags = Flags::default();
    while let Some(letter) = letters.next_if(|c| "-+# 0".contains(*c)) {
        match letter {
            '-' => flags.minus = true,
            '+' => flags.plus = true,
            '#' => flags.sharp = true,
            ' ' => flags.space = true,
            _ => flags.zero = true,
        }
    }
    flags.width = digits(letters);
    if letters.next_if_eq(&'.').is_some() {
        flags.precision = Some(digits(letters).unwrap_or(0));
    }
    flags
}

fn digits(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut text = String::new();
    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
        text.push(digit);
    }
    text.parse().ok().map(|number: usize| number.min(MAX_WIDTH))
}

fn one(value: &Value, verb: char, flags: Flags) -> String {
    let signed = |text: String| match text.starts_with(['-', '+']) {
        false if flags.plus => format!("+{text}"),
        false if flags.space => format!(" {text}"),
        _ => text,
    };
    match (verb, value) {
        ('v' | 's' | 'q', Value::Text(text)) => {
            let cut: String = match flags.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text.to_string(),
            };
            if verb == 'q' { format!("{cut:?}") } else { cut }
        }
        ('v' | 'g' | 'G' | 'e' | 'f' | 'F', Value::Float(number)) => {
            signed(float(*number, verb, flags.precision))
        }
        ('d' | 'v', Value::Int(number)) => signed(number.to_string()),
        ('x', Value::Int(number)) => format!("{number:x}"),
        ('X', Value::Int(number)) => format!("{number:X}"),
        ('o', Value::Int(number)) => format!("{number:o}"),
        ('b', Value::Int(number)) => format!("{number:b}"),
        ('c', Value::Int(number)) => {
            u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
        }
        ('x', Value::Text(text)) => hexadecimal(text),
        ('t' | 'v', Value::Bool(value)) => value.to_string(),
        ('v' | 's', Value::List(_) | Value::Labels(_) | Value::Map(_) | Value::Sample(_)) => {
            value.print()
        }
        ('v', _) => value.print(),
        _ => format!("%!{verb}({}={})", value.type_name(), value.print()),
    }
}

fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        out.extend(
            [byte >> 4, byte & 15]
                .map(|half| char::from_digit(u32::from(half), 16).unwrap_or_default()),
        );
        out
    })
}

fn padded(text: &str, flags: Flags) -> String {
    let (Some(width), len) = (flags.width, text.chars().count()) else { return text.to_owned() };
    let missing = width.saturating_sub(len);
    if missing == 0 {
        return text.to_owned();
    }
    if flags.minus {
        return format!("{text}{}", " ".repeat(missing));
    }
    if flags.zero {
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => text.split_at(text.len() - digits.len()),
            None => ("", text),
        };
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    format!("{}{text}", " ".repeat(missing))
}
