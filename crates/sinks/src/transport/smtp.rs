//! Email: a message for each parcel, handed to an SMTP server.
//!
//! A parcel that is sent again has the same Message-ID, so that mailboxes can tell.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::ClientConfig;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;

use super::peer::secured;
use super::{Outcome, Parcel};
use crate::settings::{Clock, Secret};

/// Most bytes of one answer, all its lines together.
const MAX_ANSWER_BYTES: u64 = 16 * 1024;
/// Bytes of a message that become one line of 76 characters.
const LINE_BYTES: usize = 57;
/// Most bytes of one encoded word of a header, which may have 75 characters.
const WORD_BYTES: usize = 45;

/// Where and how messages go.
#[derive(Debug)]
pub(crate) struct SmtpPlan {
    /// `host:port`.
    pub(crate) server: String,
    pub(crate) encryption: Encryption,
    /// User and password.
    pub(crate) credentials: Option<(String, Secret)>,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Before every subject.
    pub(crate) subject: String,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    /// After the server was asked; a server that has none is an error.
    StartTls,
    /// At once.
    Always,
}

#[derive(Debug)]
pub(super) struct SmtpSender {
    plan: SmtpPlan,
    tls: Arc<ClientConfig>,
    clock: Clock,
}

/// What ends an attempt.
enum End {
    Broken(io::Error),
    /// The server answered something else than hoped for.
    Answered {
        doing: &'static str,
        answer: Answer,
    },
    /// The server cannot do what is needed.
    Lacks(&'static str),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl SmtpSender {
    /// The server's `host:port`.
    pub(super) fn server(&self) -> &str {
        &self.plan.server
    }

    pub(super) fn new(plan: SmtpPlan, tls: ClientConfig, clock: Clock) -> Self {
        Self { plan, tls: Arc::new(tls), clock }
    }

    pub(super) async fn send(&self, parcel: &Parcel) -> Outcome {
        match self.hand_over(parcel).await {
            Ok(()) => Outcome::Delivered,
            Err(End::Broken(error)) => Outcome::failed(error),
            Err(End::Lacks(what)) => Outcome::failed(format_args!("the server offers no {what}")),
            // Only what is about this message will be the same next time.
            Err(End::Answered { doing, answer }) => {
                let reason = format!("{doing}: {}", answer.text.trim());
                let hopeless = answer.code >= 500 && matches!(doing, "recipients" | "message");
                if hopeless { Outcome::Refused(reason) } else { Outcome::failed(reason) }
            }
        }
    }

    async fn hand_over(&self, parcel: &Parcel) -> Result<(), End> {
        let tcp = TcpStream::connect(&self.plan.server).await?;
        let local = tcp.local_addr()?.ip();
        if self.plan.encryption == Encryption::Always {
            let mut session = Session::new(secured(tcp, &self.plan.server, &self.tls).await?);
            session.expect("greeting", 220).await?;
            return self.converse(&mut session, local, parcel).await;
        }
        let mut session = Session::new(tcp);
        session.expect("greeting", 220).await?;
        if self.plan.encryption == Encryption::None {
            return self.converse(&mut session, local, parcel).await;
        }
        if !session.hello(local).await?.offers("STARTTLS") {
            return Err(End::Lacks("STARTTLS"));
        }
        session.command("STARTTLS", "STARTTLS", 220).await?;
        // Whatever came with the answer came from somebody who cannot read what follows.
        if !session.stream.buffer().is_empty() {
            return Err(End::Lacks("clean STARTTLS"));
        }
        let tcp = session.stream.into_inner();
        let mut session = Session::new(secured(tcp, &self.plan.server, &self.tls).await?);
        self.converse(&mut session, local, parcel).await
    }

    async fn converse(
        &self,
        session: &mut Session<impl AsyncRead + AsyncWrite + Unpin>,
        local: IpAddr,
        parcel: &Parcel,
    ) -> Result<(), End> {
        let offered = session.hello(local).await?;
        if let Some((user, password)) = &self.plan.credentials {
            session.authenticate(&offered, user, password).await?;
        }
        session.command("sender", &format!("MAIL FROM:<{}>", self.plan.from), 250).await?;
        let mut refused = None;
        let mut taken = 0;
        for to in &self.plan.to {
            match session.command("recipients", &format!("RCPT TO:<{to}>"), 250).await {
                Ok(()) => taken += 1,
                // Those who may be taken later would get what the others got already.
                Err(End::Answered { answer, .. }) if answer.code >= 500 => {
                    tracing::warn!(to, answer = answer.text.trim(), "recipient refused");
                    refused = Some(End::Answered { doing: "recipients", answer });
                }
                Err(end) => return Err(end),
            }
        }
        if let (0, Some(end)) = (taken, refused) {
            return Err(end);
        }
        session.command("message", "DATA", 354).await?;
        let mut message = self.message(parcel);
        message.extend_from_slice(b".\r\n");
        session.write(&message).await?;
        session.expect("message", 250).await?;
        // It is theirs; how they say goodbye changes nothing.
        session.write(b"QUIT\r\n").await.ok();
        Ok(())
    }

    /// No line of it begins with a dot.
    fn message(&self, parcel: &Parcel) -> Vec<u8> {
        let SmtpPlan { from, to, subject, .. } = &self.plan;
        let text = String::from_utf8_lossy(&parcel.bytes);
        let first = text.lines().next().unwrap_or_default();
        let more = match parcel.points {
            0 | 1 => String::new(),
            points => format!(" and {} more", points - 1),
        };
        let time = jiff::Timestamp::from_second(self.clock.now().secs()).unwrap_or_default();
        let host = from.rsplit_once('@').map_or("localhost", |(_, host)| host);
        let mut out = format!(
            "From: {from}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{host}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            to.join(",\r\n "),
            header(&format!("{subject}{first}{more}")),
            time.strftime("%a, %d %b %Y %H:%M:%S +0000"),
            parcel.id,
        )
        .into_bytes();
        for line in text.replace('\n', "\r\n").as_bytes().chunks(LINE_BYTES) {
            out.extend_from_slice(BASE64_STANDARD.encode(line).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

/// `text` as the value of a header: as it is where that is short and plain, else in encoded words
/// (RFC 2047).
fn header(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if text.len() <= 60 && text.bytes().all(plain) && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for letter in text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        if words.last().is_some_and(|word| word.len() + letter.len_utf8() > WORD_BYTES) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter);
        }
    }
    let encoded = words.iter().map(|word| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word)));
    encoded.collect::<Vec<_>>().join("\r\n ")
}

/// A server's answer, which may have several lines.
struct Answer {
    code: u16,
    text: String,
}

impl Answer {
    fn offers(&self, extension: &str) -> bool {
        self.extension(extension).is_some()
    }

    /// The words after an extension's name.
    fn extension(&self, name: &str) -> Option<impl Iterator<Item = &str>> {
        self.text.lines().find_map(|line| {
            let mut words = line.get(4..)?.split_ascii_whitespace();
            words.next()?.eq_ignore_ascii_case(name).then_some(words)
        })
    }
}

/// A conversation, one command at a time.
struct Session<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let mut limited = (&mut self.stream).take(MAX_ANSWER_BYTES);
        let mut text = String::new();
        loop {
            let start = text.len();
            limited.read_line(&mut text).await?;
            let line = text.get(start..).unwrap_or_default();
            if !line.ends_with('\n') {
                return Err(io::Error::other("the server hung up, or its answer is too long"));
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                let code = line.get(..3).and_then(|code| code.parse().ok());
                let code = code.ok_or_else(|| io::Error::other(format!("no answer: {line}")))?;
                return Ok(Answer { code, text });
            }
        }
    }

    async fn expect(&mut self, doing: &'static str, code: u16) -> Result<Answer, End> {
        let answer = self.answer().await?;
        if answer.code == code { Ok(answer) } else { Err(End::Answered { doing, answer }) }
    }

    async fn command(&mut self, doing: &'static str, line: &str, code: u16) -> Result<(), End> {
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.expect(doing, code).await.map(drop)
    }

    /// What the server offers. Who asks is named by address, as RFC 5321 has it for those without
    /// a name.
    async fn hello(&mut self, local: IpAddr) -> Result<Answer, End> {
        let name = match local {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        self.write(format!("EHLO {name}\r\n").as_bytes()).await?;
        self.expect("EHLO", 250).await
    }

    async fn authenticate(
        &mut self,
        offered: &Answer,
        user: &str,
        password: &Secret,
    ) -> Result<(), End> {
        let has = |wanted: &str| {
            let mut words = offered.extension("AUTH").into_iter().flatten();
            words.any(|word| word.eq_ignore_ascii_case(wanted))
        };
        let encoded = |text: &str| BASE64_STANDARD.encode(text);
        if has("PLAIN") {
            let proof = encoded(&format!("\0{user}\0{}", password.reveal()));
            return self.command("log-in", &format!("AUTH PLAIN {proof}"), 235).await;
        }
        if !has("LOGIN") {
            return Err(End::Lacks("AUTH PLAIN and no AUTH LOGIN"));
        }
        self.command("log-in", "AUTH LOGIN", 334).await?;
        self.command("log-in", &encoded(user), 334).await?;
        self.command("log-in", &encoded(password.reveal()), 235).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_plain_or_encoded_words() {
        let check = |text: &str, expected: &str| assert_eq!(header(text), expected);
        check("firing: Disk full", "firing: Disk full");
        check("a\r\nBcc: x@y", "=?UTF-8?B?YSAgQmNjOiB4QHk=?=");
        check("ç", "=?UTF-8?B?w6c=?=");
        let long = header(&"é".repeat(50));
        assert!(long.lines().all(|line| line.trim().len() <= 75), "{long}");
        assert_eq!(long.lines().count(), 3);
    }
}
