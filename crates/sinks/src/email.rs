//! Email: events and alerts as messages for people, over SMTP.

use model::{Alert, Event, Timestamp};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::credentials::basic;
use crate::plan::{AlertPlan, EncodeAlerts, EncodeEvents, EventPlan, Transport};
use crate::settings::Settings;
use crate::text::push_float;
use crate::transport::{Encryption, SmtpPlan};
use crate::{Alerts, Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "email",
    name: "Email Sink",
    settings: &[
        ("from", "address that messages come from; required"),
        ("to", "address that messages go to, repeatable; required"),
        ("subject", "before every subject (default \"[taffrail] \")"),
        ("event_types", "Warning (default), or all"),
        (
            "encryption",
            "starttls (default): TLS once the server is asked for it, never without; none; for \
             smtps:// always TLS from the beginning",
        ),
        ("user", "user"),
        ("pw", "password"),
        ("pw_file", "file that holds the password"),
        ("insecuressl", "true: do not verify the server's certificate"),
    ],
    example: "email:smtp://mail.example.com:587?from=taffrail@example.com&to=oncall@example.com&\
              user=taffrail&pw_file=/etc/mail/password",
    notice: None,
    metrics: None,
    events: Some(Events { name: "Email Sink", plan }),
    alerts: Some(Alerts { plan: alert_plan }),
};

/// Most events or alerts, and bytes, of one message.
const POINTS: u32 = 100;
const BYTES: usize = 256 << 10;

fn plan(settings: &Settings) -> Result<EventPlan, Error> {
    let all = match settings.text_or("event_types", "Warning") {
        "Warning" => false,
        "all" => true,
        other => return Err(settings.bad("event_types", other, "Warning, all")),
    };
    let (framing, transport) = (framing(), transport(settings)?);
    Ok(EventPlan { encode: Box::new(EmailedEvents { all }), framing, transport, concurrency: 1 })
}

fn alert_plan(settings: &Settings) -> Result<AlertPlan, Error> {
    let (framing, transport) = (framing(), transport(settings)?);
    Ok(AlertPlan { encode: Box::new(EmailedAlerts), framing, transport, concurrency: 1 })
}

/// Paragraphs with an empty line between them.
fn framing() -> Framing {
    Framing { separator: b"\n", ..Framing::lines(POINTS, BYTES) }
}

fn transport(settings: &Settings) -> Result<Transport, Error> {
    let text = settings.text_or("address", "");
    let (encryption, default) = if text.starts_with("smtps:") {
        (Encryption::Always, "localhost:465")
    } else {
        match settings.text_or("encryption", "starttls") {
            "starttls" => (Encryption::StartTls, "localhost:587"),
            "none" => (Encryption::None, "localhost:25"),
            other => return Err(settings.bad("encryption", other, "starttls, none")),
        }
    };
    let from = settings.text_or("from", "");
    if !is_address(from) {
        return Err(settings.bad("from", from, "addresses like taffrail@example.com"));
    }
    let to: Vec<String> = settings.all("to").map(str::to_owned).collect();
    if let Some(wrong) = to.iter().find(|to| !is_address(to)) {
        return Err(settings.bad("to", wrong, "addresses like oncall@example.com"));
    }
    if to.is_empty() {
        return Err(settings.bad("to", "", "addresses like oncall@example.com"));
    }
    Ok(Transport::Smtp(Box::new(SmtpPlan {
        server: Address::parse(text, default).authority,
        encryption,
        credentials: basic(settings)?,
        from: from.to_owned(),
        to,
        subject: settings.text("subject").unwrap_or("[taffrail] ").to_owned(),
    })))
}

/// Whether it can stand in a command as it is: no quoting, no comments, no line ends.
fn is_address(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>()[]\\,;:\"".contains(&byte);
    text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && text.bytes().all(plain)
    })
}

struct EmailedEvents {
    all: bool,
}

impl EncodeEvents for EmailedEvents {
    fn event(&mut self, _: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        if !self.all && &*event.event_type != "Warning" {
            return;
        }
        out.point(|text| {
            let place = [&*event.namespace, &*event.object_name].join("/");
            let place = place.trim_start_matches('/');
            push_line(text, "", &[&event.object_kind, " ", place, ": ", &event.reason].concat());
            push_line(text, "", &event.message);
            push_line(text, "source: ", &event.source);
            push_line(text, "count: ", &event.count.to_string());
            push_time(text, "first seen: ", event.first_seen);
            push_time(text, "last seen: ", event.last_seen);
        });
    }
}

struct EmailedAlerts;

impl EncodeAlerts for EmailedAlerts {
    fn alert(&mut self, _: Timestamp, alert: &Alert, out: &mut Chunks<'_>) {
        out.point(|text| {
            let state = if alert.fires() { "firing: " } else { "resolved: " };
            let summary = alert.annotation("summary");
            let before = if summary.is_empty() { "" } else { ": " };
            push_line(text, state, &[&*alert.name, before, summary].concat());
            for (name, value) in alert.annotations.iter().filter(|(name, _)| &**name != "summary") {
                push_line(text, &format!("{name}: "), value);
            }
            for (name, value) in &alert.labels {
                push_line(text, &format!("{name} = "), value);
            }
            let mut value = Vec::new();
            push_float(&mut value, alert.value);
            push_line(text, "value: ", &String::from_utf8_lossy(&value));
            push_time(text, "since: ", alert.started);
            push_time(text, "until: ", alert.ended);
            push_line(text, "", &alert.link);
        });
    }
}

/// A line of `name` and `value`, whose own line ends stay inside; none where there is no value.
fn push_line(out: &mut Vec<u8>, name: &str, value: &str) {
    if !value.trim().is_empty() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(value.trim_end().replace('\n', "\n  ").as_bytes());
        out.push(b'\n');
    }
}

fn push_time(out: &mut Vec<u8>, name: &str, time: Timestamp) {
    if !time.is_never() {
        push_line(out, name, &time.to_rfc3339_seconds());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_cannot_smuggle_commands() {
        for good in ["a@b", "on-call+k8s@mail.example.com"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b@c", "a@b>\r\nDATA", "a b@c", "ä@b", "<a@b>"] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }
}
