//! What offers and answers say.

use std::collections::BTreeSet;

use p2claw_session::limits::FRAME_MAX;

use crate::{
    Stack,
    ends::{End, Ends},
};

/// The values of every line that begins with `start`.
fn lines<'a>(sdp: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    sdp.lines().filter_map(move |line| line.strip_prefix(start))
}

/// RTC-001: data channels, and no other media.
pub(crate) async fn an_offer_is_for_data_channels_only(stack: Stack) {
    let offered = stack.endpoint().offer().await.unwrap();
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
pub(crate) async fn descriptions_allow_the_longest_frame(stack: Stack) {
    let offer = stack.endpoint().offer().await.unwrap().offer;
    let answer = stack.endpoint().accept(&offer).await.unwrap().answer;
    for sdp in [offer, answer] {
        let sizes: Vec<usize> = lines(&sdp, "a=max-message-size:")
            .map(|size| size.parse().unwrap())
            .collect();
        assert!(sizes.len() <= 1, "{sizes:?}");
        // RFC 8841 section 6.1: without the attribute, 64 KiB.
        assert!(sizes.iter().all(|size| *size >= FRAME_MAX), "{sizes:?}");
    }
}

/// RTC-026: an end that sets no limit gets messages as well, the longest frame among them.
pub(crate) async fn an_end_may_set_no_limit_to_messages(visitor: Stack, agent: Stack) {
    let (near, far) = (visitor.endpoint(), agent.endpoint());
    let limitless = |sdp: &str| {
        let (before, rest) = sdp.split_once("a=max-message-size:").unwrap();
        let (_, after) = rest.split_once("\r\n").unwrap();
        format!("{before}a=max-message-size:0\r\n{after}")
    };
    let mut offered = near.offer().await.unwrap();
    let accepted = far.accept(&limitless(&offered.offer)).await.unwrap();
    let answer = limitless(&accepted.answer);
    offered.peer.accept_answer(&answer).unwrap();
    let mut ends = Ends::new(offered.peer, accepted.peer, (near, far));
    ends.opened().await;
    for end in [End::Visitor, End::Agent] {
        ends.say(end, &[7; FRAME_MAX]).await;
    }
}

/// RTC-021: both descriptions ask for quick checks, above their media.
pub(crate) async fn descriptions_ask_for_quick_checks(stack: Stack) {
    let offer = stack.endpoint().offer().await.unwrap().offer;
    let answer = stack.endpoint().accept(&offer).await.unwrap().answer;
    for sdp in [offer, answer] {
        let (session, media) = sdp.split_once("m=").unwrap();
        let asked = lines(session, "a=ice-pacing:").collect::<Vec<_>>();
        assert_eq!(asked, ["20"]);
        assert!(!media.contains("a=ice-pacing:"));
    }
}

/// RTC-008, RTC-009: one certificate for each session, and every line names it.
pub(crate) async fn every_session_has_a_certificate_of_its_own(stack: Stack) {
    let (near, far) = (stack.endpoint(), stack.endpoint());
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
pub(crate) async fn an_answer_is_passive_and_has_candidates(stack: Stack) {
    let offer = stack.endpoint().offer().await.unwrap().offer;
    let answer = stack.endpoint().accept(&offer).await.unwrap().answer;
    assert_eq!(lines(&answer, "a=setup:").collect::<Vec<_>>(), ["passive"]);
    assert!(lines(&answer, "a=candidate:").count() > 0, "{answer}");
    // RTC-011, RTC-017: and others may follow.
    for sdp in [offer, answer] {
        let options: Vec<&str> = lines(&sdp, "a=ice-options:").collect();
        assert!(options.iter().any(|one| one.contains("trickle")), "{sdp}");
    }
}

/// RTC-008: a restart names the certificate of the session, so that it can be told from a stranger's.
pub(crate) async fn restarts_keep_the_certificate(visitor: Stack, agent: Stack) {
    let mut ends = Ends::open(visitor, agent).await;
    let certificate = |sdp: &str| {
        let named: BTreeSet<String> = lines(sdp, "a=fingerprint:").map(str::to_owned).collect();
        assert_eq!(named.len(), 1, "{named:?}");
        named
    };
    let (mut offers, mut answers) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..2 {
        let offer = ends.visitor.restart().unwrap();
        let answer = ends.agent.accept_restart(&offer).unwrap();
        ends.visitor.accept_answer(&answer).unwrap();
        offers.append(&mut certificate(&offer));
        answers.append(&mut certificate(&answer));
        assert_eq!(lines(&answer, "a=setup:").collect::<Vec<_>>(), ["passive"]);
    }
    assert_eq!((offers.len(), answers.len()), (1, 1));
    ends.say(End::Visitor, b"still here").await;
}

/// What no stack can answer is refused.
pub(crate) async fn rubbish_is_refused_and_costs_nothing(stack: Stack) {
    let endpoint = stack.endpoint();
    let offer = endpoint.offer().await.unwrap().offer;
    let refused = offer.replace("m=application 9", "m=application 0");
    assert_ne!(refused, offer);
    for offer in [
        "",
        "v=0",
        "\0\0",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
        &refused,
    ] {
        assert!(endpoint.accept(offer).await.is_err(), "{offer:?}");
    }
}

/// RTC-012: mDNS names, TCP, and what only its writer understands are left aside, one by one.
pub(crate) async fn candidates_that_nobody_can_read_harm_nothing(stack: Stack) {
    let (near, far) = (Stack::Str0m.endpoint(), stack.endpoint());
    let mut offered = near.offer().await.unwrap();
    let odd = [
        "candidate:1 1 udp 2113937151 5f1d1f2a-9a5c-4d0a-8c1a-2f0c1e6a7b3d.local 54400 typ host",
        "candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active generation 0",
        "candidate:3 1 udp 1677729535 host.example 3478 typ srflx raddr 0.0.0.0 rport 0",
        "candidate:4 1 udp 1 192.0.2.7 70000 typ host",
        "candidate:5 1 udp 1 192.0.2.7 7000 typ quantum",
        "candidate:6",
        "candidate:",
    ];
    let mut offer = offered.offer.clone();
    for candidate in odd {
        // A stack may refuse a description for one of these in its own; none does for others'.
        if candidate.contains(".local") || candidate.contains("tcptype") {
            offer.push_str(&format!("a={candidate}\r\n"));
        }
    }
    let accepted = far.accept(&offer).await.unwrap();
    offered.peer.accept_answer(&accepted.answer).unwrap();
    let mut ends = Ends::new(offered.peer, accepted.peer, (near, far));
    for candidate in odd {
        ends.agent.add_candidate(candidate);
    }
    ends.agent.add_candidate("");
    ends.opened().await;
    ends.talk().await;
}
