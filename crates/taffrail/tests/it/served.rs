//! A running `taffrail serve` or `demo` as a process, and requests to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;

/// Text as it stands in a query: every byte as `%41`.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |out, byte| out + &format!("%{byte:02X}"))
}

/// The host and port behind `scheme` in what a process says.
pub(crate) fn host(line: &str, scheme: &str) -> String {
    line.split(scheme).nth(1).unwrap().split('/').next().unwrap().to_owned()
}

/// A process that ends with the test.
pub(crate) struct Served {
    child: Child,
    /// Kept open: some go on to speak.
    stdout: BufReader<ChildStdout>,
    /// What it said of itself.
    pub(crate) greeting: String,
    /// Where it listens.
    pub(crate) address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Served {
    /// Starts it with these words and waits for its greeting.
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::through(&[], words)
    }

    /// The same, started by another program.
    pub(crate) fn through(starter: &[&str], words: &[&str]) -> Self {
        Self::begin(starter, words, &[("HOME", "/nonexistent")])
    }

    /// Starts it with these words and these variables alone.
    pub(crate) fn in_environment(variables: &[(&str, &str)], words: &[&str]) -> Self {
        Self::begin(&[], words, variables)
    }

    fn begin(starter: &[&str], words: &[&str], variables: &[(&str, &str)]) -> Self {
        let program = [env!("CARGO_BIN_EXE_taffrail")];
        let line: Vec<&str> = starter.iter().chain(&program).chain(words).copied().collect();
        let unless = |flag: &str, usual: &str| {
            let said = words.iter().any(|word| word.starts_with(flag));
            (!said).then(|| format!("{flag}{usual}"))
        };
        // A file says where to listen.
        let by_file = words.contains(&"--config");
        let mut child = Command::new(line[0])
            .args(&line[1..])
            .args(unless("--listen=", "127.0.0.1:0").filter(|_| !by_file))
            .args(unless("--log=", "off"))
            .env_clear()
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut greeting).unwrap();
        Self { child, stdout, address: host(&greeting, "http://"), greeting }
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Where its secure port is, which is the next line that it says.
    pub(crate) fn secure(&mut self) -> String {
        host(&self.line(), "https://")
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    /// Process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let id = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// The JSON answer to a GET.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    /// The JSON answer to a POST of JSON.
    pub(crate) fn post(&self, path: &str, body: &str) -> Value {
        self.ask("POST", path, body)
    }

    /// The text that answers a POST.
    pub(crate) fn post_text(&self, path: &str, body: &str) -> String {
        self.send("POST", path, body, "application/json")
    }

    /// The JSON answer to a POST of a form.
    pub(crate) fn form(&self, path: &str, body: &str) -> Value {
        let kind = "application/x-www-form-urlencoded";
        serde_json::from_str(&self.send("POST", path, body, kind)).unwrap()
    }

    /// The answer's text.
    pub(crate) fn text(&self, path: &str) -> String {
        self.send("GET", path, "", "application/json")
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        serde_json::from_str(&self.send(method, path, body, "application/json")).unwrap()
    }

    fn send(&self, method: &str, path: &str, body: &str, kind: &str) -> String {
        let address = &self.address;
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}
