//! What offers and answers say.

use std::{collections::BTreeSet, future::poll_fn};

use bytes::Bytes;
use p2claw_agent::transport::{Peer, PeerEvent, PeerTransport as _};
use p2claw_session::{LaneId, limits::FRAME_MAX};
use tokio::time::timeout;

use super::{PATIENCE, endpoint};

/// The values of every line that begins with `start`.
fn lines<'a>(sdp: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    sdp.lines().filter_map(move |line| line.strip_prefix(start))
}

/// RTC-001: data channels, and no other media.
#[tokio::test]
async fn an_offer_is_for_data_channels_only() {
    let offered = endpoint().offer().await.unwrap();
    let media: Vec<&str> = lines(&offered.offer, "m=").collect();
    let [media] = media.as_slice() else {
        panic!("{media:?}")
    };
    assert!(media.starts_with("application "), "{media}");
    assert!(
        media.ends_with(" UDP/DTLS/SCTP webrtc-datachannel"),
        "{media}"
    );
}

/// RTC-007: whatever `max_frame` an end says, its description allows.
#[tokio::test]
async fn descriptions_allow_the_longest_frame() {
    let offer = endpoint().offer().await.unwrap().offer;
    let answer = endpoint().accept(&offer).await.unwrap().answer;
    for sdp in [offer, answer] {
        let sizes: Vec<usize> = lines(&sdp, "a=max-message-size:")
            .map(|size| size.parse().unwrap())
            .collect();
        assert!(sizes.len() <= 1, "{sizes:?}");
        // RFC 8841 section 6.1: without the attribute, 64 KiB.
        assert!(sizes.iter().all(|size| *size >= FRAME_MAX), "{sizes:?}");
    }
}

/// RTC-008, RTC-009: one certificate for each session, and every line names it.
#[tokio::test]
async fn every_session_has_a_certificate_of_its_own() {
    let (near, far) = (endpoint(), endpoint());
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let offer = near.offer().await.unwrap().offer;
        let answer = far.accept(&offer).await.unwrap().answer;
        for sdp in [offer, answer] {
            let named: BTreeSet<&str> = lines(&sdp, "a=fingerprint:").collect();
            assert_eq!(named.len(), 1, "{named:?}");
            let fingerprint = named.into_iter().next().unwrap();
            assert!(fingerprint.starts_with("sha-256 "), "{fingerprint}");
            assert!(seen.insert(fingerprint.to_owned()), "used before");
        }
    }
}

/// RTC-010: the answer leaves with the candidates that are known, and lets the visitor begin DTLS.
#[tokio::test]
async fn an_answer_is_passive_and_has_candidates() {
    let offer = endpoint().offer().await.unwrap().offer;
    let answer = endpoint().accept(&offer).await.unwrap().answer;
    assert_eq!(lines(&answer, "a=setup:").collect::<Vec<_>>(), ["passive"]);
    assert!(lines(&answer, "a=candidate:").count() > 0, "{answer}");
}

async fn next(peer: &mut dyn Peer) -> PeerEvent {
    poll_fn(|cx| peer.poll_event(cx)).await
}

/// RTC-014: what the stack holds cannot be put in another order any more, so it holds little.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stack_takes_256_kib_and_no_more() {
    let (near, far) = (endpoint(), endpoint());
    let mut offered = near.offer().await.unwrap();
    let accepted = far.accept(&offered.offer).await.unwrap();
    offered.peer.accept_answer(&accepted.answer).unwrap();
    let mut agent = accepted.peer;
    tokio::spawn(async move { while !matches!(next(&mut *agent).await, PeerEvent::Closed(_)) {} });
    let opened =
        async { while next(&mut *offered.peer).await != PeerEvent::LaneOpen(LaneId::ZERO) {} };
    timeout(PATIENCE, opened).await.unwrap();
    // Not polled meanwhile, so nothing of it leaves.
    let message = Bytes::from(vec![7; 16_384]);
    let mut taken = 0;
    while offered.peer.try_send(LaneId::ZERO, &message).unwrap() {
        taken += message.len();
        assert!(taken <= 256 * 1024, "{taken} bytes");
    }
    assert!(taken >= 128 * 1024, "{taken} bytes");
}
