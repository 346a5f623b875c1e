//! What is told about an exchange: to people beside it, to programs in its place.

use std::time::Duration;

use p2claw_agent::transport::Path;
use p2claw_session::{Fields, Request, Response};
use p2claw_visitor::{Address, Visit};
use serde::Serialize;

use crate::output;

/// `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    url: String,
    status: u16,
    headers: Vec<(String, String)>,
    /// Of the body as it came, before decoding.
    pub(super) bytes: u64,
    pub(super) redirects: usize,
    pub(super) timings: Times,
    /// `direct` or `relayed`.
    path: Option<&'static str>,
    local: Option<End>,
    remote: Option<End>,
    peer_id: String,
    alias: String,
    app: String,
}

/// Milliseconds. Each is a part of its own; `total` is from the start of the command to the end
/// of the response.
#[derive(Debug, Default, Serialize)]
pub(super) struct Times {
    /// Finding the service's addresses.
    dns: Option<f64>,
    /// TCP to the service.
    connect: Option<f64>,
    /// TLS to the service.
    tls: Option<f64>,
    /// Making the offer.
    offer: f64,
    /// From the offer to the agent's answer; the three above are part of it.
    answer: f64,
    /// From the answer to the first lane.
    connected: f64,
    /// From the request to the response's head.
    pub(super) first_byte: f64,
    total: f64,
}

/// One end of the path.
#[derive(Debug, Serialize)]
struct End {
    /// `host`, `srflx`, `prflx` or `relay` (RFC 8839 section 5.1).
    kind: &'static str,
    address: String,
}

/// With a thousandth as the smallest part.
pub(super) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn kind_of(path: &Path) -> &'static str {
    if path.is_relayed() {
        "relayed"
    } else {
        "direct"
    }
}

impl Report {
    pub(super) fn new(visit: &Visit, address: &Address, response: &Response) -> Self {
        let timings = visit.timings();
        let service = timings.service;
        let label = visit.address().label();
        Self {
            url: address.to_string(),
            status: response.status,
            headers: texts(&response.fields),
            bytes: 0,
            redirects: 0,
            timings: Times {
                dns: service.map(|service| millis(service.dns)),
                connect: service.map(|service| millis(service.tcp)),
                tls: service.and_then(|service| service.tls).map(millis),
                offer: millis(timings.offer),
                answer: millis(timings.answer),
                connected: millis(timings.connected),
                ..Times::default()
            },
            path: None,
            local: None,
            remote: None,
            peer_id: visit.peer_id().to_string(),
            alias: label.alias().to_string(),
            app: label.app().to_string(),
        }
    }

    /// The path is the one of the end: it may have changed meanwhile.
    pub(super) fn finish(&mut self, visit: &Visit, total: Duration) {
        self.timings.total = millis(total);
        if let Some(path) = visit.path() {
            self.path = Some(kind_of(&path));
            self.local = Some(End {
                kind: path.local_kind.as_str(),
                address: path.local.to_string(),
            });
            self.remote = Some(End {
                kind: path.remote_kind.as_str(),
                address: path.remote.to_string(),
            });
        }
    }
}

/// Values as text; bytes that are none are replaced.
fn texts(fields: &Fields) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    fields
        .iter()
        .map(|(name, value)| (name.to_owned(), text(value)))
        .collect()
}

/// Status and fields as HTTP/1.1 writes them, which every program reads.
pub(super) fn head(response: &Response) -> String {
    let status = http::StatusCode::from_u16(response.status).ok();
    let reason = status.and_then(|status| status.canonical_reason());
    let mut text = format!("HTTP/1.1 {} {}\r\n", response.status, reason.unwrap_or(""));
    for (name, value) in texts(&response.fields) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text
}

/// Tells people what happens, where they want to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace(pub(super) bool);

impl Trace {
    pub(super) fn connected(self, visit: &Visit) {
        if !self.0 {
            return;
        }
        let timings = visit.timings();
        self.line("*", format_args!("peer id {}", visit.peer_id()));
        if let Some(path) = visit.path() {
            let (kind, local, remote) = (kind_of(&path), path.local, path.remote);
            let (near, far) = (path.local_kind, path.remote_kind);
            self.line(
                "*",
                format_args!("{kind} path: {local} ({near}) to {remote} ({far})"),
            );
        }
        self.line(
            "*",
            format_args!(
                "answer after {:.1} ms, connected {:.1} ms later",
                millis(timings.answer),
                millis(timings.connected)
            ),
        );
    }

    pub(super) fn request(self, request: &Request) {
        self.line(">", format_args!("{} {}", request.method, request.target));
        self.fields(">", &request.fields);
    }

    pub(super) fn response(self, response: &Response) {
        self.line("<", format_args!("{}", response.status));
        self.fields("<", &response.fields);
    }

    fn fields(self, mark: &str, fields: &Fields) {
        if !self.0 {
            return;
        }
        for (name, value) in texts(fields) {
            self.line(mark, format_args!("{name}: {value}"));
        }
        self.line(mark, format_args!(""));
    }

    fn line(self, mark: &str, text: std::fmt::Arguments<'_>) {
        if self.0 {
            output::trace(format_args!("{mark} {text}"));
        }
    }
}
