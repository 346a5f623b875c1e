//! Coord: is it there, is it one, does its clock agree, and which servers does it name.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use p2claw_identity::registry::limit::CLOCK_SKEW_MS;
use p2claw_network::{ByteStream, Network};
use p2claw_proto::v1::{Challenge, Envelope, IceServer, IceServers, envelope::Kind};
use p2claw_signaling::registry::limit::ENVELOPE_MAX;
use prost::Message as _;
use serde_json::json;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{
        self, Message, client::IntoClientRequest as _, http::HeaderValue, protocol::WebSocketConfig,
    },
};

use super::{
    dial::{DialError, Dialled, Target, dial, in_words},
    report::{Check, Group},
    unix_millis,
};

/// From the first byte of the handshake to Challenge.
const LINK_DEADLINE: Duration = Duration::from_millis(1_500);

/// For a request and its answer, the connection aside.
const GET_DEADLINE: Duration = Duration::from_millis(1_500);

/// Above this clocks are not in step, though nobody is refused yet.
const DRIFT_MS: i64 = 10_000;

/// Protocol version that this program speaks.
const VERSION: u32 = 1;

const ICE_SERVERS: &str = "/.well-known/p2claw/v1/ice-servers";

/// What was found, and what comes of it.
pub(crate) struct Found {
    pub(crate) checks: Vec<Check>,
    /// The servers that it names; `None` where it could not be asked.
    pub(crate) servers: Option<Vec<IceServer>>,
}

/// Asks coord everything, in 8 s at most.
pub(crate) async fn examine(network: &dyn Network, url: &str, tls: &Arc<ClientConfig>) -> Found {
    let mut checks = Vec::new();
    let Some(target) = Target::parse(url) else {
        let summary = format!("{url} is no address of a coord");
        let advice = "give --coord a URL such as https://coord.example.net";
        checks.push(Check::failed(Group::Coord, "address", summary, advice));
        return Found {
            checks,
            servers: None,
        };
    };
    let dialled = match dial(network, &target, tls).await {
        Ok(dialled) => dialled,
        Err(error) => {
            checks.push(unreachable(url, &target, &error));
            return Found {
                checks,
                servers: None,
            };
        }
    };
    checks.push(connected(url, &target, &dialled));
    let half = dialled.round_trip / 2;
    match timeout(LINK_DEADLINE, challenge(&target, dialled.stream)).await {
        Ok(Ok(challenge)) => {
            let coord_ms = challenge.time_ms.saturating_add(millis(half));
            checks.push(link(&target, &challenge));
            checks.push(clock(unix_millis().saturating_sub(coord_ms)));
        }
        Ok(Err(reason)) => checks.push(no_coord(url, &reason)),
        Err(_) => checks.push(no_coord(url, "it does not speak first, as a coord does")),
    }
    let servers = match get_servers(network, &target, tls).await {
        Ok(servers) => Some(servers),
        Err(reason) => {
            let summary = format!("coord does not say which servers to use: {reason}");
            let advice = "its operator should let https://<coord>/.well-known/p2claw/v1/ through";
            let check = Check::warning(Group::Coord, "ice-servers", summary, advice);
            checks.push(check);
            None
        }
    };
    Found { checks, servers }
}

fn unreachable(url: &str, target: &Target, error: &DialError) -> Check {
    let (name, summary, advice) = match error {
        DialError::Name(error) => (
            "name",
            format!("{} has no address: {}", target.host, in_words(error)),
            "check how it is written, and this machine's DNS",
        ),
        DialError::Tcp(address, error) => (
            "connection",
            format!("nobody answers at {url} ({address}): {}", in_words(error)),
            match target.is_local() {
                true => "start one with `p2claw coord`, or name yours with --coord",
                false => "check the address, the firewall, and whether coord runs",
            },
        ),
        DialError::Tls(error) => (
            "certificate",
            format!("{url} cannot be trusted: {}", in_words(error)),
            "check the name, this machine's clock, and that its certificate authorities are \
             installed",
        ),
    };
    Check::failed(Group::Coord, name, summary, advice)
}

fn connected(url: &str, target: &Target, dialled: &Dialled) -> Check {
    let tls = if target.tls {
        ", and its certificate holds"
    } else {
        ""
    };
    let took = dialled.round_trip;
    let round_trip = super::in_millis(took);
    let summary = format!("{url} answers in {round_trip}{tls}");
    Check::ok(Group::Coord, "connection", summary).with(json!({
        "url": url,
        "address": dialled.address,
        "round_trip_ms": super::millis_json(took),
    }))
}

/// The first message of a control link. Nothing is sent: a Hello would take the address from an
/// agent that runs.
async fn challenge(target: &Target, stream: Box<dyn ByteStream>) -> Result<Challenge, String> {
    let scheme = if target.tls { "wss" } else { "ws" };
    let url = format!(
        "{scheme}://{}/.well-known/p2claw/v1/agent",
        target.authority
    );
    let mut request = url
        .into_client_request()
        .map_err(|error| error.to_string())?;
    request.headers_mut().insert(
        "sec-websocket-protocol",
        HeaderValue::from_static("p2claw.v1"),
    );
    let config = WebSocketConfig::default()
        .max_message_size(Some(ENVELOPE_MAX))
        .max_frame_size(Some(ENVELOPE_MAX));
    let connected = client_async_with_config(request, stream, Some(config)).await;
    let (mut socket, _) = connected.map_err(|error| refused(&error))?;
    let first = loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => break bytes,
            Some(Ok(Message::Close(_))) | None => return Err("it hangs up at once".to_owned()),
            Some(Ok(
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => {}
            Some(Err(error)) => return Err(error.to_string()),
        }
    };
    let _ = socket.close(None).await;
    let envelope = Envelope::decode(first).map_err(|_| "its words are not p2claw's".to_owned())?;
    match envelope.kind {
        Some(Kind::Challenge(challenge)) => Ok(challenge),
        _ => Err("its first message is no Challenge".to_owned()),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of tungstenite's errors only these two need other words"
)]
fn refused(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Http(response) => {
            format!("it answers {} instead of a WebSocket", response.status())
        }
        tungstenite::Error::Io(error) => in_words(error),
        other => other.to_string(),
    }
}

fn no_coord(url: &str, reason: &str) -> Check {
    let summary = format!("what answers at {url} is no coord: {reason}");
    let advice = "check the address; a proxy before coord has to pass WebSockets on";
    Check::failed(Group::Coord, "link", summary, advice)
}

/// Version and domain of a Challenge.
fn link(target: &Target, challenge: &Challenge) -> Check {
    let details = json!({ "versions": challenge.versions, "domain": challenge.domain });
    let check = if !challenge.versions.contains(&VERSION) {
        let versions = &challenge.versions;
        Check::failed(
            Group::Coord,
            "link",
            format!("coord speaks version {versions:?} of the protocol, and this is {VERSION}"),
            "update whichever of the two is older",
        )
    } else if challenge.domain != target.authority {
        // IDN-009: the agent would not register.
        Check::failed(
            Group::Coord,
            "link",
            format!(
                "coord goes by the name {:?}, and agents here look for {:?}",
                super::clean(&challenge.domain),
                target.authority
            ),
            format!(
                "use the address that it knows, or give it --domain {}",
                target.authority
            ),
        )
    } else {
        Check::ok(
            Group::Coord,
            "link",
            format!("a WebSocket opens, and both ends speak version {VERSION}"),
        )
    };
    check.with(details)
}

/// How far this clock is ahead of coord's, in milliseconds.
fn clock(ahead: i64) -> Check {
    let (off, side) = (
        ahead.saturating_abs(),
        if ahead > 0 { "ahead of" } else { "behind" },
    );
    // Tenths, for what is small.
    let seconds = match off {
        0..10_000 => format!("{}.{} s", off / 1_000, off % 1_000 / 100),
        _ => format!("{} s", off / 1_000),
    };
    let check = if off > CLOCK_SKEW_MS {
        Check::failed(
            Group::Coord,
            "clock",
            format!(
                "this machine's clock is {seconds} {side} coord's; more than {} s is refused",
                CLOCK_SKEW_MS / 1_000
            ),
            "set the clock, best by NTP (timedatectl set-ntp true)",
        )
    } else if off > DRIFT_MS {
        Check::warning(
            Group::Coord,
            "clock",
            format!(
                "this machine's clock is {seconds} {side} coord's; from {} s on it is refused",
                CLOCK_SKEW_MS / 1_000
            ),
            "set the clock, best by NTP (timedatectl set-ntp true)",
        )
    } else {
        let summary = format!("this machine's clock and coord's are {seconds} apart");
        Check::ok(Group::Coord, "clock", summary)
    };
    check.with(json!({ "ahead_ms": ahead }))
}

/// The edge before an app: it serves the same list to visitors.
pub(crate) async fn examine_edge(
    network: &dyn Network,
    url: &str,
    tls: &Arc<ClientConfig>,
) -> (Check, Option<Vec<IceServer>>) {
    let Some(target) = Target::parse(url) else {
        let summary = format!("{url} is no address");
        let advice = "coord's --public-url should name the edge";
        let check = Check::failed(Group::Coord, "edge", summary, advice);
        return (check, None);
    };
    match get_servers(network, &target, tls).await {
        Ok(servers) => {
            let summary = format!("visitors of {url} get an answer");
            (Check::ok(Group::Coord, "edge", summary), Some(servers))
        }
        Err(reason) => {
            let summary = format!("visitors of {url} get no answer from here: {reason}");
            let advice = "check that the edge runs, that *.<parent> leads to it in DNS, and its \
                          certificate";
            let check = Check::failed(Group::Coord, "edge", summary, advice);
            (check, None)
        }
    }
}

async fn get_servers(
    network: &dyn Network,
    target: &Target,
    tls: &Arc<ClientConfig>,
) -> Result<Vec<IceServer>, String> {
    let dialled = dial(network, target, tls).await.map_err(|error| {
        let (DialError::Name(error) | DialError::Tcp(_, error) | DialError::Tls(error)) = &error;
        in_words(error)
    })?;
    let answer = timeout(GET_DEADLINE, get(target, dialled.stream)).await;
    let body = answer.map_err(|_| "nothing came back in time".to_owned())??;
    let servers = IceServers::decode(body).map_err(|_| "its list cannot be read".to_owned())?;
    Ok(servers.ice_servers)
}

async fn get(target: &Target, stream: Box<dyn ByteStream>) -> Result<bytes::Bytes, String> {
    let in_words = |error: hyper::Error| error.to_string();
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(in_words)?;
    let request = Request::get(ICE_SERVERS)
        .header(header::HOST, &target.authority)
        .header(header::ACCEPT, "application/x-protobuf")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(in_words)?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answers {}", response.status()));
        }
        let body = Limited::new(response.into_body(), ENVELOPE_MAX);
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok(body.to_bytes())
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // A connection that ends first has handed over what there was.
        _ = connection => exchange.await,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    /// IDN-011: the limit is 60 s, either way.
    #[test]
    fn clocks_are_judged_by_the_limit_of_statements() {
        for (ahead, verdict) in [
            (0, Verdict::Ok),
            (-10_000, Verdict::Ok),
            (10_001, Verdict::Warning),
            (-60_000, Verdict::Warning),
            (60_001, Verdict::Failed),
            (i64::MIN, Verdict::Failed),
        ] {
            let check = clock(ahead);
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
        assert!(clock(-75_400).summary.contains("75 s behind coord's"));
        assert!(clock(1_250).summary.contains("1.2 s apart"));
    }

    /// IDN-009: and a doctor says so, as the agent would.
    #[test]
    fn a_coord_of_another_version_or_name_is_refused() {
        let target = Target::parse("https://coord.example.net").unwrap_or_else(|| unreachable!());
        let challenge = |versions: &[u32], domain: &str| Challenge {
            versions: versions.to_vec(),
            domain: domain.to_owned(),
            ..Challenge::default()
        };
        for (versions, domain, verdict) in [
            (&[2, 1][..], "coord.example.net", Verdict::Ok),
            (&[2], "coord.example.net", Verdict::Failed),
            (&[], "coord.example.net", Verdict::Failed),
            (&[1], "coord.example.net:443", Verdict::Failed),
            (&[1], "other.example.net", Verdict::Failed),
        ] {
            let check = link(&target, &challenge(versions, domain));
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
    }
}
