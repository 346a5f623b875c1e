//! Sessions that restart, over a network in memory; the test is coord, and the visitor.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod scene;

use bytes::Bytes;
use p2claw_identity::Nonce;
use p2claw_proto::v1::VisitRequest;
use p2claw_signaling::visitor::VisitError;
use prost::Message as _;
use scene::{Agent, Link, handle, within};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::*;
use crate::{connection::Exchange, transport::PeerTransport as _};

const START: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

async fn chunk(stream: &mut TcpStream, exchange: &mut Exchange, text: &'static str) {
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    stream.write_all(chunk.as_bytes()).await.unwrap();
    let data = exchange.response.data().await.unwrap();
    assert_eq!(data, Some(Bytes::from_static(text.as_bytes())));
}

/// SIG-043, SIG-045, RTC-020, HTP-025: a download goes on behind a restart, and behind the next; each request says
/// where the visitor is now. The session is known by its first id and by those of its restarts.
#[tokio::test]
async fn a_download_goes_on_over_restarts() {
    let mut agent = Agent::start().await;
    let mut link = Link::new();
    let mut visitor = agent.visit(&mut link).await;
    let mut exchange = visitor.get("/download");
    let (mut stream, head) = visitor.while_driven(agent.accept()).await;
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
    stream.write_all(START).await.unwrap();
    let work = async {
        exchange.head().await.unwrap();
        chunk(&mut stream, &mut exchange, "before").await;
    };
    visitor.while_driven(work).await;
    let first = visitor.session_id;
    for (round, address) in [(0, "127.0.0.2"), (1, "127.0.0.3"), (2, "127.0.0.4")] {
        visitor.lose_path(&agent).await;
        let id = visitor.restarted(&mut agent, &mut link).await;
        visitor.find_path().await;
        visitor
            .while_driven(chunk(&mut stream, &mut exchange, "behind"))
            .await;
        let _other = visitor.get("/where");
        let (_, head) = visitor.while_driven(agent.accept()).await;
        let line = format!("x-forwarded-for: {address}\r\n");
        assert!(head.contains(&line), "{line} is not in {head}");
        // What it is for the app does not change.
        let line = format!("x-p2claw-session: {first}\r\n");
        assert!(head.contains(&line), "{line} is not in {head}");
        // Once by the first id again, and once by that of a restart.
        visitor.session_id = if round == 0 { first } else { id };
    }
}

/// SIG-045: whoever has an id alone gets nothing for it, and all that does not fit looks the same.
#[tokio::test]
async fn only_the_visitor_of_a_session_restarts_it() {
    let mut agent = Agent::start().await;
    let mut link = Link::new();
    let mut visitor = agent.visit(&mut link).await;
    let exchange = visitor.get("/");
    let (_stream, _) = visitor.while_driven(agent.accept()).await;
    let mut other = agent.visit(&mut link).await;

    // Another visitor's certificate, and an id that nobody has.
    let offer = other.driver.restart().unwrap();
    let stolen = other
        .check
        .restart(visitor.session_id, Nonce([1; 32]), offer);
    let id = agent.offer(&link, &stolen.unwrap(), "recipes");
    assert_eq!(link.refusal(id).await, SignalCode::NoSuchVisit);
    let offer = visitor.driver.restart().unwrap();
    let nobody = SessionId([0xee; 16]);
    let unknown = visitor.check.restart(nobody, Nonce([1; 32]), offer);
    let id = agent.offer(&link, &unknown.unwrap(), "recipes");
    assert_eq!(link.refusal(id).await, SignalCode::NoSuchVisit);
    // Another app of the same agent.
    let check = visitor.restart();
    let id = agent.offer(&link, &check, "notes");
    assert_eq!(link.refusal(id).await, SignalCode::NoSuchVisit);

    // None of this was a restart, and its ids are no names of the session.
    visitor.session_id = id;
    let check = visitor.restart();
    let id = agent.offer(&link, &check, "recipes");
    assert_eq!(link.refusal(id).await, SignalCode::NoSuchVisit);

    // A session that is over is gone.
    drop(exchange);
    let connection = visitor.connection.clone();
    connection.close(p2claw_session::ErrorCode::NO_ERROR, "");
    within(&mut visitor.driver).await;
    let first = SessionId([1; 16]);
    within(async {
        while agent.visits.names.contains_key(&first) {
            agent.visits.reap().await;
        }
    })
    .await;
    let late = visitor
        .check
        .restart(first, Nonce([1; 32]), other.driver.restart().unwrap());
    assert_eq!(late.unwrap_err(), VisitError::OtherSession);
    let offer = other.driver.restart().unwrap();
    let late = other.check.restart(first, Nonce([1; 32]), offer).unwrap();
    let id = agent.offer(&link, &late, "recipes");
    assert_eq!(link.refusal(id).await, SignalCode::NoSuchVisit);
}

/// SIG-046: the answer to a new visit is none to a restart, whoever mixed them up.
#[tokio::test]
async fn an_answer_of_another_session_is_refused() {
    let mut agent = Agent::start().await;
    let mut link = Link::new();
    let mut visitor = agent.visit(&mut link).await;
    visitor.lose_path(&agent).await;
    let mut check = visitor.restart();
    // A service that does not know `restarts`: the agent sees a visit like any other.
    let offered = agent.network.offer().await.unwrap();
    let mut request = VisitRequest::decode(check.request()).unwrap();
    request.restarts = Bytes::new();
    agent.visited += 1;
    let offer = VisitOffer {
        session_id: SessionId([agent.visited; 16]),
        app: AppName::parse("recipes").unwrap(),
        alias: agent.alias.clone(),
        visitor_fingerprint: p2claw_signaling::sdp::Description::parse(&request.sdp)
            .unwrap()
            .fingerprint,
        sdp: offered.offer,
        max_message: 65_536,
        nonce: Nonce::from_bytes(&request.nonce).unwrap(),
        restarts: None,
    };
    let (welcome, outbox) = (Arc::clone(&agent.welcome), link.outbox.clone());
    let id = offer.session_id;
    agent
        .visits
        .start(&agent.host, &agent.shutdown, offer, &welcome, outbox);
    let answer = visitor.while_driven(link.answer(id)).await;
    assert_eq!(
        handle(&mut check, answer).unwrap_err(),
        VisitError::OtherSession
    );
}

/// SIG-045: another link, of a coord that knows nothing of the session, does as well; the end of
/// the introduction has nothing to do with it.
#[tokio::test]
async fn a_restart_takes_any_link() {
    let mut agent = Agent::start().await;
    let mut old = Link::new();
    let mut visitor = agent.visit(&mut old).await;
    let mut exchange = visitor.get("/download");
    let (mut stream, _) = visitor.while_driven(agent.accept()).await;
    stream.write_all(START).await.unwrap();
    visitor.while_driven(exchange.head()).await.unwrap();
    agent.visits.introduced(visitor.session_id);
    drop(old);
    visitor.lose_path(&agent).await;
    let mut new = Link::new();
    visitor.restarted(&mut agent, &mut new).await;
    visitor.find_path().await;
    visitor
        .while_driven(chunk(&mut stream, &mut exchange, "still here"))
        .await;
}

/// SIG-047: restarts have a limit of their own, and take no place of a visit.
#[tokio::test(start_paused = true)]
async fn restarts_are_limited() {
    let mut agent = Agent::start().await;
    let mut link = Link::new();
    let mut visitor = agent.visit(&mut link).await;
    let _other = agent.visit(&mut link).await;
    for _ in 0..RESTART_BURST {
        visitor.restarted(&mut agent, &mut link).await;
    }
    let check = visitor.restart();
    let id = agent.offer(&link, &check, "recipes");
    assert_eq!(link.refusal(id).await, SignalCode::Limit);
    // Nor does its id stand for the session.
    assert!(!agent.visits.names.contains_key(&id));
    for _ in 0..3 {
        tokio::time::advance(RESTART_INTERVAL).await;
        visitor.restarted(&mut agent, &mut link).await;
        let check = visitor.restart();
        let id = agent.offer(&link, &check, "recipes");
        assert_eq!(link.refusal(id).await, SignalCode::Limit);
    }
}

/// SIG-045: ids do not pile up; the first one stays.
#[tokio::test(start_paused = true)]
async fn a_session_has_few_names() {
    let mut agent = Agent::start().await;
    let mut link = Link::new();
    let mut visitor = agent.visit(&mut link).await;
    let mut ids = Vec::new();
    for _ in 0..3 * RESTART_IDS {
        tokio::time::advance(RESTART_INTERVAL).await;
        ids.push(visitor.restarted(&mut agent, &mut link).await);
        assert!(agent.visits.names.len() <= 1 + RESTART_IDS);
    }
    assert!(agent.visits.names.contains_key(&visitor.session_id));
    let kept = |id: &&SessionId| agent.visits.names.contains_key(id);
    assert_eq!(ids.iter().filter(kept).count(), RESTART_IDS);
    assert!(ids[2 * RESTART_IDS..].iter().all(|id| kept(&id)));
}

/// RTC-017: what the stack gathers behind its answer goes to the visitor under the id of the visit
/// that is under way, and then its end.
#[tokio::test]
async fn candidates_trickle_to_the_visitor() {
    let mut agent = Agent::start().await;
    let mut link = Link::new();
    let mut visitor = agent.visit(&mut link).await;
    let gathered = ["candidate:1 1 udp 2130706431 127.0.0.1 9 typ host"];
    let first = visitor.session_id;
    let candidates = visitor.while_driven(link.candidates(first)).await;
    assert_eq!(candidates, gathered);
    visitor.lose_path(&agent).await;
    let id = visitor.restarted(&mut agent, &mut link).await;
    let candidates = visitor.while_driven(link.candidates(id)).await;
    assert_eq!(candidates, gathered);
    // Nobody hears of any while coord is away, and nobody minds.
    drop(link);
    visitor.lose_path(&agent).await;
    let mut link = Link::new();
    let id = visitor.restarted(&mut agent, &mut link).await;
    let candidates = visitor.while_driven(link.candidates(id)).await;
    assert_eq!(candidates, gathered);
}

/// SIG-049: candidates of before a restart are none for what came behind it.
#[tokio::test]
async fn late_candidates_are_left_aside() {
    let mut agent = Agent::start().await;
    let mut link = Link::new();
    let mut visitor = agent.visit(&mut link).await;
    let candidate = |number: u8| {
        let text = format!("candidate:{number} 1 udp 1 192.0.2.1 {number} typ host");
        IceCandidate::parse(text, "0").unwrap()
    };
    let first = visitor.session_id;
    agent.visits.candidate(first, &candidate(1));
    let id = visitor.restarted(&mut agent, &mut link).await;
    agent.visits.candidate(first, &candidate(2));
    agent.visits.candidate(id, &candidate(3));
    agent.visits.candidate(id, &IceCandidate::end());
    let last = candidate(3).as_str().to_owned();
    let network = agent.network.clone();
    let told = async {
        while !network.candidates().contains(&last) {
            tokio::task::yield_now().await;
        }
    };
    visitor.while_driven(told).await;
    let told = network.candidates();
    assert_eq!(told, [candidate(1).as_str(), last.as_str()]);
    // Coord has nothing more to pass on, and then it has all the same.
    agent.visits.introduced(first);
    agent.visits.introduced(id);
    agent.visits.candidate(id, &candidate(4));
    let id = visitor.restarted(&mut agent, &mut link).await;
    agent.visits.candidate(id, &candidate(3));
    let told = async {
        while network.candidates().len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    visitor.while_driven(told).await;
    assert_eq!(network.candidates()[2], last);
}
