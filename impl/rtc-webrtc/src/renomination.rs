//! A direct pair instead of the relayed one that answered first (`RTC-022`).
//!
//! rtc checks nothing but its own pair once it has one, and never nominates another. So while the
//! path leads through a relay, both ends check their direct pairs from here, with checks of their
//! own that rtc knows nothing of; the controlling end nominates the first pair that answers, and
//! sees to the consent of its receiver (RFC 7675) from then on. The controlled end checks as well,
//! for its NAT lets in only what something was sent to.

use std::{collections::VecDeque, net::SocketAddr, sync::LazyLock, time::Duration};

use rtc::{
    crypto::{RTCCryptoProvider as _, providers::AwsLcRsProvider},
    ice::attributes::{
        control::{AttrControlled, AttrControlling},
        priority::PriorityAttr,
        use_candidate::UseCandidateAttr,
    },
    stun::{
        attributes::ATTR_USERNAME,
        fingerprint::FINGERPRINT,
        integrity::MessageIntegrity,
        message::{BINDING_REQUEST, Message, Setter, TransactionId},
        textattrs::Username,
    },
};
use tokio::time::Instant;

use crate::{checks::Pair, description::Credentials};

/// From the first round of checks to the second one, which is half as much again, and so on.
const ROUND_FIRST: Duration = Duration::from_millis(50);

/// Between two rounds at most.
const ROUND_MAX: Duration = Duration::from_secs(1);

/// Rounds without news, in about 30 s: a session without a path would not wait longer.
const ROUNDS: u32 = 36;

/// Pairs that are checked in a round.
const PAIRS_MAX: usize = 32;

/// Checks whose answers are awaited.
const AWAITED_MAX: usize = 4 * PAIRS_MAX;

/// Times that a nomination is sent before another pair has its turn.
const NOMINATIONS: u32 = 5;

/// Between two checks for consent: several may be lost before the pair counts as silent.
const CONSENT: Duration = Duration::from_secs(1);

/// What the other end takes a new address of this one for: a peer-reflexive candidate
/// (RFC 8445 section 7.1.1).
const PRIORITY: u32 = (110 << 24) | (0xffff << 8) | 0xff;

static CRYPTO: LazyLock<AwsLcRsProvider> = LazyLock::new(AwsLcRsProvider::new);

/// A check that is not answered yet.
#[derive(Debug)]
struct Awaited {
    transaction: TransactionId,
    pair: Pair,
    nominates: bool,
    sent: Instant,
}

/// What an answer to a check from here brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It answers nothing that was asked here: rtc may have asked.
    Foreign,
    /// Nothing for the owner.
    Noted,
    /// The other end takes what comes over this pair, and has answered within this time.
    Works(Pair, Duration),
}

/// The checks that rtc does not make, from one (re)start to the next.
#[derive(Debug)]
pub(crate) struct Renomination {
    controlling: bool,
    tie_breaker: u64,
    /// This end's user fragment, and what the other end's checks are signed with.
    signing: Option<(String, Credentials)>,
    /// The path in use leads through a relay, or nowhere.
    wanted: bool,
    rounds: u32,
    /// When the next round is due; `None`: no more of them.
    next: Option<Instant>,
    awaited: VecDeque<Awaited>,
    /// The pair that answered, and how often it has been nominated.
    chosen: Option<(Pair, u32)>,
    /// Those that answer checks and no nominations.
    vain: Vec<Pair>,
    /// The pair that was nominated and has confirmed it, and when it is to be asked again.
    consent: Option<(Pair, Instant)>,
}

impl Renomination {
    pub(crate) fn new(controlling: bool) -> Self {
        Self {
            controlling,
            tie_breaker: random(),
            signing: None,
            wanted: false,
            rounds: 0,
            next: None,
            awaited: VecDeque::new(),
            chosen: None,
            vain: Vec::new(),
            consent: None,
        }
    }

    /// Both descriptions are here.
    pub(crate) fn sign(&mut self, ufrag: &str, remote: &Credentials) {
        self.signing = Some((ufrag.to_owned(), remote.clone()));
    }

    /// Whether another path is wanted: packets pass through a relay, or get lost.
    pub(crate) fn wanted(&mut self, wanted: bool) {
        if self.wanted == wanted {
            return;
        }
        self.wanted = wanted;
        if wanted {
            // The pair has fallen silent. The other end must not hear checks on it and send there
            // what gets lost on the way back.
            self.consent = None;
        }
        self.hurry();
    }

    /// There is something new to check.
    pub(crate) fn hurry(&mut self) {
        self.rounds = 0;
        self.chosen = None;
        self.vain.clear();
        self.next = self.wanted.then(Instant::now);
    }

    /// When [`Self::checks`] has something to send.
    pub(crate) fn due(&self) -> Option<Instant> {
        let consent = self.consent.map(|(_, due)| due);
        [self.next, consent].into_iter().flatten().min()
    }

    /// Whether [`Self::checks`] has something to send now.
    pub(crate) fn is_due(&self) -> bool {
        self.due().is_some_and(|due| due <= Instant::now())
    }

    /// What is to be sent now; `direct` are the pairs that lead through no relay.
    pub(crate) fn checks(&mut self, direct: &[Pair]) -> Vec<(Pair, Vec<u8>)> {
        let now = Instant::now();
        let mut checks = Vec::new();
        if let Some((pair, due)) = &mut self.consent
            && *due <= now
        {
            *due = now + CONSENT;
            checks.push((*pair, false));
        }
        if self.next.is_some_and(|next| next <= now) {
            match &mut self.chosen {
                Some((pair, nominations)) if *nominations < NOMINATIONS => {
                    *nominations += 1;
                    checks.push((*pair, true));
                }
                chosen => {
                    self.vain.extend(chosen.take().map(|(pair, _)| pair));
                    // Another part of them in each round, where there are many.
                    let from = PAIRS_MAX * usize::try_from(self.rounds).unwrap_or(0);
                    let direct = direct.iter().filter(|pair| !self.vain.contains(pair));
                    let direct: Vec<_> = direct.copied().collect();
                    let turn = direct.iter().cycle().skip(from % direct.len().max(1));
                    let turn = turn.take(direct.len().min(PAIRS_MAX));
                    checks.extend(turn.map(|pair| (*pair, false)));
                }
            }
            let pause = ROUND_FIRST * 3_u32.pow(self.rounds.min(8)) / 2_u32.pow(self.rounds.min(8));
            self.rounds += 1;
            self.next = (self.rounds < ROUNDS).then(|| now + pause.min(ROUND_MAX));
        }
        let sent = checks.into_iter();
        sent.filter_map(|(pair, nominates)| Some((pair, self.check(pair, nominates)?)))
            .collect()
    }

    fn check(&mut self, pair: Pair, nominates: bool) -> Option<Vec<u8>> {
        let (ufrag, remote) = self.signing.as_ref()?;
        let transaction = TransactionId::new();
        let name = format!("{}:{ufrag}", remote.ufrag);
        let role: Box<dyn Setter> = if self.controlling {
            Box::new(AttrControlling(self.tie_breaker))
        } else {
            Box::new(AttrControlled(self.tie_breaker))
        };
        let mut parts: Vec<Box<dyn Setter>> = vec![
            Box::new(BINDING_REQUEST),
            Box::new(transaction),
            Box::new(Username::new(ATTR_USERNAME, name)),
            role,
            Box::new(PriorityAttr(PRIORITY)),
        ];
        if nominates {
            parts.push(Box::new(UseCandidateAttr::new()));
        }
        parts.push(Box::new(
            MessageIntegrity::new_short_term_integrity_with_provider(
                remote.password.clone(),
                CRYPTO.crypto(),
            ),
        ));
        parts.push(Box::new(FINGERPRINT));
        let mut message = Message::new();
        message.build(&parts).ok()?;
        if self.awaited.len() == AWAITED_MAX {
            self.awaited.pop_front();
        }
        self.awaited.push_back(Awaited {
            transaction,
            pair,
            nominates,
            sent: Instant::now(),
        });
        Some(message.raw)
    }

    /// Takes a success response that came over `pair`.
    pub(crate) fn answered(&mut self, response: &mut Message, pair: Pair) -> Answer {
        let transaction = response.transaction_id;
        let mut awaited = self.awaited.iter();
        let Some(place) = awaited.position(|one| one.transaction == transaction) else {
            return Answer::Foreign;
        };
        let signed = self.signing.as_ref().is_some_and(|(_, remote)| {
            MessageIntegrity::check(response, remote.password.as_bytes(), CRYPTO.crypto()).is_ok()
        });
        // RFC 8445 section 7.2.5.2.1: an answer from elsewhere fails the check.
        let symmetric = self.awaited.get(place).is_some_and(|one| one.pair == pair);
        if !signed || !symmetric {
            return Answer::Noted;
        }
        let Some(check) = self.awaited.remove(place) else {
            return Answer::Noted;
        };
        if !self.controlling {
            return Answer::Noted;
        }
        let chosen = self.chosen.is_some_and(|(chosen, _)| chosen == pair);
        if check.nominates && chosen {
            self.next = None;
            self.awaited.clear();
            self.consent = Some((pair, Instant::now() + CONSENT));
        } else if self.consent.is_none_or(|(nominated, _)| nominated != pair) {
            if self.wanted && self.chosen.is_none() && !self.vain.contains(&pair) {
                self.chosen = Some((pair, 0));
                self.next = Some(Instant::now());
            }
            return Answer::Noted;
        }
        Answer::Works(pair, check.sent.elapsed())
    }
}

fn random() -> u64 {
    let bytes = TransactionId::new().0;
    let (_, last) = bytes.split_at(bytes.len() - 8);
    last.iter()
        .fold(0, |all, byte| (all << 8) | u64::from(*byte))
}

/// The pairs of addresses of the same family.
pub(crate) fn pairs(local: &[SocketAddr], remote: &[SocketAddr]) -> Vec<Pair> {
    let of_one = |local: SocketAddr| {
        let alike = move |remote: &&SocketAddr| remote.is_ipv4() == local.is_ipv4();
        remote.iter().filter(alike).map(move |remote| Pair {
            local,
            remote: *remote,
        })
    };
    local.iter().copied().flat_map(of_one).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use rtc::stun::{
        attributes::ATTR_USE_CANDIDATE,
        message::{BINDING_SUCCESS, CLASS_REQUEST},
    };

    use super::*;

    const OURS: &str = "0ur5";

    fn theirs(password: &str) -> Credentials {
        Credentials {
            ufrag: "th31r5".to_owned(),
            password: password.to_owned(),
        }
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 4000))
    }

    fn pair(last: u8) -> Pair {
        Pair {
            local: address(1),
            remote: address(last),
        }
    }

    /// One that is on a relayed path.
    fn relayed(controlling: bool) -> Renomination {
        let mut renomination = Renomination::new(controlling);
        renomination.sign(OURS, &theirs("a password of theirs"));
        renomination.wanted(true);
        renomination
    }

    fn read(check: &[u8]) -> Message {
        let mut message = Message::new();
        message.unmarshal_binary(check).unwrap();
        message
    }

    fn answer(check: &[u8], password: &str) -> Message {
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(
            password.to_owned(),
            CRYPTO.crypto(),
        );
        let mut response = Message::new();
        response
            .build(&[
                Box::new(BINDING_SUCCESS),
                Box::new(read(check).transaction_id),
                Box::new(integrity),
                Box::new(FINGERPRINT),
            ])
            .unwrap();
        read(&response.raw)
    }

    /// Takes the only check that is to be sent.
    fn only(renomination: &mut Renomination, direct: &[Pair]) -> (Pair, Vec<u8>) {
        let mut checks = renomination.checks(direct);
        assert_eq!(checks.len(), 1);
        checks.remove(0)
    }

    /// RTC-022
    #[tokio::test(start_paused = true)]
    async fn the_pair_that_answers_is_nominated_and_asked_for_its_consent() {
        let mut renomination = relayed(true);
        let direct = [pair(2), pair(3)];
        let checks = renomination.checks(&direct);
        assert_eq!(checks.len(), 2);
        for (_, check) in &checks {
            let mut check = read(check);
            assert_eq!(check.typ.class, CLASS_REQUEST);
            assert_eq!(check.get(ATTR_USERNAME).unwrap(), b"th31r5:0ur5");
            assert!(!check.contains(ATTR_USE_CANDIDATE));
            let password = b"a password of theirs";
            MessageIntegrity::check(&mut check, password, CRYPTO.crypto()).unwrap();
        }
        let mut response = answer(&checks[1].1, "a password of theirs");
        assert_eq!(renomination.answered(&mut response, pair(3)), Answer::Noted);
        let (to, nomination) = only(&mut renomination, &direct);
        assert_eq!(to, pair(3));
        assert!(read(&nomination).contains(ATTR_USE_CANDIDATE));
        tokio::time::advance(Duration::from_millis(7)).await;
        let mut response = answer(&nomination, "a password of theirs");
        let works = Answer::Works(pair(3), Duration::from_millis(7));
        assert_eq!(renomination.answered(&mut response, pair(3)), works);
        renomination.wanted(false);
        assert!(renomination.checks(&direct).is_empty());
        tokio::time::advance(CONSENT).await;
        let (to, check) = only(&mut renomination, &direct);
        assert_eq!(to, pair(3));
        let mut response = answer(&check, "a password of theirs");
        let works = Answer::Works(pair(3), Duration::ZERO);
        assert_eq!(renomination.answered(&mut response, pair(3)), works);
        // A relay is in use again: from the beginning.
        renomination.wanted(true);
        assert_eq!(renomination.checks(&direct).len(), 2);
    }

    /// RFC 8445 section 7.2.5.2
    #[tokio::test(start_paused = true)]
    async fn answers_that_prove_nothing_choose_nothing() {
        let mut renomination = relayed(true);
        let (_, check) = only(&mut renomination, &[pair(2)]);
        let mut forged = answer(&check, "a guess");
        assert_eq!(renomination.answered(&mut forged, pair(2)), Answer::Noted);
        let mut astray = answer(&check, "a password of theirs");
        assert_eq!(renomination.answered(&mut astray, pair(3)), Answer::Noted);
        assert_eq!(renomination.chosen, None);
        let mut another = relayed(true);
        let mut foreign = answer(&check, "a password of theirs");
        assert_eq!(another.answered(&mut foreign, pair(2)), Answer::Foreign);
        // The right one still counts.
        let mut right = answer(&check, "a password of theirs");
        renomination.answered(&mut right, pair(2));
        assert_eq!(renomination.chosen, Some((pair(2), 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_nomination_that_is_never_answered_gives_way_to_others() {
        let mut renomination = relayed(true);
        let (_, check) = only(&mut renomination, &[pair(2)]);
        let mut response = answer(&check, "a password of theirs");
        renomination.answered(&mut response, pair(2));
        let mut nominations = 0;
        let direct = [pair(2), pair(3)];
        loop {
            let (to, check) = only(&mut renomination, &direct);
            if to == pair(3) {
                break;
            }
            assert!(read(&check).contains(ATTR_USE_CANDIDATE));
            nominations += 1;
            tokio::time::sleep_until(renomination.due().unwrap()).await;
        }
        assert_eq!(nominations, NOMINATIONS);
        // What it says now chooses it no more, until there is news.
        let mut late = answer(&check, "a password of theirs");
        renomination.answered(&mut late, pair(2));
        assert_eq!(renomination.chosen, None);
        renomination.hurry();
        assert_eq!(renomination.checks(&direct).len(), 2);
    }

    /// Whoever has many addresses has each of them checked.
    #[tokio::test(start_paused = true)]
    async fn all_pairs_have_their_turn() {
        let mut renomination = relayed(true);
        let many: Vec<_> = (2..80).map(pair).collect();
        let mut checked = Vec::new();
        for _ in 0..3 {
            tokio::time::sleep_until(renomination.due().unwrap()).await;
            let checks = renomination.checks(&many);
            assert_eq!(checks.len(), PAIRS_MAX);
            checked.extend(checks.into_iter().map(|(pair, _)| pair));
        }
        assert!(many.iter().all(|pair| checked.contains(pair)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_controlled_end_checks_and_nominates_nothing() {
        let mut renomination = relayed(false);
        let (_, check) = only(&mut renomination, &[pair(2)]);
        let mut response = answer(&check, "a password of theirs");
        assert_eq!(renomination.answered(&mut response, pair(2)), Answer::Noted);
        tokio::time::sleep_until(renomination.due().unwrap()).await;
        let (_, check) = only(&mut renomination, &[pair(2)]);
        assert!(!read(&check).contains(ATTR_USE_CANDIDATE));
    }

    #[tokio::test(start_paused = true)]
    async fn checks_become_rarer_and_end_until_there_is_news() {
        let mut renomination = relayed(true);
        let began = Instant::now();
        let many: Vec<_> = (2..100).map(pair).collect();
        let mut rounds = 0;
        while let Some(due) = renomination.due() {
            tokio::time::sleep_until(due).await;
            assert_eq!(renomination.checks(&many).len(), PAIRS_MAX);
            rounds += 1;
        }
        assert_eq!(rounds, ROUNDS);
        let took = began.elapsed().as_secs();
        assert!((25..=35).contains(&took), "{took} s");
        assert!(renomination.awaited.len() <= AWAITED_MAX);
        renomination.hurry();
        assert!(renomination.is_due());
        // Nobody looks for a direct path on one.
        renomination.wanted(false);
        assert_eq!(renomination.due(), None);
        renomination.hurry();
        assert_eq!(renomination.due(), None);
    }

    #[test]
    fn pairs_are_of_one_family() {
        let six: SocketAddr = ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 5000).into();
        let pairs = pairs(&[address(1), six], &[address(2), address(3), six]);
        assert_eq!(pairs.len(), 3);
        let alike = |one: &Pair| one.local.is_ipv4() == one.remote.is_ipv4();
        assert!(pairs.iter().all(alike));
    }
}
