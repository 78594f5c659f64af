//! JSON with fields to be filled in: what webhooks send when somebody else says what it looks like.

use crate::Error;
use crate::settings::Settings;

/// Text with the names of fields between its parts.
pub(crate) struct Template {
    /// Text, and the field after it.
    parts: Vec<(String, String)>,
    rest: String,
}

impl Template {
    /// That of the settings `template_file` and `template`, if there is one. `fill` writes a field
    /// of some example as JSON, or says that there is no such field.
    pub(crate) fn read(
        settings: &Settings,
        fill: impl Fn(&mut Vec<u8>, &str) -> bool,
    ) -> Result<Option<Self>, Error> {
        let text = match settings.path("template_file") {
            Some(path) => Some(settings.read("template_file", &path)?),
            None => settings.text("template").map(str::to_owned),
        };
        text.map(|text| Self::parse(settings, &text, fill)).transpose()
    }

    fn parse(
        settings: &Settings,
        text: &str,
        fill: impl Fn(&mut Vec<u8>, &str) -> bool,
    ) -> Result<Self, Error> {
        let wrong = |value: &str| {
            settings.bad("template", value, "templates of JSON with {{fields}} of what is sent")
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or_else(|| wrong(text))?;
            let name = name.trim();
            if !fill(&mut Vec::new(), name) {
                return Err(wrong(name));
            }
            parts.push((before.to_owned(), name.to_owned()));
            rest = after;
        }
        let template = Self { parts, rest: rest.to_owned() };
        let mut tried = Vec::new();
        template.write(&mut tried, fill);
        let json: Result<serde_json::Value, _> = serde_json::from_slice(&tried);
        if json.is_err() { Err(wrong(text)) } else { Ok(template) }
    }

    /// Appends the text with its fields filled in. Inside quotes a text stands without its own, and
    /// anything else as a text.
    pub(crate) fn write(&self, out: &mut Vec<u8>, fill: impl Fn(&mut Vec<u8>, &str) -> bool) {
        let mut quoted = false;
        let mut follow = |text: &str| {
            let mut escaped = false;
            for byte in text.bytes() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => quoted = !quoted,
                    _ => {}
                }
            }
            quoted
        };
        for (text, field) in &self.parts {
            out.extend_from_slice(text.as_bytes());
            let inside = follow(text);
            let start = out.len();
            fill(out, field);
            if inside {
                unquote(out, start);
            }
        }
        out.extend_from_slice(self.rest.as_bytes());
    }
}

/// Makes the JSON from `start` on what can stand between quotes.
fn unquote(out: &mut Vec<u8>, start: usize) {
    match out.get(start) {
        Some(b'"') => {
            out.remove(start);
            out.pop();
        }
        Some(b'{' | b'[') => {
            let value = out.split_off(start);
            crate::text::push_json(out, &String::from_utf8_lossy(&value));
            out.remove(start);
            out.pop();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Clock;
    use crate::text::push_json;

    fn fill(out: &mut Vec<u8>, field: &str) -> bool {
        match field {
            "name" => push_json(out, "web-0"),
            "reason" => push_json(out, "Back\"Off"),
            "count" => out.push(b'3'),
            "labels" => out.extend_from_slice(br#"{"a":"b"}"#),
            _ => return false,
        }
        true
    }

    #[test]
    fn templates_are_filled_in_as_json() {
        let settings = Settings { sink: "webhook", pairs: Vec::new(), clock: Clock::default() };
        let text = r#"{"text": "{{name}}: {{ reason }} {{count}}", "count": {{count}}, "raw": {{reason}}, "all": {{labels}}, "quoted": "{{labels}}"}"#;
        let mut out = Vec::new();
        Template::parse(&settings, text, fill).unwrap().write(&mut out, fill);
        let expected = r#"{"text": "web-0: Back\"Off 3", "count": 3, "raw": "Back\"Off", "all": {"a":"b"}, "quoted": "{\"a\":\"b\"}"}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        for bad in ["{{nonsense}}", "{\"a\": {{name}", "{\"a\": {{name}}"] {
            assert!(Template::parse(&settings, bad, fill).is_err(), "{bad}");
        }
    }
}
